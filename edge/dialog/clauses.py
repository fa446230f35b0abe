"""Cuts a stream of text into pieces worth speaking: a short first clause, then sentences."""

from __future__ import annotations

import re

FIRST_LEAST = 8
"""Characters of the first clause at least: "Well," alone sounds chopped."""
LONGEST = 300
"""Characters after which a piece is spoken without waiting for its end."""
_CLAUSE = re.compile(r"[,;:.!?]['\")]?\s")
_SENTENCE = re.compile(r"[.!?]['\")]?\s")


class Clauses:
    """Feed it deltas; it gives whole pieces as early as they make sense."""

    def __init__(self) -> None:
        self._text = ""
        self._spoken = False

    def feed(self, delta: str) -> list[str]:
        """The pieces that are whole now."""
        self._text += delta
        found = []
        while (end := self._end()) is not None:
            piece, self._text = self._text[:end].strip(), self._text[end:]
            if piece:
                found.append(piece)
                self._spoken = True
        return found

    def rest(self) -> str:
        """What is left at the end of the stream."""
        piece, self._text = self._text.strip(), ""
        return piece

    def _end(self) -> int | None:
        boundary = _SENTENCE if self._spoken else _CLAUSE
        start = 0 if self._spoken else FIRST_LEAST
        match = boundary.search(self._text, start)
        if match is not None:
            return match.end()
        if len(self._text) > LONGEST:
            return self._text.rfind(" ", 1, LONGEST) + 1 or LONGEST
        return None
