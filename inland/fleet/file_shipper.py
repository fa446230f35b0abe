"""Ships a file that only grows, line by line, to where its machine cannot take it back.

The audit log and its signed heads: the machine's role may add to the log group, and neither change
nor delete what is in it. Nothing is left out and nothing is dropped, as the file itself is what
waits; its lines carry numbers and digests of their own.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path

from inland.fleet.clock import WaitingClock, backoff
from inland.fleet.errors import AwsError
from inland.fleet.files import write_private
from inland.fleet.log_batches import MAX_BATCH_BYTES, MAX_EVENTS
from inland.fleet.log_group import LogGroup

SEND_SECONDS = 5.0
READ_BYTES = MAX_BATCH_BYTES // 4
"""Of these each may be sent as three, where it was no UTF-8; the last quarter is for what events
count besides their text."""
FLUSH_SECONDS = 5.0
"""What the last lines may take when the agent ends."""

log = logging.getLogger(__name__)


class FileShipper:
    """Sends the whole lines of ``file`` to one stream; ``place`` is the file that remembers how
    many bytes of it have arrived: at worst a restart sends a batch again.

    An event's time is that of its sending: when something happened is said in its line.
    """

    def __init__(
        self, group: LogGroup, clock: WaitingClock, *, file: Path, place: Path, stream: str
    ) -> None:
        self._group = group
        self._clock = clock
        self._file = file
        self._place = place
        self._stream = stream
        self._sent: int | None = None
        """Bytes; None: ``place`` knows."""

    async def run(self) -> None:
        """Send until cancelled; then what is left, for a few seconds at most."""
        failures = 0
        try:
            while True:
                try:
                    while await self.step():
                        failures = 0
                except (AwsError, OSError) as error:
                    failures += 1
                    code = error.code if isinstance(error, AwsError) else type(error).__name__
                    log.warning("audit lines were not taken", extra={"code": code})
                await self._clock.sleep(max(SEND_SECONDS, backoff(failures) if failures else 0.0))
        finally:
            with suppress(TimeoutError, AwsError, OSError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    while await self.step():
                        pass

    async def step(self) -> bool:
        """Send the next lines; False when there are none. Raises ``AwsError``, ``OSError``."""
        begin = self._begin()
        lines = self._lines(begin)
        if not lines:
            return False
        at = int(self._clock.wall() * 1_000)
        texts = [line.decode(errors="replace").rstrip("\n") or " " for line in lines]
        lost = await self._group.put(self._stream, [(at, text) for text in texts])
        if lost:
            log.error("audit lines were not kept", extra={"count": lost})
        self._sent = begin + sum(map(len, lines))
        write_private(self._place, str(self._sent).encode())
        return True

    def _begin(self) -> int:
        """Where the next line begins. A file that has become shorter is sent from its beginning:
        somebody put another in its place, which is to be seen too."""
        if self._sent is None:
            try:
                self._sent = int(self._place.read_text())
            except (OSError, ValueError):
                self._sent = 0
        try:
            size = self._file.stat().st_size
        except FileNotFoundError:
            size = 0
        if size < self._sent:
            log.error("an audit file has become shorter", extra={"count": self._sent - size})
            self._sent = 0
        return self._sent

    def _lines(self, begin: int) -> list[bytes]:
        """Whole lines from there on, as many as one request takes."""
        try:
            descriptor = os.open(self._file, os.O_RDONLY)
        except FileNotFoundError:
            return []
        try:
            found = os.pread(descriptor, READ_BYTES, begin)
        finally:
            os.close(descriptor)
        end = found.rfind(b"\n") + 1
        if end == 0 and len(found) == READ_BYTES:
            return [found]  # no line of ours is as long; it is not to hold up what follows
        return found[:end].splitlines(keepends=True)[:MAX_EVENTS]
