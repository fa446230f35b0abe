"""A clock on which waiting takes no time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.fakes.clock import FakeClock


class Enough(Exception):
    """A test has seen what it waited for."""


class SteppingClock(FakeClock):
    """``sleep`` moves the clock and returns at once.

    ``on_sleep`` is called before each sleep with how many there were; what it raises ends the
    loop that sleeps.
    """

    def __init__(self, on_sleep: Callable[[int], None] | None = None) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.on_sleep = on_sleep

    async def sleep(self, seconds: float) -> None:
        if self.on_sleep is not None:
            self.on_sleep(len(self.slept))
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)
