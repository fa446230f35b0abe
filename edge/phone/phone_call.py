"""One phone call on a node: its SIP session joined to the worker that has its media.

The session outlives its worker. When a worker dies, the call is given to another one, which takes
the conversation from the journal and makes an offer; a re-INVITE moves the caller's media there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, assert_never

from edge.clock import Clock
from edge.internal import Admitted
from edge.logs import short
from edge.phone.dispatcher_line import DispatcherLine, LineBroke
from edge.phone.info import digit_of_info
from edge.phone.line import (
    Ended as WorkerEnded,
)
from edge.phone.line import (
    Established,
    HangUp,
    Opened,
    OurDescription,
    Pressed,
    Refused,
    TheirAnswer,
    TheirOffer,
    ToDispatcher,
    ToWorker,
    Transfer,
    Transferred,
    Unacceptable,
)
from edge.problem import EdgeRefusal
from edge.transport.sip.core.events import (
    Agreed,
    Answered,
    Confirmed,
    Ended,
    InfoReceived,
    Offered,
    OfferFailed,
    Progress,
    ReferProgress,
    SessionEvent,
)

MOVE_SECONDS = 12.0
"""How long a call whose worker died waits for another one: a hung worker is replaced in ten."""
MOVE_PAUSE = 0.2
OFFER_TRIES = 6
OFFER_PAUSE = 0.5
"""How often, and how long apart in seconds, the far end is offered its new worker."""
LAST_WORD_SECONDS = 1.0
"""What an outcome of a transfer may take that came just before the far end left."""
END_SECONDS = 10.0
"""What a worker may take to end a call whose far end is gone."""

log = logging.getLogger(__name__)


class PhoneSession(Protocol):
    """What a call needs of ``edge.transport.sip.core.session.Session``."""

    @property
    def on_event(self) -> Callable[[SessionEvent], None] | None: ...
    @on_event.setter
    def on_event(self, listener: Callable[[SessionEvent], None]) -> None: ...
    def offer(self, sdp: bytes) -> bool: ...
    def answer(self, sdp: bytes) -> None: ...
    def refuse(self, status: int = 488) -> None: ...
    def end(self) -> None: ...


class Transferrer(Protocol):
    """Gives the far end of a session to somebody else."""

    async def transfer(
        self, request: Transfer, progress: asyncio.Queue[ReferProgress]
    ) -> Transferred:
        """What became of it; bounded in time. ``progress`` has the session's own reports."""
        ...


MoveTo: TypeAlias = Callable[[Admitted, bytes], Awaitable[DispatcherLine]]
"""Gives a call to another worker, whose offer follows our last description. Raises
``EdgeRefusal``."""


@dataclass(frozen=True, slots=True)
class _Spoke:
    """A worker said something; None means that its line broke."""

    line: DispatcherLine
    message: ToDispatcher | None


@dataclass(slots=True)
class Observer:
    """Told how the call goes: for whoever ordered it, and for metrics."""

    progress: Callable[[Progress], None] = field(default=lambda event: None)
    established: Callable[[], None] = field(default=lambda: None)
    moved: Callable[[], None] = field(default=lambda: None)


class PhoneCall:
    """Joins ``session`` to a worker until one of the two ends.

    :meth:`run` belongs to one task and returns the session's end, or None when the agent ended the
    call. Cancelling it ends both sides.
    """

    def __init__(
        self,
        session: PhoneSession,
        caller: Admitted,
        *,
        move_to: MoveTo,
        transferrer: Transferrer | None,
        clock: Clock,
        observer: Observer | None = None,
    ) -> None:
        self._session = session
        self._caller = caller
        self._move_to = move_to
        self._transferrer = transferrer
        self._clock = clock
        self._observer = observer or Observer()
        self._inbox: asyncio.Queue[SessionEvent | _Spoke] = asyncio.Queue()
        self._progress: asyncio.Queue[ReferProgress] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._transferring: asyncio.Task[None] | None = None
        self._line: DispatcherLine | None = None
        self._described = b""
        self._stands = False
        self._moving = False
        self._describing = False
        session.on_event = self._inbox.put_nowait

    async def run(self, line: DispatcherLine) -> Ended | None:
        """Serve the call whose media ``line`` has, until it is over."""
        try:
            async with asyncio.TaskGroup() as group:
                self._attach(line, group)
                try:
                    return await self._serve(group)
                finally:
                    for task in self._tasks:
                        task.cancel()
        finally:
            self._session.end()
            if self._line is not None:
                await self._line.close()

    def _attach(self, line: DispatcherLine, group: asyncio.TaskGroup) -> None:
        self._line = line
        self._described = line.description
        self._tasks.append(group.create_task(self._listen(line)))

    async def _listen(self, line: DispatcherLine) -> None:
        try:
            while True:
                self._inbox.put_nowait(_Spoke(line, await line.receive()))
        except LineBroke:
            self._inbox.put_nowait(_Spoke(line, None))

    async def _serve(self, group: asyncio.TaskGroup) -> Ended | None:
        while True:
            event = await self._inbox.get()
            if isinstance(event, Ended):
                await self._far_end_gone(event)
                return event
            if not isinstance(event, _Spoke):
                await self._far_end_said(event)
            elif event.line is self._line:
                if isinstance(event.message, WorkerEnded):
                    return None
                if event.message is not None:
                    await self._worker_said(event.message, group)
                elif not await self._worker_died(group):
                    return None

    # --- the far end -----------------------------------------------------------------------------

    async def _far_end_said(self, event: SessionEvent) -> None:
        match event:
            case Progress(sdp=sdp):
                if sdp is not None:
                    await self._tell(TheirAnswer(sdp=_text(sdp)))
                self._observer.progress(event)
            case Answered(sdp=sdp) | Confirmed(sdp=sdp):
                if sdp is not None:
                    await self._tell(TheirAnswer(sdp=_text(sdp)))
                await self._stand()
            case Agreed(sdp=sdp):
                await self._tell(TheirAnswer(sdp=_text(sdp)))
                self._moving = False
                await self._tell(Established())
            case OfferFailed(status=status):
                if self._moving:
                    log.warning("call could not be moved", extra={"status": status})
                    self._session.end()
            case Offered(sdp=sdp):
                self._describing = True
                await self._tell(TheirOffer(sdp=None if sdp is None else _text(sdp)))
            case InfoReceived(content_type=content_type, body=body):
                digit = digit_of_info(content_type, body)
                if digit is not None:
                    await self._tell(Pressed(digit=digit))
            case ReferProgress():
                self._progress.put_nowait(event)
            case Ended():  # handled where it is received
                pass
            case _:
                assert_never(event)

    async def _stand(self) -> None:
        """Both sides have agreed: the conversation begins, or goes on after a re-INVITE."""
        if not self._stands:
            self._stands = True
            self._observer.established()
        await self._tell(Established())

    async def _far_end_gone(self, event: Ended) -> None:
        """Let the worker end the call properly: its record and its journal are written there."""
        if self._line is None:
            return
        if self._transferring is not None:
            # A far end that leaves because it was transferred has not hung up on the agent.
            await asyncio.wait({self._transferring}, timeout=LAST_WORD_SECONDS)
        await self._tell(HangUp(why="hangup" if event.cause in _GOODBYES else "lost"))
        try:
            async with asyncio.timeout(END_SECONDS):
                while True:
                    spoke = await self._inbox.get()
                    if isinstance(spoke, _Spoke) and (
                        spoke.message is None or isinstance(spoke.message, WorkerEnded)
                    ):
                        return
        except TimeoutError:
            log.warning("worker did not end a call", extra={"call": short(self._line.call_id)})

    async def _tell(self, message: ToWorker) -> None:
        if self._line is not None:
            await self._line.send(message)

    # --- the worker ------------------------------------------------------------------------------

    async def _worker_said(self, message: ToDispatcher, group: asyncio.TaskGroup) -> None:
        match message:
            case OurDescription(sdp=sdp):
                if self._describing:
                    self._describing = False
                    self._described = sdp.encode()
                    self._session.answer(self._described)
            case Unacceptable():
                if self._describing:
                    self._describing = False
                    self._session.refuse()
                else:  # their answer to an offer of ours: nothing was agreed
                    self._session.end()
            case Transfer():
                self._transferring = group.create_task(self._transfer(message))
                self._tasks.append(self._transferring)
            case Opened() | Refused() | WorkerEnded():
                log.error("worker spoke out of turn")
            case _:
                assert_never(message)

    async def _transfer(self, request: Transfer) -> None:
        if self._transferrer is None:
            result = Transferred(ok=False, status=0, reason="not possible on this call")
        else:
            result = await self._transferrer.transfer(request, self._progress)
        await self._tell(result)

    async def _worker_died(self, group: asyncio.TaskGroup) -> bool:
        """Give the call to another worker; whether that worked out so far."""
        self._line = None
        if self._describing:
            self._describing = False
            self._session.refuse(500)
        if not self._stands:
            return False
        line = await self._another_line()
        if line is None:
            return False
        self._attach(line, group)
        self._moving = True
        self._observer.moved()
        log.warning("phone call moved", extra={"call": short(line.call_id)})
        for _ in range(OFFER_TRIES):
            if self._session.offer(line.description):
                return True
            await asyncio.sleep(OFFER_PAUSE)  # another offer is under way
        return False

    async def _another_line(self) -> DispatcherLine | None:
        caller = self._caller.model_copy(update={"resumed": True})
        deadline = self._clock.monotonic() + MOVE_SECONDS
        while self._clock.monotonic() < deadline:
            try:
                return await self._move_to(caller, self._described)
            except EdgeRefusal as refusal:
                if refusal.code not in ("not_ready", "full"):
                    log.error("phone call not moved", extra={"code": refusal.code})
                    return None
            await asyncio.sleep(MOVE_PAUSE)
        return None


_GOODBYES = frozenset({"remote_bye", "local_bye", "cancelled", "rejected", "replaced"})


def _text(sdp: bytes) -> str:
    """A session description for the line; what is no UTF-8 is refused by its reader."""
    return sdp.decode("utf-8", "replace")
