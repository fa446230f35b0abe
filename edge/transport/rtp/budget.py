"""How much of a thing a far end may make us do, by the clock."""

from __future__ import annotations

FLOOD_AFTER = 5.0
"""Seconds of refusing after which an excess is no burst any more."""

_QUIET = 1.0
"""Seconds without a refusal that end an excess."""


class Budget:
    """A token bucket: ``rate`` units per second, and ``burst`` units at once.

    It starts full. What it refuses costs nothing, so a far end that slows down is served again.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.refused = 0
        """How often ``take`` said no."""
        self.flooded = False
        """Whether it went on saying no for :data:`FLOOD_AFTER`; stays so."""
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at: float | None = None
        self._excess_since = 0.0
        self._refused_at = float("-inf")

    def take(self, cost: float, now: float) -> bool:
        """Whether ``cost`` units are allowed at ``now`` seconds of any monotonic clock."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left >= cost:
            self._left -= cost
            return True
        self.refused += 1
        if now - self._refused_at > _QUIET:
            self._excess_since = now
        self._refused_at = now
        self.flooded = self.flooded or now - self._excess_since >= FLOOD_AFTER
        return False
