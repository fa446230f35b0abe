"""Records one leg: what the tap collects is pressed and sealed in a thread, and kept in an archive.

The call waits for nothing of this. While the archive is slow or away up to :data:`WAITING`
segments wait in memory; what comes then is not kept, and the recording itself says which seconds
are missing.

Who erases the session deletes the leg's mark too. It is looked for after each segment: where it is
gone, what the leg brought since goes as well, and recording stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

from edge.clock import Clock
from edge.ledger import Ledger, Place
from edge.recording.archive import Archive, LegName, end_marker, leg_folder, live_mark, segment_name
from edge.recording.errors import ArchiveBroken
from edge.recording.segment import MAX_GAPS, Header, Press, SegmentSeal, Why, encode
from edge.recording.tap import Stretch, Tap
from regions.law import Law
from regions.models import DataClass, Operation

WAITING = 4
"""Segments of a call that wait: about 4 MB before they are pressed, 1 MB after."""
PAUSES = (0.2, 1.0, 2.0, 5.0)
"""Seconds between tries of one step of the archive; the last one again and again."""

_STORED = DataClass.RECORDING, Operation.STORE

log = logging.getLogger(__name__)
Gap: TypeAlias = tuple[int, int]
"""From and before which tick."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment that waits to be kept; ``end`` is the tick before which it ends."""

    number: int
    end: int
    body: bytes


@dataclass(frozen=True, slots=True)
class RecordingCounts:
    """What a recorder tells metrics; each is called in the loop."""

    written: Callable[[int], None]
    """A segment of so many bytes is kept."""
    lost: Callable[[], None]
    """A stretch was not kept."""


@dataclass(frozen=True, slots=True)
class RecorderParts:
    """What a recorder is made of."""

    tap: Tap
    archive: Archive
    seal: SegmentSeal
    leg: LegName
    folder: str
    """The session's, in the archive."""
    thread: Executor
    """One thread, which all recordings of a worker share: stretches of one leg stay in order."""
    ledger: Ledger
    host: Place
    counts: RecordingCounts
    clock: Clock
    refusal: Callable[[], str | None]
    """Why the call may not be recorded (any more); None while it may. Asked for each segment."""
    on_law: list[Callable[[Law], None]]
    """Each is called when another law is in force."""


class Recorder:
    """:meth:`run` belongs in the call's task group; :meth:`close` after it, whatever happened.

    ``on_stopped`` is called when the recording ends before the call does; ``on_lost`` each time
    that a stretch of it is lost, or the archive says that it cannot be used.
    """

    def __init__(self, parts: RecorderParts) -> None:
        self.on_stopped: Callable[[], None] = _ignore
        self.on_lost: Callable[[], None] = _ignore
        self.tap = parts.tap
        self._parts = parts
        self._press = Press()
        self._began = parts.clock.wall()
        self._sealed: deque[Sealed] = deque()
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._pending = 0
        self._gaps: list[Gap] = []
        self._number = 0
        self._written = 0
        self._kept_until = 0
        self._mark = live_mark(parts.folder, parts.leg)
        self._marked = False
        self._offered: str | None = None
        """What the archive was given and may have, although it did not say so."""
        self._unwanted: list[str] = []
        self._erased = False
        self._ended = False
        self._unlawful = False
        self._complained = False
        self._done = self._loop.create_future()
        self.tap.on_stretch = self._full
        parts.ledger.touch(parts.host, DataClass.RECORDING, Operation.PROCESS)

    @property
    def ended(self) -> bool:
        """Whether nothing more is recorded."""
        return self._ended

    def begin(self) -> None:
        """The caller knows: their voice is recorded from here on."""
        self.tap.caller_may_be_heard = True

    def judge(self, reason: str | None = None) -> None:
        """Ask the law again; where it says no, recording stops now, and what was not sealed and
        kept by now never is. A ``reason`` stops it in any case."""
        reason = reason or self._parts.refusal()
        if self._ended or reason is None:
            return
        self._parts.ledger.refuse(self._parts.archive.place, DataClass.RECORDING, reason)
        self._unlawful = True
        rest = self.tap.close()
        if self._offered is not None:
            self._unwanted.append(self._offered)
        self._sealed.clear()
        self._gaps.clear()
        self._lose(self._kept_until, rest.end)
        self._end(Stretch(rest.end, rest.end, [], [], rest.rate), "law")
        self.on_stopped()

    async def run(self) -> None:
        """Keep segments as they come. Never returns; never raises but ``CancelledError``."""
        self._parts.on_law.append(self._told_of_law)
        try:
            while True:
                async with self._turn:
                    await self._keep()
                await self._woken.wait()
                self._woken.clear()
        finally:
            self._parts.on_law.remove(self._told_of_law)

    async def close(self) -> None:
        """Seal and keep what is left, and say that this was all. Whoever awaits it bounds it."""
        self.judge()
        if not self._ended:
            self._end(self.tap.close(), "ended")
        try:
            await asyncio.shield(self._done)
            async with self._turn:
                await self._keep()
                await self._again(self._clear_mark)
        finally:
            if self._sealed:
                self._parts.counts.lost()

    # --- in the media path -----------------------------------------------------------------------

    def _told_of_law(self, _: Law) -> None:
        self.judge()

    def _full(self, stretch: Stretch) -> None:
        self.judge()
        if self._ended:
            return
        if self._pending >= WAITING:
            self._lose(stretch.begin, stretch.end)
            self.on_lost()
            return
        self._pending += 1
        gaps, self._gaps = tuple(self._gaps), []
        self._submit(stretch, gaps, None)

    def _end(self, rest: Stretch, why: Why) -> None:
        self._ended = True
        gaps, self._gaps = tuple(self._gaps), []
        self._submit(rest, gaps, why)

    def _lose(self, begin: int, end: int) -> None:
        if begin == end:
            return
        self._parts.counts.lost()
        if self._gaps and (self._gaps[-1][1] == begin or len(self._gaps) == MAX_GAPS):
            begin = self._gaps.pop()[0]
        self._gaps.append((begin, end))

    def _submit(self, stretch: Stretch, gaps: tuple[Gap, ...], last: Why | None) -> None:
        self._parts.thread.submit(self._make, stretch, gaps, last)

    # --- in the thread ---------------------------------------------------------------------------

    def _make(self, stretch: Stretch, gaps: tuple[Gap, ...], last: Why | None) -> None:
        sealed: Sealed | None = None
        try:
            if last is not None or not self._unlawful:
                sealed = Sealed(self._number, stretch.end, self._pressed(stretch, gaps, last))
                self._number += 1
        except Exception as error:
            # A defect here must cost a stretch of a recording, and not the call.
            log.error("recording not sealed", extra={"reason": type(error).__name__})
        if not self._loop.is_closed():
            lost = (*gaps, (stretch.begin, stretch.end))
            self._loop.call_soon_threadsafe(self._made, lost, sealed, last)

    def _pressed(self, stretch: Stretch, gaps: tuple[Gap, ...], last: Why | None) -> bytes:
        header = Header(
            number=self._number,
            began=self._began,
            begin=stretch.begin,
            end=stretch.end,
            gaps=gaps,
            last=last,
            skipped=tuple(range(self._written, self._number)) if self._unlawful else (),
            name=self._parts.leg.text,
        )
        return self._parts.seal.seal(header, encode(self._press.lay(stretch)))

    # --- in the loop -----------------------------------------------------------------------------

    def _made(self, lost: tuple[Gap, ...], sealed: Sealed | None, last: Why | None) -> None:
        if self._erased:
            return
        if sealed is not None and (last is not None or not self._unlawful):
            self._sealed.append(sealed)
            self._woken.set()
        elif last is None and not self._ended:
            self._pending -= 1
            for begin, end in lost:
                self._lose(begin, end)
            self.on_lost()
        if last is not None and not self._done.done():
            self._done.set_result(None)

    async def _keep(self) -> None:
        if not self._marked:
            await self._again(self._set_marks)
        while self._unwanted or self._sealed:
            await self._again(self._take_back if self._unwanted else self._keep_first)

    async def _again(self, step: Callable[[], Awaitable[None]]) -> None:
        for attempt in count():
            try:
                return await step()
            except Exception as error:
                # A defect of the archive must not end the call either.
                self._complain(error)
                if isinstance(error, ArchiveBroken):
                    self.on_lost()
                await asyncio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])

    async def _set_marks(self) -> None:
        parts = self._parts
        await parts.archive.put(end_marker(parts.folder, parts.leg.ends_at), b"")
        await parts.archive.put(self._mark, b"")
        self._marked = True

    async def _clear_mark(self) -> None:
        await self._parts.archive.delete((self._mark,))

    async def _take_back(self) -> None:
        """Delete what the law came too late for: the archive had it in its hands by then."""
        await self._parts.archive.delete(tuple(self._unwanted))
        self._unwanted.clear()

    async def _keep_first(self) -> None:
        if not self._sealed:  # the law came while a try was waited for
            return
        parts, segment = self._parts, self._sealed[0]
        self._offered = segment_name(parts.folder, parts.leg, segment.number)
        parts.ledger.touch(parts.archive.place, *_STORED, sent=len(segment.body))
        await parts.archive.put(self._offered, segment.body)
        if not await self._is_marked():
            mine = await parts.archive.names(leg_folder(parts.folder, parts.leg))
            await parts.archive.delete(mine)
            self._erase()
        self._offered = None
        if not self._sealed or self._sealed[0] is not segment:
            return
        self._sealed.popleft()
        self._pending -= 1
        self._written, self._kept_until = segment.number + 1, segment.end
        self._complained = False
        parts.counts.written(len(segment.body))

    async def _is_marked(self) -> bool:
        near = self._mark[: self._mark.rindex("/") + 1]
        return self._mark in await self._parts.archive.names(near)

    def _erase(self) -> None:
        """The session was erased meanwhile, or its time is over: nothing more of it is kept."""
        log.warning("recording deleted while it was made")
        self._erased = True
        self._sealed.clear()
        self._unwanted.clear()
        if not self._done.done():
            self._done.set_result(None)
        if not self._ended:
            self._ended = True
            self.tap.close()
            self.on_stopped()

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            log.error("recording not kept", extra={"reason": type(error).__name__})
        self._complained = True


def _ignore() -> None:
    pass
