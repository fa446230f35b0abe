"""What may be said: a small context-free grammar that both hears and understands.

The dialog builds a :class:`Grammar` for each step; a grammar recogniser renders it to JSGF
(JSpeech Grammar Format, W3C Note of 5 June 2000), and the same object parses the words that come
back into *tags*, so that what can be recognised is exactly what can be understood.

Matching is memoised over (node, position): linear in the words for each node, never exponential.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TypeAlias

MAX_WORDS = 64
"""Longest utterance that is parsed, in words; what follows is ignored."""

_RESERVED = frozenset(';=|*+<>()[]{}/"\\#~')
"""Characters that mean something in JSGF, or to a recogniser's dictionary."""


@dataclass(frozen=True, slots=True)
class Words:
    """A fixed phrase: lower-case words separated by single spaces, free of JSGF's own signs."""

    text: str

    def __post_init__(self) -> None:
        if self.text != " ".join(self.text.lower().split()) or not self.text:
            raise ValueError(f"not a normalised phrase: {self.text!r}")
        if not _RESERVED.isdisjoint(self.text):
            raise ValueError(f"nobody can say the signs in {self.text!r}")


@dataclass(frozen=True, slots=True)
class Seq:
    """One item after another."""

    items: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not self.items:
            raise ValueError("an empty sequence")


@dataclass(frozen=True, slots=True)
class Alt:
    """Any one of the options; when two match the same words, the earlier wins."""

    options: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("no options to choose from")


@dataclass(frozen=True, slots=True)
class Opt:
    """The item, or nothing."""

    item: Node


@dataclass(frozen=True, slots=True)
class Tail:
    """The item, or nothing, and nobody waits for it: a polite "please" at the end."""

    item: Node


@dataclass(frozen=True, slots=True)
class Repeat:
    """The item ``least`` to ``most`` times."""

    item: Node
    least: int
    most: int

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most <= MAX_WORDS or self.most == 0:
            raise ValueError(f"bad repeat {self.least}..{self.most}")


@dataclass(frozen=True, slots=True)
class Tag:
    """The item, and if it is said, ``(key, value)`` is part of the meaning."""

    item: Node
    key: str
    value: str


Node: TypeAlias = Words | Seq | Alt | Opt | Tail | Repeat | Tag
Tags: TypeAlias = tuple[tuple[str, str], ...]


class Completeness(Enum):
    """How far a string of words is from being a whole sentence of the grammar."""

    DEAD = "no sentence starts like this"
    OPEN = "more must follow"
    COMPLETE = "a sentence, and more may follow"
    CLOSED = "a sentence, and nothing may follow"


@dataclass(frozen=True, slots=True)
class Match:
    """What a sentence means: its tags in the order spoken."""

    words: tuple[str, ...]
    tags: Tags

    def first(self, key: str) -> str | None:
        """The value of the first tag ``key``, or None."""
        return next((value for name, value in self.tags if name == key), None)

    def all(self, key: str) -> tuple[str, ...]:
        """The values of every tag ``key``, in the order spoken."""
        return tuple(value for name, value in self.tags if name == key)


@dataclass(frozen=True)
class Grammar:
    """A named grammar."""

    name: str
    root: Node

    def parse(self, words: Sequence[str]) -> Match | None:
        """The meaning of ``words`` as one whole sentence, or None."""
        said = tuple(words[:MAX_WORDS])
        tags = _Matcher(said).match(self.root, 0).get(len(said))
        return None if tags is None else Match(said, tags)

    def spot(self, words: Sequence[str]) -> Match | None:
        """The longest sentence found anywhere in ``words`` (the earliest of equals), or None."""
        said = tuple(words[:MAX_WORDS])
        matcher = _Matcher(said)
        best: Match | None = None
        for start in range(len(said)):
            ends = {
                end: tags for end, tags in matcher.match(self.root, start).items() if end > start
            }
            if not ends:
                continue
            end = max(ends)
            if best is None or end - start > len(best.words):
                best = Match(said[start:end], ends[end])
        return best

    def completeness(self, words: Sequence[str]) -> Completeness:
        """Whether ``words`` is a sentence, the start of one, or neither."""
        said = tuple(words[:MAX_WORDS])
        matcher = _Matcher(said)
        whole = len(said) in matcher.match(self.root, 0)
        if whole:
            return Completeness.COMPLETE if matcher.hungry else Completeness.CLOSED
        return Completeness.OPEN if matcher.hungry else Completeness.DEAD

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every word the grammar knows."""
        return frozenset(_vocabulary(self.root))

    @cached_property
    def jsgf(self) -> str:
        """The grammar as a JSGF document with one public rule ``s``."""
        name = "".join(c if c.isalnum() else "_" for c in self.name)
        return f"#JSGF V1.0;\ngrammar {name};\npublic <s> = {_jsgf(self.root)};\n"


class _Matcher:
    """Matches nodes against one utterance; ``hungry`` tells that some node wanted one more word."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words
        self.hungry = False
        self._memo: dict[tuple[int, int], tuple[dict[int, Tags], bool]] = {}

    def match(self, node: Node, start: int) -> dict[int, Tags]:
        """Every end position reachable from ``start``, with the tags of the preferred reading."""
        key = (id(node), start)
        found = self._memo.get(key)
        if found is None:
            before, self.hungry = self.hungry, False
            ends = self._match(node, start)
            found = self._memo[key] = (ends, self.hungry)
            self.hungry = before
        # A node may stand in several places, and only some of them be a polite tail: its hunger is
        # remembered with its ends.
        self.hungry = self.hungry or found[1]
        return found[0]

    def _match(self, node: Node, start: int) -> dict[int, Tags]:
        match node:
            case Words(text):
                return self._phrase(text.split(" "), start)
            case Seq(items):
                reached: dict[int, Tags] = {start: ()}
                for item in items:
                    reached = self._after(reached, item)
                return reached
            case Alt(options):
                ends: dict[int, Tags] = {}
                for option in options:
                    for end, tags in self.match(option, start).items():
                        ends.setdefault(end, tags)
                return ends
            case Opt(item):
                return {start: (), **self.match(item, start)}
            case Tail(item):
                before = self.hungry
                ends = {start: (), **self.match(item, start)}
                if start == len(self.words):
                    self.hungry = before
                return ends
            case Repeat(item, least, most):
                return self._repeat(item, least, most, start)
            case Tag(item, key, value):
                pair = ((key, value),)
                return {end: pair + tags for end, tags in self.match(item, start).items()}

    def _phrase(self, phrase: list[str], start: int) -> dict[int, Tags]:
        for offset, word in enumerate(phrase):
            if start + offset == len(self.words):
                self.hungry = True
                return {}
            if self.words[start + offset] != word:
                return {}
        return {start + len(phrase): ()}

    def _after(self, reached: dict[int, Tags], item: Node) -> dict[int, Tags]:
        """Extend every reading in ``reached`` by ``item``; the earlier reading of an end wins."""
        ends: dict[int, Tags] = {}
        for position, tags in reached.items():
            for end, more in self.match(item, position).items():
                ends.setdefault(end, tags + more)
        return ends

    def _repeat(self, item: Node, least: int, most: int, start: int) -> dict[int, Tags]:
        reached: dict[int, Tags] = {start: ()}
        ends: dict[int, Tags] = dict(reached) if least == 0 else {}
        for count in range(1, most + 1):
            reached = self._after(reached, item)
            if not reached:
                break
            if count >= least:
                for end, tags in reached.items():
                    ends.setdefault(end, tags)
        return ends


def _vocabulary(node: Node) -> Iterator[str]:
    match node:
        case Words(text):
            yield from text.split(" ")
        case Seq(children) | Alt(children):
            for child in children:
                yield from _vocabulary(child)
        case Opt(item) | Tail(item) | Repeat(item) | Tag(item):
            yield from _vocabulary(item)


def _jsgf(node: Node) -> str:
    match node:
        case Words(text):
            return text
        case Seq(items):
            return " ".join(_jsgf(item) for item in items)
        case Alt(options):
            return "(" + " | ".join(_jsgf(option) for option in options) + ")"
        case Opt(item) | Tail(item):
            return f"[{_jsgf(item)}]"
        case Tag(item):
            return _jsgf(item)
        case Repeat(item, least, most):
            body = f"({_jsgf(item)})"
            required = " ".join([body] * least)
            optional = ""
            for _ in range(most - least):
                optional = f"[{body} {optional}]" if optional else f"[{body}]"
            return f"{required} {optional}".strip()
