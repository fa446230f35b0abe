"""Time with a way to wait for it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from edge.clock import Clock, SystemClock

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0


class WaitingClock(Clock, Protocol):
    """A clock that can be waited on."""

    async def sleep(self, seconds: float) -> None:
        """Return when ``seconds`` have passed."""
        ...


class MachineClock(SystemClock):
    """The machine's clock and the loop's timers."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def backoff(failures: int) -> float:
    """Seconds until the next try after so many failures in a row: 1, 2, 4, … at most a minute."""
    return float(min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 10)))
