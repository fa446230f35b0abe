"""How words sound, as ARPAbet phones of the CMU pronouncing dictionary.

In order: what the agent's file says, the names of letters, the dictionary that pocketsphinx ships,
and letter-to-sound rules for the names that no dictionary has.
"""

from __future__ import annotations

import mmap
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from edge.speech.letter_to_sound import spell_out

_PHONES = """
AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH
"""
PHONES = frozenset(_PHONES.split())
"""The phones of the acoustic model, without stress marks."""

LETTERS: Mapping[str, tuple[str, ...]] = {
    "a": ("EY",),
    "b": ("B IY",),
    "c": ("S IY",),
    "d": ("D IY",),
    "e": ("IY",),
    "f": ("EH F",),
    "g": ("JH IY",),
    "h": ("EY CH", "HH EY CH"),
    "i": ("AY",),
    "j": ("JH EY",),
    "k": ("K EY",),
    "l": ("EH L",),
    "m": ("EH M",),
    "n": ("EH N",),
    "o": ("OW",),
    "p": ("P IY",),
    "q": ("K Y UW",),
    "r": ("AA R",),
    "s": ("EH S",),
    "t": ("T IY",),
    "u": ("Y UW",),
    "v": ("V IY",),
    "w": ("D AH B AH L Y UW",),
    "x": ("EH K S",),
    "y": ("W AY",),
    "z": ("Z IY", "Z EH D"),
}
"""The names of the letters, American first."""

FIGURES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

ARTICLE = ("AH", "EY")
"""How "a" sounds where nobody spells."""

MAX_WORD = 64
"""Longest word that is pronounced, in characters."""


class Pronunciations:
    """Shared by a worker. Holds no more of the dictionary in memory than the pages it touched."""

    def __init__(self, dictionary: Path, lexicon: Mapping[str, str] | None = None) -> None:
        """``lexicon`` maps lower-case words to phones separated by spaces.

        Raises ``ValueError`` for a phone that is not in ``PHONES``, ``OSError`` for a dictionary
        that cannot be read.
        """
        self._dictionary = _Dictionary(dictionary)
        self._lexicon = dict(lexicon or {})
        for word, phones in self._lexicon.items():
            unknown = sorted(set(phones.split()) - PHONES)
            if unknown or not phones.split():
                raise ValueError(f"the pronunciation of {word!r} has no such phones: {unknown}")

    def of(self, word: str, *, spelling: bool) -> tuple[str, ...]:
        """The ways ``word`` is said, likeliest first; ``spelling`` when letters are being spelt.

        Raises ``ValueError`` for a word with nothing to pronounce in it.
        """
        word = word[:MAX_WORD]
        if word in self._lexicon:
            return (self._lexicon[word],)
        if word == "a" and not spelling:
            return ARTICLE
        if word in LETTERS:
            return LETTERS[word]
        known = tuple(self._dictionary.lookup(word))
        if known:
            return known
        phones = " ".join(self._part(part) for part in _parts(word))
        if not phones:
            raise ValueError(f"nothing to pronounce in {word!r}")
        return (phones,)

    def _part(self, part: str) -> str:
        if part.isdigit():
            return next(self._dictionary.lookup(FIGURES[int(part)]))
        if part in LETTERS:
            return LETTERS[part][0]
        return next(self._dictionary.lookup(part), "") or " ".join(spell_out(part))

    def close(self) -> None:
        """Release the dictionary. Idempotent."""
        self._dictionary.close()


def _parts(word: str) -> Iterator[str]:
    """The pieces of a word that sound on their own: runs of ASCII letters, and single digits."""
    plain = unicodedata.normalize("NFKD", word.lower()).encode("ascii", "ignore").decode()
    run = ""
    for character in plain:
        if character.isalpha():
            run += character
            continue
        if run and character != "'":
            yield run
            run = ""
        if character.isdigit():
            yield character
    if run:
        yield run


class _Dictionary:
    """A CMUdict file, sorted by word, searched in place.

    Lines are ``word PH PH …``; further pronunciations follow as ``word(2) …``.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def lookup(self, word: str) -> Iterator[str]:
        """The pronunciations of ``word`` in the file's order."""
        wanted = word.encode()
        low, high = 0, len(self._map)
        while low < high:
            start = self._map.rfind(b"\n", 0, (low + high) // 2) + 1
            found, _, end = self._line(start)
            if found < wanted:
                low = end
            else:
                high = start
        while low < len(self._map):
            found, phones, low = self._line(low)
            if found != wanted:
                return
            yield phones

    def _line(self, start: int) -> tuple[bytes, str, int]:
        end = self._map.find(b"\n", start)
        end = len(self._map) if end < 0 else end
        word, _, phones = self._map[start:end].partition(b" ")
        return word.partition(b"(")[0], phones.decode().strip(), end + 1

    def close(self) -> None:
        self._map.close()
