"""One 20 ms clock for all calls of a worker.

A sleeping task per call costs more than the work it paces; here one task wakes every 5 ms and
serves a quarter of the calls, so that their packets do not leave in one burst.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edge.media.frames import FRAME_MS

PHASES = 4
"""Slices of a frame; subscribers are spread over them."""

Tick = Callable[[], None]


class Ticker:
    """Calls every subscriber once per 20 ms.

    What is given to ``each_step`` is called every 5 ms, before the subscribers of that step: the
    place to take what the network brought.

    ``run`` belongs in a task group. After a stall of more than one frame the schedule is moved, so
    that callers hear a pause rather than a burst; ``late`` counts those stalls.
    """

    def __init__(self) -> None:
        self._phases: list[dict[Tick, None]] = [{} for _ in range(PHASES)]
        self._steps: dict[Tick, None] = {}
        self.late = 0

    def subscribe(self, tick: Tick) -> Callable[[], None]:
        """Call ``tick`` every 20 ms from now on; the returned function ends that, idempotently."""
        phase = min(self._phases, key=len)
        phase[tick] = None

        def unsubscribe() -> None:
            phase.pop(tick, None)

        return unsubscribe

    def each_step(self, step: Tick) -> Callable[[], None]:
        """Call ``step`` every 5 ms from now on; the returned function ends that, idempotently."""
        self._steps[step] = None

        def end() -> None:
            self._steps.pop(step, None)

        return end

    async def run(self) -> None:
        """Tick until cancelled. A tick must not raise: an error ends the worker."""
        loop = asyncio.get_running_loop()
        step = FRAME_MS / 1000 / PHASES
        due = loop.time()
        number = 0
        while True:
            due += step
            number += 1
            wait = due - loop.time()
            if wait < -FRAME_MS / 1000:
                self.late += 1
                due = loop.time()
            await asyncio.sleep(max(0.0, wait))
            for each in list(self._steps):
                each()
            phase = self._phases[number % PHASES]
            for tick in list(phase):
                if tick in phase:  # else an earlier tick of this round ended it
                    tick()
