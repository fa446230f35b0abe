"""Where the rooms meet: one call owns one task group, and everything in it ends with the call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import assert_never

from edge.announcement import Announcer
from edge.carrying import Carrier
from edge.clock import Clock
from edge.conversation import Conversation
from edge.dialog.conductor import Conductor
from edge.events import Turn
from edge.groups import first_error
from edge.handover import Handovers
from edge.identity import CallIdentity, ResumeGrant
from edge.internal import Admitted
from edge.leaving import Farewell
from edge.leg import Leg, LegError
from edge.leg_recording import LegRecording
from edge.logs import short
from edge.metrics import CallMetrics
from edge.patience import PatientJournal
from edge.policy_live import Leaves
from edge.realtime import (
    Carry,
    Event,
    HangUpRequest,
    Moving,
    Pressed,
    Refused,
    SessionFacts,
    StopSpeaking,
    Typed,
    UpdateSession,
    event,
    parse_client_event,
    refusal,
    session_created,
    session_object,
)
from edge.recorded import RecordingOrder
from edge.session.account import Books
from edge.session.errors import SessionError, StaleOwner
from edge.session.journal import Journal
from edge.session.receipt import Account
from edge.session.records import RESUMABLE, CallRecord, EndReason
from edge.speech.listener import Listener
from edge.speech.speaker import Speaker
from edge.tally import LegTally
from edge.terms import Terms

ALIVE_SECONDS = 1.0
"""Period of ``inland.alive``: how a client tells a silent agent from a dead edge."""
CLOSE_SECONDS = 5.0
"""What each of a call's last steps may take before it is given up."""
HURRIES: frozenset[EndReason] = frozenset({"hangup", "draining", "taken_over"})
"""What cuts the last words to a caller short."""

log = logging.getLogger(__name__)


class Call:
    """One leg of a session, from its first packet to its record.

    :meth:`run` returns when the call is over and everything it opened is closed. :meth:`end` may be
    called from anywhere in the loop, more than once; the first reason counts.
    """

    def __init__(
        self,
        identity: CallIdentity,
        *,
        leg: Leg,
        journal: Journal,
        books: Books,
        conductor: Conductor,
        listener: Listener,
        speaker: Speaker,
        resume: ResumeGrant,
        history: tuple[Turn, ...] | None,
        clock: Clock,
        metrics: CallMetrics,
        max_seconds: float,
        carrier: Carrier | None = None,
        terms: Terms | None = None,
        recording: RecordingOrder | None = None,
    ) -> None:
        self.identity = identity
        self._carrier = carrier
        self._leg = leg
        self._notary = books.notary
        self._tally = LegTally(books.notary.ledger, books.host, leg)
        self._journal = PatientJournal(journal)
        self._listener = listener
        self._resume = resume
        self._history = history
        self._clock = clock
        self._metrics = metrics
        self._max_seconds = max_seconds
        self._ended: asyncio.Future[EndReason] = asyncio.get_running_loop().create_future()
        self._terms = terms
        self._farewell = Farewell(Announcer(speaker, leg.send), carrier, leg.closed)
        self._recording: LegRecording | None = None
        if recording is not None:
            self._recording = LegRecording(
                recording, leg, self._tally.send, self.end, identity.call_id
            )
        self._started_at = clock.wall()
        self._answered_at: float | None = None
        self._handovers = Handovers(self._tally, self._journal, self._tally.send)
        self._conversation = Conversation(
            conductor=conductor,
            listener=listener,
            speaker=speaker,
            journal=self._journal,
            publish=self._tally.send,
            clock=clock,
            metrics=metrics,
            handovers=self._handovers,
            turns=history[-1].number if history else 0,
        )

    @property
    def connected(self) -> bool:
        """Whether media has flowed."""
        return self._answered_at is not None

    def account(self) -> Account:
        """Where the call's data has been so far."""
        self._tally.settle()
        now = self._record("lost")  # as it would be if it broke off here; accounts have no reason
        return self._notary.account(now)

    def end(self, reason: EndReason) -> None:
        """The call is to end, for this reason."""
        if not self._ended.done():
            self._ended.set_result(reason)
        elif reason in HURRIES:
            self._farewell.hurry()

    def narrow(self, caller: Admitted) -> None:
        """The law in force leaves the call here, and lets less of it go elsewhere."""
        if self._terms is not None:
            self._terms.narrow(caller)
        if self._recording is not None:
            self._recording.judge()

    def leave(self, ruling: Leaves) -> None:
        """The law in force keeps the call from here: nothing of it is heard, stored or sent on
        from now, except to where it may be moved. What is being said is cut, and the caller told.
        """
        if self._terms is None:
            return
        if self._terms.leaves is not None:
            self._terms.leave_more(ruling)
            return
        if self._recording is not None:
            self._recording.judge(ruling.reason)
        self._journal.shut()
        self._tally.hush()
        self._leg.on_audio = _unheard
        self._leg.on_digit = _unheard
        self._terms.leave(ruling)
        if not self._ended.done():
            self._ended.set_result("policy")

    async def run(self) -> EndReason:
        """Serve the call; returns why it ended. Never raises but ``CancelledError``."""
        reason: EndReason = "error"
        try:
            reason = await self._serve()
            await self._say_goodbye(reason)
        except LegError:
            reason = "lost"
        except Exception as error:
            self._failed(error)
        finally:
            if self._leaves is not None:
                reason = "policy"  # also where it was ending anyway: nobody comes back to it here
            await self._finish(reason)
        return reason

    @property
    def _leaves(self) -> Leaves | None:
        return None if self._terms is None else self._terms.leaves

    async def _say_goodbye(self, reason: EndReason) -> None:
        """Move a call that may not be here any more, or say why it ends."""
        terms, leaves = self._terms, self._leaves
        if reason == "policy" and terms is not None and leaves is not None and self.connected:
            moved = await self._farewell.run(terms.notices, leaves.regions)
            extra = {"call": short(self.identity.call_id), "state": "moved" if moved else "ended"}
            log.info("a call left for the law", extra=extra)

    async def _serve(self) -> EndReason:
        self._wire()
        await self._connect()
        if self._ended.done():
            return self._ended.result()
        self._answered_at = self._clock.wall()
        self._tally.begin()
        self._tally.send(session_created(self._facts()))
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._guard(self._converse())),
                group.create_task(self._guard(self._listener.run())),
                group.create_task(self._guard(self._conversation.floor.watch_keys())),
                group.create_task(self._guard(self._watch_leg())),
                group.create_task(self._guard(self._stay_alive())),
                group.create_task(self._guard(self._limit())),
            ]
            if self._carrier is not None:
                tasks.append(group.create_task(self._guard(self._carrier.run())))
            if self._recording is not None:
                recorder = self._recording.begin(self._conversation)
                tasks.append(group.create_task(self._guard(recorder.run())))
            try:
                reason: EndReason = await self._ended
            finally:
                for task in tasks:
                    task.cancel()
        return reason

    async def _connect(self) -> None:
        """Returns when the leg stands, or as soon as the call is to end: whoever hangs up, or
        drains the node, does not wait for a leg that may never come. Raises ``LegError``."""
        try:
            async with asyncio.TaskGroup() as group:
                connecting = group.create_task(self._leg.connected())
                self._ended.add_done_callback(lambda _: connecting.cancel())
        except ExceptionGroup as errors:
            raise first_error(errors) from errors

    def _wire(self) -> None:
        self._leg.on_audio = self._tally.counted(self._listener.feed)
        self._listener.band = lambda: self._leg.band
        self._leg.on_message = self._on_message
        self._leg.on_digit = self._conversation.floor.pressed
        self._listener.on_event = self._conversation.floor.on_caller

    async def _guard(self, work: Awaitable[None]) -> None:
        """Run a part of the call; its failure ends this call and no other."""
        try:
            await work
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """End the call for an error.

        This is the boundary between one call and the worker: a defect met by one caller must not
        end everybody's call. The trace says where; it holds no speech.
        """
        cause = first_error(error)
        extra = {"call": short(self.identity.call_id), "reason": type(cause).__name__}
        if isinstance(cause, StaleOwner):
            self.end("taken_over")
            return
        if isinstance(cause, SessionError):
            log.error("journal failed", extra=extra)
        else:
            log.error("call failed", extra=extra, exc_info=cause)
        self.end("error")

    async def _converse(self) -> None:
        self.end(await self._conversation.run(resumed=self._history is not None))

    async def _watch_leg(self) -> None:
        gone = await self._leg.closed()
        if self._handovers.transferred:
            self.end("handover")
        self.end("hangup" if gone == "hangup" else "lost")

    async def _stay_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            self._leg.send(event("inland.alive"))

    async def _limit(self) -> None:
        await asyncio.sleep(self._max_seconds)
        self.end("idle")

    def _on_message(self, message: Event) -> None:
        request = parse_client_event(message)
        if self._leaves is not None and not isinstance(request, HangUpRequest | Moving):
            return
        match request:
            case Typed(text):
                self._tally.typed(text)
                self._conversation.floor.typed(text)
            case Pressed(key):
                self._conversation.floor.pressed(key)
            case StopSpeaking():
                self._conversation.stop_speaking()
            case UpdateSession():
                self._leg.send(event("session.updated", session=session_object(self._facts())))
            case Carry():
                self._carry()
            case Moving(number):
                if self._carrier is not None:
                    self._carrier.leaving(number)
            case HangUpRequest():
                self.end("hangup")
            case Refused(code, why):
                self._leg.send(refusal(code, why))
            case _:
                assert_never(request)

    def _carry(self) -> None:
        if self._carrier is None:
            self._leg.send(refusal("not_carried", "this conversation stays in its region"))
        else:
            self._carrier.want()

    async def _finish(self, reason: EndReason) -> None:
        """Tell the client, write the record, free everything; bounded in time."""
        if self._carrier is not None and reason in RESUMABLE - {"taken_over"}:
            self._carrier.flush()
        self._leg.send(event("inland.state", state="ended", step="", expects=""))
        self._leg.send(event("inland.call.ended", reason=reason))
        self._listener.close()
        self._tally.settle()
        if self._recording is not None:
            await self._last("recording not closed", self._recording.close)
        await self._last("call not recorded", lambda: self._journal.finish(self._record(reason)))
        if self._terms is not None:
            await self._last("keys not destroyed", self._terms.end)
        await self._last("leg not closed", self._leg.close)
        self._metrics.ended(reason)

    async def _last(self, complaint: str, step: Callable[[], Awaitable[None]]) -> None:
        """One of the last steps of a call; whatever it raises, the next one is done too."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await step()
        except StaleOwner:
            return  # the session is another's to end, and the record is kept
        except Exception as error:
            reason = type(error).__name__
            log.error(complaint, extra={"call": short(self.identity.call_id), "reason": reason})

    def _facts(self) -> SessionFacts:
        who = self.identity
        return SessionFacts(
            session_id=who.session_id,
            agent=who.agent,
            language=who.language,
            call_id=who.call_id,
            region=who.region,
            node=who.node,
            policy=who.policy,
            jurisdictions=who.jurisdictions,
            resume_token=self._resume.token,
            resume_expires_at=self._resume.expires_at,
            resumed=self._history is not None,
            history=self._history or (),
            carry=self._carrier is not None,
        )

    def _record(self, reason: EndReason) -> CallRecord:
        who = self.identity
        return CallRecord(
            call_id=who.call_id,
            session_id=who.session_id,
            tenant=who.tenant,
            agent=who.agent,
            region=who.region,
            node=who.node,
            leg=self._leg.kind,
            jurisdictions=who.jurisdictions,
            policy=who.policy,
            started_at=self._started_at,
            answered_at=self._answered_at,
            ended_at=self._clock.wall(),
            reason=reason,
            turns=self._conversation.turns,
            barge_ins=self._conversation.barge_ins,
            tool_calls=self._conversation.tool_calls,
            transferred=self._handovers.transferred,
        )


def _unheard(_: object) -> None:
    """What the caller says or keys when nobody may listen any more."""
