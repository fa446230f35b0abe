"""Time, injected. The control plane may not import the edge, so it states its own need."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What this process calls *now*: ``monotonic`` for intervals, ``wall`` for tokens."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()
