"""Cuts a stream of text into clauses that can be spoken one by one.

The text may come in any pieces (a model's deltas): the cuts do not depend on how it was sliced, and
the segments, joined, are the text. The first clause is short, because it is what the caller waits
for; the rest end with a sentence, because that is where a voice can pause.
"""

from __future__ import annotations

MAX_SEGMENT = 240
"""Longest segment, in characters."""
MAX_FIRST = 90
"""Longest first segment; a clause of a usual sentence ends before that."""
MIN_FIRST = 8
"""Shortest first segment that a comma may end: "Yes," alone would sound cut off."""

_SENTENCE_END = ".!?\u2026\u061f"
_WIDE_END = "\u3002\uff01\uff1f\uff61\u0964"
"""Sentence ends of scripts that put no space after them (CJK, Devanagari)."""
_CLAUSE_END = ",;:\u2014\u2013\u060c\u3001\uff0c\uff1b\uff1a"
_CLOSERS = "\"')]}\u00bb\u201d\u2019"
_OPENERS = "\"'([{\u00ab\u201c\u2018"
_ABBREVIATIONS = frozenset(
    {
        *("dr", "mr", "mrs", "ms", "mx", "prof", "rev", "sgt", "capt", "lt", "jr", "sr", "st"),
        *("ave", "blvd", "dept", "inc", "ltd", "corp", "nos", "vs", "etc", "approx", "cf"),
        *("e.g", "i.e", "a.m", "p.m", "jan", "feb", "apr", "aug", "sept", "oct", "nov", "dec"),
        *("hr", "fr", "nr", "str", "bzw", "usw", "z.b", "d.h", "u.a", "ggf", "inkl", "tgl"),
        *("mme", "mlle", "sra", "srta"),
    }
)
"""Lower case, without the last dot. A word that also ends sentences ("no", "sun") is not here: a
missing cut costs nothing, a voice reads on; a wrong one is heard."""

_PAUSE_SENTENCE = 0.28
_PAUSE_CLAUSE = 0.12


class Segmenter:
    """Text in, in any pieces; segments out, in order. Pure but for what it holds back."""

    def __init__(self, *, eager: bool = True) -> None:
        """``eager``: end the first segment with a clause, if it has one."""
        self._held = ""
        self._first = eager

    def feed(self, text: str) -> list[str]:
        """The segments that are complete now.

        A sentence is complete when the character after its white space is known; a line break ends
        a segment at once.
        """
        self._held += text
        segments: list[str] = []
        while (cut := _cut(self._held, self._first)) is not None:
            segments.append(self._take(cut))
        return segments

    def ripe(self) -> str | None:
        """What is held back, if it reads like a whole sentence; for when silence would follow."""
        text = self._held.rstrip()
        if not text or not _ends_sentence(text) or text.rstrip(_CLOSERS)[-2:-1].isdigit():
            return None
        return self._take(len(self._held))

    def finish(self) -> list[str]:
        """What is held back, because it is whole; ``feed`` may follow."""
        return [self._take(len(self._held))] if self._held else []

    def _take(self, cut: int) -> str:
        segment, self._held = self._held[:cut], self._held[cut:]
        if segment.strip():
            self._first = False
        return segment


def split(text: str, limit: int = MAX_SEGMENT, *, eager: bool = True) -> list[str]:
    """All of ``text`` in segments of at most ``limit`` characters; joined, they are ``text``."""
    segmenter = Segmenter(eager=eager)
    return [
        piece
        for segment in (*segmenter.feed(text), *segmenter.finish())
        for piece in _fit(segment, limit)
    ]


def pause_after(segment: str) -> float:
    """Seconds of silence that belong after ``segment``, by how it ends."""
    text = segment.rstrip()
    bare = text.rstrip(_CLOSERS)
    if not bare:
        return 0.0
    if bare[-1] in _CLAUSE_END:
        return _PAUSE_CLAUSE
    ends = bare[-1] in _SENTENCE_END or bare[-1] in _WIDE_END or "\n" in segment[len(text) :]
    return _PAUSE_SENTENCE if ends else 0.0


def _cut(text: str, first: bool) -> int | None:
    """Where the first segment of ``text`` ends, or None while that depends on what follows.

    Looks at no more than ``limit`` + 1 characters, which is what makes the cuts independent of the
    slicing.
    """
    limit = MAX_FIRST if first else MAX_SEGMENT
    for index in range(1, min(len(text), limit) + 1):
        before = text[index - 1]
        if before == "\n":
            return index
        if index == len(text):
            break
        if before in _WIDE_END and text[index] not in _CLOSERS + _WIDE_END + " \n":
            return index
        if before.isspace() and not text[index].isspace():
            said = text[:index].rstrip()
            if _ends_sentence(said) or (first and _ends_clause(said)):
                return index
    return _forced(text, limit) if len(text) > limit else None


def _forced(text: str, limit: int) -> int:
    """The best cut of a text that is too long: after a clause, else a word, else anywhere."""
    spaces = [
        index
        for index in range(1, limit + 1)
        if text[index - 1].isspace() and not text[index].isspace()
    ]
    clauses = [
        index
        for index in spaces
        if index > limit // 3 and text[:index].rstrip().endswith(tuple(_CLAUSE_END))
    ]
    return (clauses or spaces or [limit])[-1]


def _fit(text: str, limit: int) -> list[str]:
    parts: list[str] = []
    while len(text) > limit:
        cut = _forced(text, limit)
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text]


def _ends_sentence(text: str) -> bool:
    bare = text.rstrip(_CLOSERS)
    if not bare:
        return False
    if bare[-1] in _WIDE_END:
        return True
    if bare[-1] not in _SENTENCE_END:
        return False
    return bare[-1] != "." or bare.endswith("..") or not _abbreviates(bare[:-1])


def _abbreviates(text: str) -> bool:
    """Whether the word at the end of ``text`` keeps its dot: an initial, a number, a known one."""
    word = text.split()[-1].lstrip(_OPENERS).lower() if text.split() else ""
    return len(word) == 1 or word.isdigit() or word in _ABBREVIATIONS


def _ends_clause(text: str) -> bool:
    return len(text) >= MIN_FIRST and text[-1] in _CLAUSE_END
