"""One worker: the calls of one process, admitted one by one and ended together."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, TypeAlias, TypeVar

from edge.call import Call
from edge.call_builder import CallBuilder, Rooms
from edge.carried import Carried
from edge.internal import Admitted, CallOpened, OpenCall
from edge.leg import Leg
from edge.logs import short
from edge.memory import give_back
from edge.policy_live import LiveRuling, Stays, rule_live
from edge.problem import EdgeRefusal
from edge.transport.webrtc.errors import OfferError
from edge.transport.webrtc.leg import WebRtcLeg
from regions.policy import day_of

CONNECTING_SHARE = 0.6
"""Part of a worker's places that calls may hold whose media has not flowed yet: whoever offers and
never connects cannot fill it."""
CONNECTING_LEAST = 4

Medium: TypeAlias = Literal["rtc", "sip"]
"""How a call's id begins."""
L = TypeVar("L", bound=Leg)
T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """A call in the worker's book, from admission to its record."""

    session_id: str
    call: Call | None = None
    leg: Leg | None = None
    caller: Admitted | None = None
    """The terms of the call as they are now."""

    @property
    def connected(self) -> bool:
        """Whether its media has flowed."""
        return self.call is not None and self.call.connected


@dataclass(frozen=True, slots=True)
class Taken(Generic[L]):
    """A call with a place: its leg, and the session description for the far end."""

    call_id: str
    leg: L
    description: str


class _MayNotStay(EdgeRefusal):
    """The law changed while the call was opened. ``keeps``: what was begun of it may stay."""

    def __init__(self, detail: str, keeps: bool) -> None:
        super().__init__("wrong_region", detail)
        self.keeps = keeps


class Worker:
    """Admits atomically: a place is taken before anything is awaited, and given back whatever
    happens. ``on_change`` is called after each change of the book."""

    def __init__(self, rooms: Rooms, group: asyncio.TaskGroup) -> None:
        self._rooms = rooms
        self._builder = CallBuilder(rooms)
        self._group = group
        self._book: dict[str, Entry] = {}
        self._draining = False
        self.on_change: Callable[[], None] = lambda: None
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def active(self) -> int:
        """Calls now."""
        return len(self._book)

    @property
    def calls(self) -> tuple[str, ...]:
        """Their ids."""
        return tuple(self._book)

    async def open(self, request: OpenCall) -> CallOpened:
        """Take a browser's call. Raises ``EdgeRefusal``; nothing of a refused call remains."""

        async def answer() -> tuple[WebRtcLeg, str]:
            try:
                return await self._rooms.endpoint.answer(request.offer)
            except OfferError as error:
                raise EdgeRefusal(error.code, error.detail) from error

        if request.replica is None:
            taken = await self.take(request.caller, "rtc", answer)
            return CallOpened(call_id=taken.call_id, answer=taken.description)
        carried = self._counted(partial(self._builder.carried, request.caller, request.replica))
        taken = await self.take(carried.caller, "rtc", answer, carried=carried)
        return CallOpened(
            call_id=taken.call_id,
            answer=taken.description,
            session_id=carried.caller.session_id,
            carried_from=carried.origin.region,
        )

    def _counted(self, step: Callable[[], T]) -> T:
        """Count a refusal."""
        try:
            return step()
        except EdgeRefusal as refusal:
            self._rooms.metrics.refusals.labels(str(self._rooms.index), refusal.code).inc()
            raise

    async def take(
        self,
        caller: Admitted,
        medium: Medium,
        make_leg: Callable[[], Awaitable[tuple[L, str]]],
        on_ended: Callable[[str], None] = lambda reason: None,
        carried: Carried | None = None,
    ) -> Taken[L]:
        """Take a call over the leg that ``make_leg`` makes with its session description.

        ``on_ended`` is called with the reason when the call is over and all of it is closed. Raises
        ``EdgeRefusal``; nothing of a refused call remains, its leg neither.
        """
        call_id = self._admit(caller, medium)
        try:
            return await self._take(call_id, caller, make_leg, on_ended, carried)
        except EdgeRefusal as refusal:
            self._rooms.metrics.refusals.labels(str(self._rooms.index), refusal.code).inc()
            self._leave(call_id)
            raise
        except BaseException:
            self._leave(call_id)
            raise

    def _refuse_when_draining(self) -> None:
        if self._draining:
            raise EdgeRefusal("draining", "this node is draining; try the next candidate")

    def _admit(self, caller: Admitted, medium: Medium) -> str:
        self._refuse_when_draining()
        capacity = self._rooms.settings.capacity
        if len(self._book) >= capacity:
            raise EdgeRefusal("full", "this worker is full; try the next candidate")
        waiting = [entry for entry in self._book.values() if not entry.connected]
        if len(waiting) >= max(CONNECTING_LEAST, int(capacity * CONNECTING_SHARE)):
            raise EdgeRefusal("full", "too many calls are connecting; try the next candidate")
        if any(entry.session_id == caller.session_id for entry in waiting):
            raise EdgeRefusal("not_ready", "this session is being connected already; wait for it")
        call_id = f"{medium}_w{self._rooms.index}_{secrets.token_urlsafe(16)}"
        self._book[call_id] = Entry(caller.session_id)
        self._changed()
        return call_id

    def _leave(self, call_id: str) -> None:
        self._book.pop(call_id, None)
        self._changed()

    def _changed(self) -> None:
        if self._book:
            self._idle.clear()
        else:
            self._idle.set()
            give_back()
        self._rooms.metrics.active.labels(str(self._rooms.index)).set(len(self._book))
        self.on_change()

    async def _take(
        self,
        call_id: str,
        caller: Admitted,
        make_leg: Callable[[], Awaitable[tuple[L, str]]],
        on_ended: Callable[[str], None],
        carried: Carried | None,
    ) -> Taken[L]:
        spec = self._builder.agent(caller)
        caller = self._still(caller).caller
        leg, description = await make_leg()
        begun = False
        try:
            journal, history = await self._builder.journal(caller, carried)
            begun = True
            call = self._builder.build(call_id, caller, spec, leg, journal, history)
            self._refuse_when_draining()
            ruling = self._still(caller)  # nothing is awaited from here to the book
        except BaseException as error:
            await leg.close()
            if begun:
                await self._builder.undo(caller)
            if isinstance(error, _MayNotStay) and not error.keeps:
                await self._rooms.shredder.destroy(caller.tenant, caller.session_id)
            raise
        self.end_session(caller.session_id)
        entry = self._book[call_id]
        entry.call, entry.leg, entry.caller = call, leg, caller
        self._stay(entry, ruling)
        self._group.create_task(self._serve(call_id, call, on_ended), name=call_id)
        return Taken(call_id, leg, description)

    def review(self) -> None:
        """Ask for every call again whether it may be here, by the law in force and today's date.

        When this returns, whoever may not is cut and leaving. Calls that are being opened ask
        themselves before they are in the book.
        """
        for entry in list(self._book.values()):
            if entry.call is None or entry.caller is None:
                continue
            try:
                self._review(entry, entry.call, entry.caller)
            except Exception:
                # A defect met by one call must not leave the others where they may not be.
                log.exception("a call could not be asked", extra={"session": entry.session_id})
                entry.call.end("error")

    def _review(self, entry: Entry, call: Call, caller: Admitted) -> None:
        ruling = self._rule(caller)
        if isinstance(ruling, Stays):
            self._stay(entry, ruling)
            return
        log.warning("a call may not stay", extra={"session": entry.session_id})
        entry.caller = ruling.caller
        call.leave(ruling)

    def _rule(self, caller: Admitted) -> LiveRuling:
        rooms = self._rooms
        today = day_of(rooms.clock.wall())
        return rule_live(caller, region=rooms.settings.region, law=rooms.law.now, on=today)

    def _stay(self, entry: Entry, ruling: Stays) -> None:
        """Let a call go on, with what is left of its terms."""
        before, entry.caller = entry.caller, ruling.caller
        if entry.call is not None and before is not None and before.regions != entry.caller.regions:
            entry.call.narrow(entry.caller)

    def _still(self, caller: Admitted) -> Stays:
        """The terms of a call that is being opened: the law may have changed since it was admitted.

        Raises ``EdgeRefusal`` (``wrong_region``).
        """
        ruling = self._rule(caller)
        if isinstance(ruling, Stays):
            return ruling
        raise _MayNotStay(f"{ruling.reason}; ask for a new route", ruling.keeps)

    def call_of(self, session_id: str) -> Call | None:
        """The session's live call, the latest if an older one is still ending."""
        calls = [entry.call for entry in self._book.values() if entry.session_id == session_id]
        return next((call for call in reversed(calls) if call is not None), None)

    def end_session(self, session_id: str) -> None:
        """End the live calls of a session that was taken over; their journal refuses them anyway,
        but only at their next entry."""
        for entry in self._book.values():
            if entry.session_id == session_id and entry.call is not None:
                entry.call.end("taken_over")

    async def _serve(self, call_id: str, call: Call, on_ended: Callable[[str], None]) -> None:
        log.info("call opened", extra={"call": short(call_id), "session": call.identity.session_id})
        reason = "error"
        try:
            reason = await call.run()
            log.info("call ended", extra={"call": short(call_id), "reason": reason})
        except Exception:
            # The last boundary: this task's group holds everybody's call.
            log.exception("call broke", extra={"call": short(call_id)})
        finally:
            self._leave(call_id)
            on_ended(reason)

    def entry(self, call_id: str) -> Entry:
        """A live call. Raises ``EdgeRefusal`` (``unknown_call``)."""
        entry = self._book.get(call_id)
        if entry is None or entry.call is None or entry.leg is None:
            raise EdgeRefusal("unknown_call", "there is no such call; it may have ended")
        return entry

    async def drain(self) -> None:
        """Take no more calls, tell the live ones to come back elsewhere, wait until they ended."""
        self._draining = True
        for entry in self._book.values():
            if entry.call is not None:
                entry.call.end("draining")
        await self._idle.wait()
