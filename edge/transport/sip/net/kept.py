"""Answers that are kept for a while: a bounded table by time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from edge.clock import Clock

MAX_KEPT = 1024

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """At most :data:`MAX_KEPT` values; the oldest goes first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[Key, tuple[float, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """The value while it is good."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock.monotonic():
            del self._entries[key]
            return None
        return entry[1]

    def put(self, key: Key, value: Value, seconds: float) -> None:
        """Keep ``value`` for ``seconds`` from now."""
        self._entries[key] = (self._clock.monotonic() + seconds, value)
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_KEPT:
            self._entries.popitem(last=False)

    def drop(self, key: Key) -> None:
        """Forget ``key``. Idempotent."""
        self._entries.pop(key, None)

    def drop_value(self, value: Value) -> None:
        """Forget whatever stands for ``value``."""
        for key in [key for key, (_, kept) in self._entries.items() if kept == value]:
            del self._entries[key]
