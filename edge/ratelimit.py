"""Token buckets by name, in memory, bounded."""

from __future__ import annotations

from collections import OrderedDict

from edge.clock import Clock


class Buckets:
    """``per_second`` tokens a second for each name, at most ``burst`` saved up.

    At most ``limit`` names are kept; the one used longest ago is forgotten and starts full again.
    """

    def __init__(self, clock: Clock, *, per_second: float, burst: int, limit: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = float(burst)
        self._limit = limit
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str) -> bool:
        """Take one of the name's tokens; False when there is none now."""
        now = self._clock.monotonic()
        tokens, at = self._buckets.pop(name, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        taken = tokens >= 1.0
        self._buckets[name] = (tokens - 1.0 if taken else tokens, now)
        if len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)
        return taken
