"""Log lines on their way to CloudWatch: what may be sent, and how much at once.

Limits after "PutLogEvents" (Amazon CloudWatch Logs API Reference, 2026-11-21).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from edge.logs import FIELDS, OURS

MAX_EVENTS = 10_000
MAX_BATCH_BYTES = 1_048_576
EVENT_OVERHEAD = 26
"""What each event counts besides its UTF-8 text, bytes."""
MAX_SPAN_MS = 24 * 3_600 * 1_000
MAX_LINE_BYTES = 64 * 1024
MAX_WAITING_BYTES = 4 * 1024 * 1024
"""What is kept while the API is away."""

_KEYS = frozenset(FIELDS) | {"at", "level", "logger", "message", "exception", "where", "inside"}
_OF_A_LEAF = frozenset({"exception", "where"})
_WORDS = ("level", "logger", "message")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the journal. ``at`` in milliseconds of Unix time; ``cursor`` names its place."""

    unit: str
    at: int
    cursor: str
    text: str

    @property
    def weight(self) -> int:
        """Bytes that it counts in a batch."""
        return len(self.text.encode()) + EVENT_OVERHEAD


def read_journal_line(raw: bytes) -> Line | None:
    """A line of ``journalctl -o json``; None when it is none, or its message is not text."""
    try:
        entry = json.loads(raw)
        unit = str(entry["_SYSTEMD_UNIT"]).removesuffix(".service")
        at, cursor = int(entry["__REALTIME_TIMESTAMP"]) // 1_000, str(entry["__CURSOR"])
        message = entry["MESSAGE"]
    except (ValueError, TypeError, KeyError):
        return None
    return Line(unit, at, cursor, message if isinstance(message, str) else "")


def is_ours(text: str) -> bool:
    """Whether a line is one of ``edge.logs``: its fields are all on the list, and flat."""
    if len(text.encode(errors="replace")) > MAX_LINE_BYTES:
        return False
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(line, dict) or line.keys() - _KEYS:
        return False
    if not all(isinstance(line.get(key), str) for key in _WORDS):
        return False
    if line["logger"].split(".")[0] not in OURS and line["message"] != line["logger"]:
        return False
    return all(_is_plain(key, value) for key, value in line.items())


def _is_plain(key: str, value: object) -> bool:
    if key == "where":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if key == "inside":
        return isinstance(value, list) and all(_is_leaf(item) for item in value)
    return not isinstance(value, Mapping | list)


def _is_leaf(value: object) -> bool:
    return (
        isinstance(value, dict)
        and not value.keys() - _OF_A_LEAF
        and all(_is_plain(key, item) for key, item in value.items())
    )


class Waiting:
    """Lines that wait to be sent, oldest first; when there are too many the oldest go."""

    def __init__(self, limit: int = MAX_WAITING_BYTES) -> None:
        self._lines: deque[Line] = deque()
        self._weight = 0
        self._limit = limit
        self.dropped = 0
        """Lines that were lost, since somebody last asked and set it to 0."""
        self.foreign = 0
        """Lines that are not ours and were left out, likewise."""
        self.resume: str | None = None
        """Cursor of the last line before which nothing waits any more."""
        self.read: str | None = None
        """Cursor of the last line that came."""

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def full(self) -> bool:
        """A batch would be as large as it may be."""
        return len(self._lines) >= MAX_EVENTS or self._weight >= MAX_BATCH_BYTES

    def add(self, line: Line) -> None:
        """Keep a line if it is ours, at the cost of the oldest ones if need be."""
        self.read = line.cursor
        if not is_ours(line.text):
            self.foreign += 1
            return
        self._lines.append(line)
        self._weight += line.weight
        while self._weight > self._limit:
            self._weight -= self._lines.popleft().weight
            self.dropped += 1

    def batch(self) -> tuple[Line, ...]:
        """The oldest lines of one unit that one request takes, in order of time."""
        if not self._lines:
            return ()
        unit, weight = self._lines[0].unit, 0
        found: list[Line] = []
        earliest = latest = self._lines[0].at
        for line in self._lines:
            if line.unit != unit:
                continue
            weight += line.weight
            earliest, latest = min(earliest, line.at), max(latest, line.at)
            fits = weight <= MAX_BATCH_BYTES and len(found) < MAX_EVENTS
            if not fits or latest - earliest >= MAX_SPAN_MS:
                break
            found.append(line)
        return tuple(sorted(found, key=lambda line: line.at))

    def sent(self, batch: tuple[Line, ...]) -> None:
        """Forget what was sent, or never can be."""
        gone = {id(line) for line in batch}
        kept = deque[Line]()
        for line in self._lines:
            if id(line) not in gone:
                kept.append(line)
            elif not kept:
                self.resume = line.cursor
        self._lines = kept
        self._weight = sum(line.weight for line in kept)
        if not kept:
            self.resume = self.read
