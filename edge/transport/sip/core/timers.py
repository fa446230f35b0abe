"""Every timer of the user agent in one heap, driven by an injected clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from edge.clock import Clock


class Timer:
    """One pending call. ``cancel`` is idempotent and frees what the callback holds."""

    __slots__ = ("_fire", "_owner", "when")

    def __init__(self, owner: Timers, when: float, fire: Callable[[], None]) -> None:
        self._owner = owner
        self.when = when
        self._fire: Callable[[], None] | None = fire

    @property
    def pending(self) -> bool:
        """Whether it has neither fired nor been cancelled."""
        return self._fire is not None

    def cancel(self) -> None:
        """Never fire."""
        if self._fire is not None:
            self._fire = None
            self._owner._dropped()

    def _due(self) -> None:
        fire, self._fire = self._fire, None
        if fire is not None:
            self._owner._dropped()
            fire()


class Timers:
    """``on_change`` is called when :attr:`deadline` may have come nearer."""

    def __init__(self, clock: Clock) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._number = count()
        self._pending = 0

    def __len__(self) -> int:
        """Timers that have neither fired nor been cancelled."""
        return self._pending

    def after(self, seconds: float, fire: Callable[[], None]) -> Timer:
        """Call ``fire`` once, ``seconds`` from now, in :meth:`run`."""
        timer = Timer(self, self._clock.monotonic() + seconds, fire)
        heapq.heappush(self._heap, (timer.when, next(self._number), timer))
        self._pending += 1
        if self._heap[0][2] is timer:
            self.on_change()
        return timer

    @property
    def deadline(self) -> float | None:
        """When :meth:`run` is due, by the clock; None when nothing is pending."""
        heap = self._heap
        while heap and not heap[0][2].pending:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def run(self) -> None:
        """Fire what is due, in order of its time."""
        now = self._clock.monotonic()
        while (deadline := self.deadline) is not None and deadline <= now:
            heapq.heappop(self._heap)[2]._due()

    def _dropped(self) -> None:
        self._pending -= 1
        if len(self._heap) > 64 and len(self._heap) > 4 * self._pending:
            # Cancelled timers of a long one (32 s) would otherwise hold their calls in memory.
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
