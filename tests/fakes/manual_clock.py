"""A clock that moves when a test says so."""

from __future__ import annotations


class ManualClock:
    """Starts at an arbitrary moment; ``advance`` is the only thing that moves it."""

    def __init__(self, monotonic: float = 1000.0, wall: float = 1_790_000_000.0) -> None:
        self._monotonic = monotonic
        self._wall = wall

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        return self._wall

    def advance(self, seconds: float) -> None:
        self._monotonic += seconds
        self._wall += seconds
