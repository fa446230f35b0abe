"""The workers of a node: started, watched, replaced, and the least loaded one picked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from pydantic import ValidationError

from edge.clock import Clock, SystemClock
from edge.internal import SOCKET_FORMAT, WorkerFailed, WorkerStatus
from edge.law import LawInForce
from edge.problem import EdgeRefusal
from edge.settings import NodeSettings
from edge.slot import WorkerSlot

START_SECONDS = 60.0
"""What a worker may take to become ready before it is replaced. Several start at once, and where
that is slow, starting them again makes it slower."""
STALE_SECONDS = 3.0
"""A worker speaks each second. One that was silent for this long is given no call."""
HUNG_SECONDS = 10.0
"""One that was silent for this long is killed and replaced."""
CHECK_SECONDS = 1.0
STOP_SECONDS = 10.0
"""What a worker may take to end after its standard input did: more than its own drain."""
COMMAND = (sys.executable, "-m", "edge.worker_main")
RESTART_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Pauses before a worker that keeps dying is started again."""

log = logging.getLogger(__name__)


class WorkerPoolError(Exception):
    """A worker cannot work; the text says why. Starting it again does not help."""


class WorkerPool:
    """Workers behind unix sockets in a private directory.

    :meth:`run` belongs in a task group; it keeps every slot filled until :meth:`stop`.
    """

    def __init__(
        self,
        settings: NodeSettings,
        directory: Path,
        voice_socket: Path,
        *,
        clock: Clock | None = None,
        law: LawInForce | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._settings = settings
        self._voice_socket = voice_socket
        self._clock = clock or SystemClock()
        self._command = command
        self._law = law
        self._checked = self._clock.monotonic()
        self._started = False
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
            trust_env=False,
        )
        return WorkerSlot(index, socket, client)

    @property
    def serving(self) -> list[WorkerSlot]:
        """The workers that spoke lately."""
        now = self._clock.monotonic()
        return [
            slot
            for slot in self.slots
            if slot.status is not None and now - slot.heard <= STALE_SECONDS
        ]

    @property
    def active(self) -> int:
        """Calls of the serving workers."""
        return sum(slot.load for slot in self.serving)

    @property
    def capacity(self) -> int:
        """Calls the serving workers can hold."""
        return sum(slot.status.capacity for slot in self.serving if slot.status)

    @property
    def ready(self) -> bool:
        """Whether every worker came up once, and one of them can be given a call now."""
        return self._started and bool(self.serving)

    @property
    def store_answers(self) -> bool:
        """Whether a worker that serves was answered by the session store lately."""
        return any(slot.status.store for slot in self.serving if slot.status)

    def least_loaded(self, but: WorkerSlot | None = None) -> WorkerSlot:
        """The serving worker with the fewest calls, other than ``but``.

        Raises ``EdgeRefusal`` (``full``, ``not_ready``).
        """
        serving = [slot for slot in self.serving if slot is not but]
        if not serving:
            raise EdgeRefusal("not_ready", "no worker of this node answers; try again in a second")
        slot = min(serving, key=lambda slot: slot.load)
        if slot.free == 0:
            raise EdgeRefusal("full", "every worker of this node is full; try the next candidate")
        return slot

    def of_call(self, call_id: str) -> WorkerSlot:
        """The worker that says it has the call.

        Raises ``EdgeRefusal``: ``unknown_call``, or ``not_ready`` when that worker is silent.
        """
        for slot in self.slots:
            if slot.status is not None and call_id in slot.status.calls:
                if slot not in self.serving:
                    raise EdgeRefusal("not_ready", "the call's worker does not answer; reconnect")
                return slot
        raise EdgeRefusal("unknown_call", "there is no such call on this node; it may have ended")

    async def run(self) -> None:
        """Keep every slot filled."""
        async with asyncio.TaskGroup() as group:
            for slot in self.slots:
                group.create_task(self._keep(slot))
            group.create_task(self._watch())

    async def until_ready(self) -> None:
        """Returns once every worker is ready. Raises ``WorkerPoolError`` when one cannot be."""
        for slot in self.slots:
            while slot.status is None:
                if self._failure:
                    raise WorkerPoolError(self._failure)
                slot.changed.clear()
                await slot.changed.wait()
        self._started = True

    async def _watch(self) -> None:
        self._checked = self._clock.monotonic()
        while not self._stopping or any(_alive(slot) for slot in self.slots):
            await asyncio.sleep(CHECK_SECONDS)
            self.kill_hung()

    def kill_hung(self) -> None:
        """Kill the workers that were silent for too long; :meth:`run` replaces them."""
        now = self._clock.monotonic()
        # When this process itself was stopped for a while, what the workers said is still unread.
        awake = min(now - self._checked, 2 * CHECK_SECONDS)
        self._checked = now
        for slot in self.slots:
            if slot.status is None or slot.process is None:
                continue
            slot.silent += awake
            if slot.silent > HUNG_SECONDS:
                log.error("worker hung", extra={"worker": slot.index, "pid": slot.process.pid})
                slot.silent = 0.0
                _kill(slot.process)

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
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        except OSError as error:  # no memory or no process to be had: later, perhaps
            log.error("worker not started", extra={"worker": slot.index, "code": error.errno})
            return False
        slot.process = process
        if process.stdin is None or process.stdout is None:  # both were asked for
            raise RuntimeError("a worker without pipes")
        start = {
            "index": slot.index,
            "socket": str(slot.socket),
            "voice_socket": str(self._voice_socket),
            "settings": self._settings.model_dump(mode="json"),
            **self.law_now(),
        }
        process.stdin.write(json.dumps(start).encode() + b"\n")
        lived = False
        try:
            lived = await self._follow(slot, process.stdout)
        finally:
            slot.status = None
            slot.changed.set()
            if not lived:
                _kill(process)
            await _end(process, STOP_SECONDS)
        return lived

    def law_now(self) -> dict[str, str]:
        """What a worker that begins at this moment is to go by."""
        law = self._law
        if law is None:
            return {}
        if law.bundle is not None:
            return {"bundle": law.bundle.decode()}
        return {"catalogue": law.now.catalogue.model_dump_json()}

    async def _follow(self, slot: WorkerSlot, lines: asyncio.StreamReader) -> bool:
        """Read a worker's status lines until it closes them."""
        lived = complained = False
        while True:
            try:
                async with asyncio.timeout(None if lived else START_SECONDS):
                    line = await lines.readline()
            except TimeoutError:
                log.error("worker not ready in time", extra={"worker": slot.index})
                return False
            except ValueError:  # longer than the reader's buffer, which it has emptied
                line = b"\n"
            if not line:
                return lived
            status = _status(line)
            if status is not None:
                slot.status = status
                slot.heard = self._clock.monotonic()
                slot.silent = 0.0
                lived = True
                slot.changed.set()
            elif not lived:
                self._failure = _failure(line)
                log.error("worker cannot work", extra={"worker": slot.index})
                return False
            elif not complained:
                complained = True
                log.warning("worker printed what is no status", extra={"worker": slot.index})

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
        """End the workers: each ends its calls and closes by a deadline of its own.

        Their standard input says so. A signal would not do: they ignore those that a service
        manager or a terminal sends to all processes at once, because calls drain after it.
        """
        self._stopping = True
        async with asyncio.TaskGroup() as group:
            for slot in self.slots:
                if slot.process is not None:
                    group.create_task(_end(slot.process, STOP_SECONDS))
        for slot in self.slots:
            await slot.client.close()


def _status(line: bytes) -> WorkerStatus | None:
    try:
        return WorkerStatus.model_validate_json(line)
    except ValidationError:
        return None


def _failure(line: bytes) -> str:
    try:
        return WorkerFailed.model_validate_json(line).failed
    except ValidationError:
        return "a worker printed something that is not its status"


def _alive(slot: WorkerSlot) -> bool:
    return slot.process is not None and slot.process.returncode is None


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


async def _end(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Close a worker's standard input and wait until it ended, by force after ``seconds``."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        _kill(process)
        await process.wait()
