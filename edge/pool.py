"""The workers of a node: started, watched, replaced, and the least loaded one picked."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from pydantic import ValidationError

from edge.internal import SOCKET_FORMAT, WorkerFailed, WorkerStatus
from edge.problem import EdgeRefusal
from edge.settings import NodeSettings

START_SECONDS = 20.0
"""What a worker may take to become ready before it is replaced."""
REQUEST_SECONDS = 15.0
RESTART_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Pauses before a worker that keeps dying is started again."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class WorkerSlot:
    """One worker's place: its process may be replaced, its index stays."""

    index: int
    socket: Path
    client: aiohttp.ClientSession
    process: asyncio.subprocess.Process | None = None
    status: WorkerStatus | None = None
    opening: int = 0
    """Calls sent to it that it has not reported yet."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def load(self) -> int:
        """Calls it has or is about to have."""
        return (self.status.active if self.status else 0) + self.opening

    @property
    def free(self) -> int:
        """Calls it can still take; 0 when it is not ready."""
        return max(0, self.status.capacity - self.load) if self.status else 0


class WorkerPoolError(Exception):
    """A worker cannot work; the text says why. Starting it again does not help."""


class WorkerPool:
    """Workers behind unix sockets in a private directory.

    :meth:`run` belongs in a task group; it keeps every slot filled until :meth:`stop`.
    """

    def __init__(self, settings: NodeSettings, directory: Path, voice_socket: Path) -> None:
        self._settings = settings
        self._voice_socket = voice_socket
        self._stopping = False
        self._failure = ""
        self.slots = [
            self._slot(index, directory / SOCKET_FORMAT.format(index=index))
            for index in range(settings.workers)
        ]

    @staticmethod
    def _slot(index: int, socket: Path) -> WorkerSlot:
        client = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=str(socket), limit=0),
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            trust_env=False,
        )
        return WorkerSlot(index, socket, client)

    @property
    def active(self) -> int:
        """Calls of the node."""
        return sum(slot.load for slot in self.slots)

    @property
    def capacity(self) -> int:
        """Calls the ready workers can hold."""
        return sum(slot.status.capacity for slot in self.slots if slot.status)

    @property
    def ready(self) -> bool:
        """Whether every worker is ready."""
        return all(slot.status is not None for slot in self.slots)

    def least_loaded(self) -> WorkerSlot:
        """The worker with the fewest calls. Raises ``EdgeRefusal`` (``full``, ``not_ready``)."""
        ready = [slot for slot in self.slots if slot.status is not None]
        if not ready:
            raise EdgeRefusal("not_ready", "the node's workers are starting; try again in a second")
        slot = min(ready, key=lambda slot: slot.load)
        if slot.free == 0:
            raise EdgeRefusal("full", "every worker of this node is full; try the next candidate")
        return slot

    def of_call(self, call_id: str) -> WorkerSlot:
        """The worker that a call id names. Raises ``EdgeRefusal`` (``unknown_call``)."""
        prefix, _, rest = call_id.partition("_w")
        index, _, _ = rest.partition("_")
        if prefix == "rtc" and index.isascii() and index.isdigit() and len(index) <= 3:
            for slot in self.slots:
                if slot.index == int(index) and slot.status is not None:
                    return slot
        raise EdgeRefusal("unknown_call", "there is no such call on this node; it may have ended")

    async def run(self) -> None:
        """Keep every slot filled."""
        async with asyncio.TaskGroup() as group:
            for slot in self.slots:
                group.create_task(self._keep(slot))

    async def until_ready(self) -> None:
        """Returns once every worker is ready. Raises ``WorkerPoolError`` when one cannot be."""
        for slot in self.slots:
            while slot.status is None:
                if self._failure:
                    raise WorkerPoolError(self._failure)
                slot.changed.clear()
                await slot.changed.wait()

    async def _keep(self, slot: WorkerSlot) -> None:
        deaths = 0
        while not self._stopping:
            lived = await self._live(slot)
            if self._stopping:
                return
            deaths = 0 if lived else deaths + 1
            log.warning("worker ended", extra={"worker": slot.index, "count": deaths})
            await asyncio.sleep(RESTART_SECONDS[min(deaths, len(RESTART_SECONDS) - 1)])

    async def _live(self, slot: WorkerSlot) -> bool:
        """One life of one worker; returns whether it ever became ready."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "edge.worker_main",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        slot.process = process
        if process.stdin is None or process.stdout is None:  # both were asked for
            raise RuntimeError("a worker without pipes")
        start = {
            "index": slot.index,
            "socket": str(slot.socket),
            "voice_socket": str(self._voice_socket),
            "settings": self._settings.model_dump(mode="json"),
        }
        process.stdin.write(json.dumps(start).encode() + b"\n")
        lived = False
        try:
            lived = await self._follow(slot, process.stdout)
        finally:
            slot.status = None
            slot.opening = 0
            slot.changed.set()
            process.stdin.close()
            if process.returncode is None and not lived:
                process.kill()
            await process.wait()
        return lived

    async def _follow(self, slot: WorkerSlot, lines: asyncio.StreamReader) -> bool:
        """Read a worker's status lines until it closes them."""
        lived = False
        while True:
            try:
                async with asyncio.timeout(None if lived else START_SECONDS):
                    line = await lines.readline()
            except TimeoutError:
                log.error("worker not ready in time", extra={"worker": slot.index})
                return False
            if not line:
                return lived
            status = self._read(slot, line)
            if status is None:
                return False
            slot.status = status
            lived = True
            slot.changed.set()

    def _read(self, slot: WorkerSlot, line: bytes) -> WorkerStatus | None:
        try:
            return WorkerStatus.model_validate_json(line)
        except ValidationError:
            pass
        try:
            self._failure = WorkerFailed.model_validate_json(line).failed
        except ValidationError:
            self._failure = "a worker printed something that is not its status"
        log.error("worker cannot work", extra={"worker": slot.index})
        return None

    async def drain(self, seconds: float) -> None:
        """Let the calls end; those that have not after ``seconds`` are ended by their worker."""
        self._stopping = True
        try:
            async with asyncio.timeout(seconds):
                for slot in self.slots:
                    while slot.load:
                        slot.changed.clear()
                        await slot.changed.wait()
        except TimeoutError:
            log.info("drain deadline passed", extra={"count": self.active})

    async def stop(self) -> None:
        """End the workers: each ends its calls and closes by a deadline of its own."""
        self._stopping = True
        for slot in self.slots:
            process = slot.process
            if process is not None and process.returncode is None:
                process.terminate()
        for slot in self.slots:
            process = slot.process
            if process is not None and process.returncode is None:
                try:
                    async with asyncio.timeout(10):
                        await process.wait()
                except TimeoutError:
                    process.kill()
            await slot.client.close()
