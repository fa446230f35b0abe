"""One worker: the calls of one process, admitted one by one and ended together."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from edge.call import Call, CallIdentity, ResumeGrant
from edge.clock import Clock
from edge.dialog.agent import AgentSpec
from edge.dialog.build import build_conductor
from edge.dialog.conductor import Conductor
from edge.internal import Admitted, CallOpened, OpenCall
from edge.leg import Leg
from edge.logs import short
from edge.memory import give_back
from edge.metrics import WorkerMetrics
from edge.outbound import Outbound, Pool
from edge.problem import EdgeRefusal
from edge.session.errors import RegionRefused, SessionError, SessionExists, UnknownSession
from edge.session.journal import History, Journal
from edge.session.keys import KeyProvider
from edge.session.resume import ResumeTokens
from edge.session.store import SessionStore
from edge.settings import NodeSettings
from edge.speech.activity import SpeechDetector
from edge.speech.listener import Listener, ListenSettings
from edge.speech.recognizer import Recognizer
from edge.speech.speaker import Speaker
from edge.speech.voice import Voice
from edge.transport.webrtc.endpoint import WebRtcEndpoint
from edge.transport.webrtc.errors import OfferError
from edge.transport.webrtc.leg import WebRtcLeg
from regions.models import DataClass
from regions.tag import ResidencyTag

CONNECTING_SHARE = 0.6
"""Part of a worker's places that calls may hold whose media has not flowed yet: whoever offers and
never connects cannot fill it."""
CONNECTING_LEAST = 4

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rooms:
    """What the calls of a worker share."""

    settings: NodeSettings
    index: int
    clock: Clock
    endpoint: WebRtcEndpoint
    detector: SpeechDetector
    recognizer: Recognizer
    voice: Voice
    store: SessionStore
    keys: KeyProvider
    resume: ResumeTokens
    connections: Pool
    agents: Mapping[str, AgentSpec]
    metrics: WorkerMetrics
    environ: Mapping[str, str]


@dataclass(slots=True)
class Entry:
    """A call in the worker's book, from admission to its record."""

    session_id: str
    call: Call | None = None
    leg: WebRtcLeg | None = None

    @property
    def connected(self) -> bool:
        """Whether its media has flowed."""
        return self.call is not None and self.call.connected


class Worker:
    """Admits atomically: a place is taken before anything is awaited, and given back whatever
    happens. ``on_change`` is called after each change of the book."""

    def __init__(self, rooms: Rooms, group: asyncio.TaskGroup) -> None:
        self._rooms = rooms
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
        """Take a call. Raises ``EdgeRefusal``; nothing of a refused call remains."""
        call_id = self._admit(request.caller)
        try:
            answer = await self._open(call_id, request)
        except EdgeRefusal as refusal:
            self._rooms.metrics.refusals.labels(str(self._rooms.index), refusal.code).inc()
            self._leave(call_id)
            raise
        except BaseException:
            self._leave(call_id)
            raise
        return CallOpened(call_id=call_id, answer=answer)

    def _refuse_when_draining(self) -> None:
        if self._draining:
            raise EdgeRefusal("draining", "this node is draining; try the next candidate")

    def _admit(self, caller: Admitted) -> str:
        self._refuse_when_draining()
        capacity = self._rooms.settings.capacity
        if len(self._book) >= capacity:
            raise EdgeRefusal("full", "this worker is full; try the next candidate")
        waiting = [entry for entry in self._book.values() if not entry.connected]
        if len(waiting) >= max(CONNECTING_LEAST, int(capacity * CONNECTING_SHARE)):
            raise EdgeRefusal("full", "too many calls are connecting; try the next candidate")
        if any(entry.session_id == caller.session_id for entry in waiting):
            raise EdgeRefusal("not_ready", "this session is being connected already; wait for it")
        call_id = f"rtc_w{self._rooms.index}_{secrets.token_urlsafe(16)}"
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

    async def _open(self, call_id: str, request: OpenCall) -> str:
        rooms, caller = self._rooms, request.caller
        spec = rooms.agents.get(caller.agent)
        if spec is None:
            raise EdgeRefusal(
                "unknown_agent",
                f"this node has no agent file for {caller.agent!r}; put it into its agents folder",
            )
        try:
            leg, answer = await rooms.endpoint.answer(request.offer)
        except OfferError as error:
            raise EdgeRefusal(error.code, error.detail) from error
        try:
            journal, history = await self._journal(caller)
            call = self._build(call_id, caller, spec, leg, journal, history)
            self._refuse_when_draining()
        except BaseException:
            await leg.close()
            raise
        self.end_session(caller.session_id)
        entry = self._book[call_id]
        entry.call, entry.leg = call, leg
        self._group.create_task(self._serve(call_id, call), name=call_id)
        return answer

    async def _journal(self, caller: Admitted) -> tuple[Journal, History | None]:
        rooms = self._rooms
        owner = secrets.token_hex(16)
        try:
            if caller.resumed:
                return await self._take_over(caller, owner)
            journal = await Journal.begin(
                rooms.store,
                rooms.keys,
                session_id=caller.session_id,
                tag=self._tag(caller),
                agent=caller.agent,
                owner=owner,
                clock=rooms.clock,
            )
        except SessionExists as error:
            raise EdgeRefusal("token_used", "the token opened a call already; ask again") from error
        except UnknownSession as error:
            raise EdgeRefusal("unknown_session", "this region has no such session") from error
        except RegionRefused as error:
            raise EdgeRefusal("wrong_region", "the session may not be held here") from error
        except SessionError as error:
            log.error("journal not opened", extra={"reason": type(error).__name__})
            raise EdgeRefusal("not_ready", "the session store does not answer") from error
        return journal, None

    async def _take_over(self, caller: Admitted, owner: str) -> tuple[Journal, History]:
        rooms = self._rooms
        journal, history = await Journal.take_over(
            rooms.store,
            rooms.keys,
            session_id=caller.session_id,
            region=rooms.settings.region,
            owner=owner,
            clock=rooms.clock,
        )
        if history.ended:
            raise EdgeRefusal("session_ended", "this conversation is over; place a new call")
        return journal, history

    def _tag(self, caller: Admitted) -> ResidencyTag:
        settings = self._rooms.settings
        return ResidencyTag(
            tenant=caller.tenant,
            jurisdictions=caller.jurisdictions,
            data_class=DataClass.TRANSCRIPT,
            allowed_regions=common_regions(caller),
            policy=caller.policy,
            session=caller.session_id,
            expires_at=int(self._rooms.clock.wall() + settings.session_hours * 3600),
        )

    def _build(
        self,
        call_id: str,
        caller: Admitted,
        spec: AgentSpec,
        leg: Leg,
        journal: Journal,
        history: History | None,
    ) -> Call:
        rooms = self._rooms
        settings = rooms.settings
        conductor = self._conductor(caller, spec, journal, history)
        listener = Listener(
            rooms.recognizer, rooms.detector, rooms.clock, lambda heard: None, ListenSettings()
        )
        speaker = Speaker(rooms.voice, leg.playout, language=spec.language, clock=rooms.clock)
        identity = CallIdentity(
            call_id=call_id,
            session_id=caller.session_id,
            tenant=caller.tenant,
            agent=spec.id,
            language=spec.language,
            region=settings.region,
            node=settings.node,
            jurisdictions=caller.jurisdictions,
            policy=caller.policy,
        )
        return Call(
            identity,
            leg=leg,
            journal=journal,
            conductor=conductor,
            listener=listener,
            speaker=speaker,
            resume=self._grant(caller),
            history=history.turns if history is not None else None,
            clock=rooms.clock,
            metrics=rooms.metrics.for_call(),
            max_seconds=settings.max_call_seconds,
        )

    def _conductor(
        self, caller: Admitted, spec: AgentSpec, journal: Journal, history: History | None
    ) -> Conductor:
        rooms = self._rooms
        conductor = build_conductor(
            spec,
            session_id=caller.session_id,
            today=partial(_today, rooms.clock),
            outbound=Outbound(
                here=rooms.settings.region,
                allowed={DataClass(name): where for name, where in caller.regions.items()},
                pool=rooms.connections,
            ),
            ledger=JournalLedger(journal),
            environ=rooms.environ,
        )
        if history is not None:
            conductor.restore(history.state, history.turns)
        return conductor

    def _grant(self, caller: Admitted) -> ResumeGrant:
        settings = self._rooms.settings
        token, expires_at = self._rooms.resume.issue(
            session_id=caller.session_id,
            tenant=caller.tenant,
            agent=caller.agent,
            region=settings.region,
            allowed_regions=common_regions(caller),
            policy=caller.policy,
            jurisdictions=caller.jurisdictions,
            lifetime_s=int(settings.session_hours * 3600),
        )
        return ResumeGrant(token, expires_at)

    def end_session(self, session_id: str) -> None:
        """End the live calls of a session that was taken over; their journal refuses them anyway,
        but only at their next entry."""
        for entry in self._book.values():
            if entry.session_id == session_id and entry.call is not None:
                entry.call.end("taken_over")

    async def _serve(self, call_id: str, call: Call) -> None:
        log.info("call opened", extra={"call": short(call_id), "session": call.identity.session_id})
        try:
            reason = await call.run()
            log.info("call ended", extra={"call": short(call_id), "reason": reason})
        except Exception:
            # The last boundary: this task's group holds everybody's call.
            log.exception("call broke", extra={"call": short(call_id)})
        finally:
            self._leave(call_id)

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


def common_regions(caller: Admitted) -> tuple[str, ...]:
    """Regions that may hold everything of the call, in the token's order.

    One tag covers a session's audio, words and variables, so it names only what all of them allow.
    """
    first, *others = caller.regions.values()
    return tuple(region for region in first if all(region in other for other in others))


def _today(clock: Clock) -> dt.date:
    """The day where the node stands: a server's zone is that of its region."""
    return dt.datetime.fromtimestamp(clock.wall()).astimezone().date()


class JournalLedger:
    """The dialog's tool ledger, kept in the session's journal."""

    def __init__(self, journal: Journal) -> None:
        self.pending = journal.tool_pending
        self.settled = journal.tool_settled
