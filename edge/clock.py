"""Time, injected."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What this process calls *now*.

    ``monotonic`` measures intervals; ``wall`` stamps records that outlive the process.
    """

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
