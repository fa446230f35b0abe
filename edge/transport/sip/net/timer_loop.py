"""The one timer of the event loop that drives all timers of the user agent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from edge.clock import Clock
from edge.transport.sip.core.timers import Timers

logger = logging.getLogger(__name__)

LONGEST = 3600.0
"""Seconds: a later deadline is looked at again then."""


class TimerLoop:
    """Runs what is due between ``start`` and ``stop``; ``ran`` is called after it."""

    def __init__(self, timers: Timers, clock: Clock, ran: Callable[[], None]) -> None:
        self.faults = 0
        """Timers whose call raised."""
        self._timers = timers
        self._clock = clock
        self._ran = ran
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Follow the timers in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._timers.on_change = self._schedule
        self._schedule()

    def stop(self) -> None:
        """Run nothing more. Idempotent."""
        self._loop = None
        self._timers.on_change = _nothing
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def run(self) -> None:
        """Run what is due now. Never raises."""
        try:
            self._timers.run()
        except Exception as error:
            # One broken call must not stop the others for good: they are due at the next turn.
            self.faults += 1
            logger.error("a timer of the phone broke", extra={"code": type(error).__name__})
        self._ran()
        self._schedule()

    def _schedule(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        deadline = self._timers.deadline
        if self._loop is not None and deadline is not None:
            wait = min(max(deadline - self._clock.monotonic(), 0.0), LONGEST)
            self._handle = self._loop.call_later(wait, self.run)


def _nothing() -> None:
    """Nobody follows the timers."""
