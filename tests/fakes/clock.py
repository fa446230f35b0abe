"""A clock that moves when told."""

from __future__ import annotations


class FakeClock:
    """Time stands still until :meth:`advance`."""

    def __init__(self, monotonic: float = 100.0, wall: float = 1_790_000_000.0) -> None:
        self._monotonic = monotonic
        self._wall = wall

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        return self._wall

    def advance(self, seconds: float) -> None:
        self._monotonic += seconds
        self._wall += seconds
