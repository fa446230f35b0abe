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
        self._behind: dict[int, float] = {}
        """By process id, since when it is under another law, by the clock."""
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
            (slot, slot.status.pid)
            for slot in self._pool.slots
            if slot.status is not None and slot.status.serial != serial
        ]
        self._behind = {pid: self._behind.get(pid, now) for _, pid in late}
        async with asyncio.TaskGroup() as group:
            for slot, pid in late:
                group.create_task(self._tell(slot, pid, now - self._behind[pid]))

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
