"""A name, spelled letter by letter or one of a known list.

A grammar recogniser cannot hear a name it was not told of, but it can hear letters, and NATO words
(ICAO Annex 10, volume II, 5.2.1.3) much better than letters.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from edge.dialog.slots.base import Moment, Phrase, Reading, SlotBase, Understood, tagged
from edge.events import JsonValue
from edge.grammar import Alt, Match, Node, Opt, Repeat, Seq, Tag, Words

NATO = (
    "alpha",
    "bravo",
    "charlie",
    "delta",
    "echo",
    "foxtrot",
    "golf",
    "hotel",
    "india",
    "juliet",
    "kilo",
    "lima",
    "mike",
    "november",
    "oscar",
    "papa",
    "quebec",
    "romeo",
    "sierra",
    "tango",
    "uniform",
    "victor",
    "whiskey",
    "x ray",
    "yankee",
    "zulu",
)
MAX_LETTERS = 12
_INTRODUCTIONS = ("it's", "it is", "that's", "my name is", "my last name is", "the name is")
_FREE = re.compile(
    r"^(?:(?:it's|it is|that's|i'm|i am|(?:my |the )?(?:last |first )?name(?: is|'s)) )?"
    r"([^\W\d_](?:[^\W\d_]|['-])*(?: [^\W\d_](?:[^\W\d_]|['-])*){0,2})[.!]?$",
    re.IGNORECASE,
)


class NameSlot(SlotBase):
    """Its value is the name, capitalised."""

    kind: Literal["name"]
    names: tuple[Phrase, ...] = Field(default=(), max_length=60)
    """Names that need no spelling."""

    @property
    def core(self) -> Node:
        spelled = Repeat(_LETTER, 2, MAX_LETTERS)
        known = tuple(tagged((name,), "name", name) for name in self.names)
        return Alt((*known, spelled))

    @property
    def leads(self) -> tuple[str, ...]:
        return _INTRODUCTIONS

    @property
    def suggestions(self) -> tuple[str, ...]:
        return self.examples or ("s m i t h", "sierra mike india tango hotel")

    def read(self, match: Match, moment: Moment) -> Reading | None:
        letters = _spelled(match.all("letter"))
        name = match.first("name")
        if len(letters) < 2 and name is None:
            return None
        return Understood(_capitals(letters if len(letters) >= 2 else str(name)))

    def read_free(self, text: str, moment: Moment) -> Reading | None:
        found = _FREE.match(" ".join(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split()))
        if found is None or not 2 <= len(found[1]) <= 60:
            return None
        return Understood(_capitals(found[1]))

    def fits(self, value: JsonValue) -> bool:
        return isinstance(value, str) and 2 <= len(value) <= 60

    def spoken(self, value: JsonValue) -> str:
        letters = " ".join(c.upper() for c in str(value) if c.isalpha())
        return f"{value}, spelled {letters}"


def _capitals(name: str) -> str:
    """``o'neill`` has a capital after the apostrophe too, ``str.title`` does that."""
    return name if name != name.lower() else name.title()


def _spelled(tags: tuple[str, ...]) -> str:
    """The letters of the tags; ``2`` doubles the next, ``-`` takes the last one back.

    In "b as in delta" the word is the better witness: the letters rhyme, the words do not.
    """
    letters: list[str] = []
    times = 1
    for tag in tags:
        if tag == _DOUBLE:
            times = 2
        elif tag == _AS_IN:
            del letters[-1:]
        else:
            letters += [tag] * times
            times = 1
    return "".join(letters)


_DOUBLE, _AS_IN = "2", "-"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_LETTER = Alt(
    (
        Seq(
            (
                Opt(Tag(Words("double"), "letter", _DOUBLE)),
                Alt(tuple(tagged((letter,), "letter", letter) for letter in _ALPHABET)),
            )
        ),
        Seq(
            (
                Opt(tagged(("as in", "for"), "letter", _AS_IN)),
                Alt(
                    tuple(
                        tagged((word,), "letter", letter)
                        for letter, word in zip(_ALPHABET, NATO, strict=True)
                    )
                ),
            )
        ),
    )
)
