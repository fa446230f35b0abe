"""Listeners that tests can wait on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import numpy as np

from edge.events import JsonValue
from edge.media.frames import Samples, frame_samples

PATIENCE = 60.0
"""Seconds after which a wait is a hang."""


class _Waiting:
    """Lets a test wait until a condition over what arrived holds."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def arrived(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Ear(_Waiting):
    """Collects frames and insists on their length."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate
        self.frames: list[Samples] = []

    def __call__(self, frame: Samples) -> None:
        assert frame.shape == (frame_samples(self.rate),)
        assert frame.dtype == np.int16
        self.frames.append(frame)
        self.arrived()

    @property
    def heard(self) -> Samples:
        return np.concatenate(self.frames) if self.frames else np.zeros(0, np.int16)

    async def hear(self, seconds: float) -> Samples:
        """The last ``seconds``, once that much more has arrived."""
        count = round(seconds * 50)
        target = len(self.frames) + count
        await self.until(lambda: len(self.frames) >= target)
        return np.concatenate(self.frames[-count:])


class Inbox(_Waiting):
    """Collects events."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Mapping[str, JsonValue]] = []

    def __call__(self, event: Mapping[str, JsonValue]) -> None:
        self.events.append(event)
        self.arrived()

    async def take(self, count: int) -> list[Mapping[str, JsonValue]]:
        """The first ``count`` events, once they are there."""
        await self.until(lambda: len(self.events) >= count)
        return self.events[:count]
