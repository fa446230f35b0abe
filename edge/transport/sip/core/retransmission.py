"""Sending the same again until somebody hears it: Timers A, E and G."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from edge.transport.sip.core.timers import Timer, Timers


class Retransmission:
    """Calls ``again`` after ``first`` seconds, then after twice as long each, at most ``longest``.

    Runs from :meth:`start` to :meth:`stop`.
    """

    def __init__(
        self, timers: Timers, again: Callable[[], None], first: float, longest: float = inf
    ) -> None:
        self._timers = timers
        self._again = again
        self._interval = first
        self._longest = longest
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to wait."""
        self._timer = self._timers.after(self._interval, self._fire)

    def slow_down(self) -> None:
        """Wait ``longest`` from the next time on (RFC 3261 section 17.1.2.2)."""
        self._interval = self._longest

    def stop(self) -> None:
        """Never again. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        # Armed before sending: a transport that fails at once stops it again.
        self._interval = min(2 * self._interval, self._longest)
        self._timer = self._timers.after(self._interval, self._fire)
        self._again()
