"""Ships the JSON lines of Inland's services from the journal to CloudWatch Logs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from inland.fleet.aws import Aws
from inland.fleet.clock import WaitingClock, backoff
from inland.fleet.errors import AwsError
from inland.fleet.files import write_private
from inland.fleet.log_batches import Line, Waiting, read_journal_line
from inland.fleet.log_group import LogGroup

SEND_SECONDS = 5.0
TOLD_SECONDS = 60.0
FLUSH_SECONDS = 5.0
"""What the last lines may take when the agent ends."""
MAX_JOURNAL_LINE = 1024 * 1024
NEVER = "InvalidParameterException"

log = logging.getLogger(__name__)


class Journal(Protocol):
    """Where lines come from."""

    def lines(self, after: str | None) -> AsyncIterator[bytes]:
        """Every line after the cursor, as ``journalctl -o json`` writes it, and then the new ones.

        An empty line stands for one that was too long. Ends when the source does.
        """
        ...


class SystemdJournal:
    """The machine's journal, of these units only, since its start when there is no cursor."""

    def __init__(self, units: Sequence[str]) -> None:
        self._units = [f"--unit={unit}" for unit in units]

    async def lines(self, after: str | None) -> AsyncIterator[bytes]:
        process = await asyncio.create_subprocess_exec(
            *("journalctl", "--output=json", "--output-fields=MESSAGE,_SYSTEMD_UNIT"),
            *("--follow", "--no-tail", "--quiet", *self._units),
            "--boot" if after is None else f"--after-cursor={after}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            stdin=asyncio.subprocess.DEVNULL,
            limit=MAX_JOURNAL_LINE,
        )
        assert process.stdout is not None
        try:
            while True:
                try:
                    line = await process.stdout.readline()
                except ValueError:  # longer than the limit
                    yield b""
                    continue
                if not line:
                    return
                yield line
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


class LogShipper:
    """Reads the journal and sends what is ours to ``group``; a stream is ``<instance>/<unit>``.

    ``cursor`` is the file that remembers up to where everything was sent: at worst a restart sends
    a batch again.
    """

    def __init__(
        self,
        aws: Aws,
        clock: WaitingClock,
        journal: Journal,
        *,
        group: str,
        instance: str,
        cursor: Path,
        waiting: Waiting | None = None,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._group = LogGroup(aws, group)
        self._instance = instance
        self._cursor = cursor
        self._waiting = Waiting() if waiting is None else waiting
        self._told_at = float("-inf")

    async def run(self) -> None:
        """Read and send until cancelled; then send what is left, for a few seconds at most."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.read())
                group.create_task(self.send())
        finally:
            with suppress(TimeoutError, AwsError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    while batch := self._waiting.batch():
                        await self._put(batch)

    async def read(self) -> None:
        """Read the journal until cancelled; from where it was when its reader ends."""
        failures = 0
        while True:
            try:
                async for raw in self._journal.lines(self._last_cursor()):
                    failures = 0
                    self._take(raw)
            except OSError as error:
                log.warning("the journal cannot be read", extra={"code": type(error).__name__})
            failures += 1
            await self._clock.sleep(backoff(failures))

    async def send(self) -> None:
        """Send what waits, every few seconds, until cancelled."""
        failures = 0
        while True:
            try:
                while batch := self._waiting.batch():
                    await self._put(batch)
                    failures = 0
            except AwsError as error:
                failures += 1
                log.warning("log lines were not taken", extra={"code": error.code})
            self._tell()
            await self._clock.sleep(
                max(SEND_SECONDS, backoff(failures)) if failures else SEND_SECONDS
            )

    def _take(self, raw: bytes) -> None:
        line = read_journal_line(raw)
        if line is None:
            self._waiting.foreign += 1
            return
        self._waiting.add(line)

    def _last_cursor(self) -> str | None:
        if self._waiting.read is not None:
            return self._waiting.read
        try:
            return self._cursor.read_text() or None
        except OSError:
            return None

    async def _put(self, batch: tuple[Line, ...]) -> None:
        """Send a batch. Raises ``AwsError``."""
        stream = f"{self._instance}/{batch[0].unit}"
        try:
            events = [(line.at, line.text) for line in batch]
            self._waiting.dropped += await self._group.put(stream, events)
        except AwsError as error:
            if error.code != NEVER:
                raise
            self._waiting.dropped += len(batch)
        self._waiting.sent(batch)
        if self._waiting.resume is not None:
            write_private(self._cursor, self._waiting.resume.encode())

    def _tell(self) -> None:
        now, waiting = self._clock.monotonic(), self._waiting
        if now - self._told_at < TOLD_SECONDS or not (waiting.dropped or waiting.foreign):
            return
        self._told_at = now
        if waiting.dropped:
            log.warning("log lines were lost", extra={"count": waiting.dropped})
        if waiting.foreign:
            log.info("lines of others stay on the machine", extra={"count": waiting.foreign})
        waiting.dropped = waiting.foreign = 0
