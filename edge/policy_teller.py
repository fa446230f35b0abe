"""Tells the workers of a node which law is in force, until each of them has said so itself."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from edge.clock import Clock
from edge.law import LawInForce
from edge.pool import WorkerPool
from edge.problem import EdgeRefusal
from edge.slot import WorkerSlot

TELL_SECONDS = 5.0
"""What a worker may take to answer; it has asked for each of its calls again by then."""
BEHIND_SECONDS = 15.0
"""A worker that is this long under an older law is killed, its calls with it: nobody knows whether
they may still be here. The one that replaces it begins under the law in force."""
AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)


class Teller:
    """:meth:`run` belongs in the node's task group. A worker's word is its status line."""

    def __init__(self, law: LawInForce, pool: WorkerPool, clock: Clock) -> None:
        self._law = law
        self._pool = pool
        self._clock = clock
        self._changed = asyncio.Event()
        self._behind: dict[int, tuple[int, float]] = {}
        """By process id, under which other law it is and since when, by the clock. Laws may come
        faster than they are told: who follows them is not stuck."""
        law.on_change.append(lambda law: self._changed.set())

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            self._changed.clear()
            await self.tell()
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS):
                    await self._changed.wait()

    async def tell(self) -> None:
        """Tell every worker that is under another law."""
        serial, now = self._law.now.serial, self._clock.monotonic()
        late = [
            (slot, slot.status)
            for slot in self._pool.slots
            if slot.status is not None and slot.status.serial != serial
        ]
        before, self._behind = self._behind, {}
        for _, status in late:
            was = before.get(status.pid)
            same = was is not None and was[0] == status.serial
            self._behind[status.pid] = was if was and same else (status.serial, now)
        async with asyncio.TaskGroup() as group:
            for slot, status in late:
                since = self._behind[status.pid][1]
                group.create_task(self._tell(slot, status.pid, now - since))

    async def _tell(self, slot: WorkerSlot, pid: int, behind: float) -> None:
        bundle = self._law.bundle
        if behind >= BEHIND_SECONDS:
            log.error("worker does not take the policy", extra={"worker": slot.index, "pid": pid})
            if slot.process is not None and slot.process.pid == pid:
                with suppress(ProcessLookupError):
                    slot.process.kill()
            return
        if bundle is None:  # workers begin with the catalogue of the settings
            return
        try:
            await slot.ask("PUT", "policy", body=bundle.decode(), seconds=TELL_SECONDS, expect=204)
        except EdgeRefusal as refusal:
            extra = {"worker": slot.index, "code": refusal.code}
            log.warning("worker not told of the policy", extra=extra)
