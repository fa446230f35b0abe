"""One call put together: its journal, its conductor, its ears and its mouth around a leg."""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from edge.admission import common_regions
from edge.call import Call
from edge.carried import Carried, open_carried
from edge.carried_journal import write_carried
from edge.carrying import Carrier
from edge.clock import Clock
from edge.dialog.agent import AgentSpec
from edge.dialog.announcing import Announcing
from edge.dialog.build import build_conductor
from edge.dialog.conductor import Conductor
from edge.identity import CallIdentity, ResumeGrant
from edge.internal import Admitted
from edge.law import LawInForce
from edge.ledger import Ledger, Place
from edge.leg import Leg
from edge.metrics import WorkerMetrics
from edge.outbound import Outbound, Pool
from edge.patience import PatientJournal
from edge.problem import EdgeRefusal
from edge.recorded import Recordings
from edge.retention import Ends
from edge.session.account import Books, Notary
from edge.session.contents import LiveContents
from edge.session.errors import (
    KeyDestroyed,
    RegionRefused,
    SessionError,
    SessionExists,
    TenantRefused,
    UnknownSession,
)
from edge.session.history import History
from edge.session.journal import Journal
from edge.session.keys import KeyProvider
from edge.session.receipt import ReceiptKey
from edge.session.replica import ReplicaKey
from edge.session.resume import ResumeTokens
from edge.session.stores import SessionStores
from edge.session.subjects import Marker, SubjectIndex
from edge.session.vault import KeyVault
from edge.settings import NodeSettings
from edge.shredder import Shredder
from edge.speech.activity import SpeechDetector
from edge.speech.listener import Listener, ListenSettings
from edge.speech.recognizer import Recognizer
from edge.speech.speaker import Speaker
from edge.speech.voice import Voice
from edge.subjects import marker_of
from edge.terms import Terms, regions_of
from edge.transport.sip.media.legs import SipMedia
from edge.transport.webrtc.endpoint import WebRtcEndpoint
from regions.models import DataClass
from regions.providers import Providers
from regions.tag import ResidencyTag

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rooms:
    """What the calls of a worker share."""

    settings: NodeSettings
    index: int
    clock: Clock
    law: LawInForce
    """What every decision asks; its ``now`` has the law of this moment."""
    endpoint: WebRtcEndpoint
    phone: SipMedia | None
    """None on a node that takes no phone calls."""
    detector: SpeechDetector
    recognizer: Recognizer
    voice: Voice
    stores: SessionStores
    keys: KeyProvider
    vault: KeyVault
    shredder: Shredder
    resume: ResumeTokens
    receipts: ReceiptKey
    subjects: SubjectIndex
    replicas: ReplicaKey
    store_place: Place
    connections: Pool
    providers: Providers
    agents: Mapping[str, AgentSpec]
    recordings: Recordings
    metrics: WorkerMetrics
    environ: Mapping[str, str]


class CallBuilder:
    """Makes the calls of one worker."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def agent(self, caller: Admitted) -> AgentSpec:
        """The agent that was asked for. Raises ``EdgeRefusal`` (``unknown_agent``)."""
        spec = self._rooms.agents.get(caller.agent)
        if spec is None:
            raise EdgeRefusal(
                "unknown_agent",
                f"this node has no agent file for {caller.agent!r}; put it into its agents folder",
            )
        self._rooms.recordings.require(spec, caller)
        return spec

    def carried(self, caller: Admitted, replica: str) -> Carried:
        """The conversation that a caller brings from another region. Raises ``EdgeRefusal``."""
        rooms, spec = self._rooms, self.agent(caller)
        if not spec.carry:
            raise EdgeRefusal("replica_mismatch", "this agent's conversations stay in their region")
        return open_carried(
            replica, caller, spec, key=rooms.replicas, law=rooms.law.now, now=rooms.clock.wall()
        )

    async def journal(
        self, caller: Admitted, carried: Carried | None = None
    ) -> tuple[Journal, History | None]:
        """The session's journal: new, taken over with what it says, or gone on with from a replica.

        ``caller`` is that of ``carried`` where there is one. Raises ``EdgeRefusal``.
        """
        rooms = self._rooms
        owner = secrets.token_hex(16)
        try:
            if caller.resumed:
                return await self._take_over(caller, owner)
            ends = self._ends(caller)
            if carried is not None:
                ends = carried.ends(ends)
                await self._require_unseen(caller)
            journal = await Journal.begin(
                rooms.stores.of(caller.tenant),
                rooms.keys,
                session_id=caller.session_id,
                tag=self._tag(caller, ends),
                ends=ends.classes,
                agent=caller.agent,
                owner=owner,
                clock=rooms.clock,
                books=self._books(caller, carried),
                recording=rooms.recordings.regions(self.agent(caller), caller),
                marker=self._marker(caller),
            )
            if carried is None:
                return journal, None
            store = rooms.stores.of(caller.tenant)
            return journal, await write_carried(journal, carried, store, rooms.vault)
        except SessionExists as error:
            if carried is not None:
                raise _used() from error
            raise EdgeRefusal("token_used", "the token opened a call already; ask again") from error
        except (KeyDestroyed, UnknownSession) as error:
            raise EdgeRefusal("unknown_session", "this region has no such session") from error
        except RegionRefused as error:
            raise EdgeRefusal("wrong_region", "the session may not be held here") from error
        except TenantRefused as error:
            raise EdgeRefusal("wrong_tenant", "this node does not serve the tenant") from error
        except SessionError as error:
            log.error("journal not opened", extra={"reason": type(error).__name__})
            raise EdgeRefusal("not_ready", "the session store does not answer") from error

    async def undo(self, caller: Admitted) -> None:
        """Leave nothing of a session that was begun here for a call that does not take place: the
        next node is asked with the same token or replica. Raises nothing but ``CancelledError``.

        Tried once: later the session may be the next node's.
        """
        rooms = self._rooms
        if caller.resumed:
            return
        try:
            await rooms.vault.destroy(caller.tenant, caller.session_id)
            await rooms.stores.of(caller.tenant).erase(caller.session_id)
        except SessionError as error:  # nobody has a token that resumes it, and it expires
            log.error("a session was left", extra={"reason": type(error).__name__})

    async def _require_unseen(self, caller: Admitted) -> None:
        """Records outlast their session: one that ended or was erased here does not come back."""
        store = self._rooms.stores.of(caller.tenant)
        if await store.read_records(session_id=caller.session_id, most=1):
            raise _used()

    async def _take_over(self, caller: Admitted, owner: str) -> tuple[Journal, History]:
        rooms = self._rooms
        journal, history = await Journal.take_over(
            rooms.stores.of(caller.tenant),
            rooms.keys,
            session_id=caller.session_id,
            region=rooms.settings.region,
            owner=owner,
            clock=rooms.clock,
            books=self._books(caller),
            marker=self._marker(caller),
        )
        if history.ended:
            raise EdgeRefusal("session_ended", "this conversation is over; place a new call")
        return journal, history

    def _books(self, caller: Admitted, carried: Carried | None = None) -> Books:
        """What the call's receipt is made of, from the first time that its session is looked at."""
        rooms = self._rooms
        return Books(
            Notary(
                Ledger(rooms.clock),
                rooms.receipts,
                regions_of(caller),
                None if carried is None else carried.origin,
            ),
            host=Place("host", rooms.settings.node, rooms.settings.region),
            store=rooms.store_place,
        )

    def _marker(self, caller: Admitted) -> Marker:
        """Whom the session is about, for finding it again."""
        return marker_of(self._rooms.subjects, caller, self.agent(caller))

    def _ends(self, caller: Admitted) -> Ends:
        """When the data of a session that begins now expires."""
        settings, spec = self._rooms.settings, self.agent(caller)
        return Ends.of(
            self._rooms.clock.wall(),
            settings.session_hours * 3600,
            (settings.retention.get(caller.tenant), spec.retention),
            recording_seconds=self._rooms.recordings.seconds(spec, caller),
        )

    def _tag(self, caller: Admitted, ends: Ends) -> ResidencyTag:
        """One tag covers a session's audio, words and variables: what all of them allow."""
        return ResidencyTag(
            tenant=caller.tenant,
            jurisdictions=caller.jurisdictions,
            data_class=DataClass.TRANSCRIPT,
            allowed_regions=common_regions(regions_of(caller)),
            policy=caller.policy,
            session=caller.session_id,
            expires_at=ends.session,
        )

    def build(
        self,
        call_id: str,
        caller: Admitted,
        spec: AgentSpec,
        leg: Leg,
        journal: Journal,
        history: History | None,
    ) -> Call:
        """A call that only needs to be run."""
        rooms = self._rooms
        settings = rooms.settings
        outbound = self._outbound(journal)
        conductor = self._conductor(caller, spec, journal, history, outbound)
        recording = rooms.recordings.order(spec, caller, leg, journal)
        if recording is not None and recording.notice is not None:
            conductor = Announcing(conductor, recording.notice)
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
            books=journal.books,
            conductor=conductor,
            listener=listener,
            speaker=speaker,
            resume=self._grant(caller, journal),
            history=history.turns if history is not None else None,
            clock=rooms.clock,
            metrics=rooms.metrics.for_call(),
            max_seconds=settings.max_call_seconds,
            carrier=self._carrier(spec, leg, journal, history),
            terms=self._terms(caller, spec, journal.books.notary, outbound),
            recording=recording,
        )

    def _terms(
        self, caller: Admitted, spec: AgentSpec, notary: Notary, outbound: Outbound
    ) -> Terms:
        """What a tightened law does to the call."""
        rooms = self._rooms
        destroy = partial(rooms.shredder.destroy, caller.tenant, caller.session_id)
        return Terms(caller, outbound, notary, spec.notices, rooms.clock, destroy)

    def _outbound(self, journal: Journal) -> Outbound:
        rooms = self._rooms
        return Outbound(
            here=rooms.settings.region,
            allowed=journal.books.notary.allowed,
            pool=rooms.connections,
            providers=rooms.providers,
            ledger=journal.books.notary.ledger,
        )

    def _carrier(
        self, spec: AgentSpec, leg: Leg, journal: Journal, history: History | None
    ) -> Carrier | None:
        """What gives the caller replicas; a telephone carries nothing."""
        if not spec.carry or leg.kind != "webrtc":
            return None
        rooms = self._rooms
        return Carrier(
            journal,
            LiveContents(history),
            spec.id,
            rooms.replicas,
            lambda: rooms.law.now,
            journal.books.notary.ledger,
            rooms.clock,
            leg.send,
        )

    def _conductor(
        self,
        caller: Admitted,
        spec: AgentSpec,
        journal: Journal,
        history: History | None,
        outbound: Outbound,
    ) -> Conductor:
        rooms = self._rooms
        conductor = build_conductor(
            spec,
            session_id=caller.session_id,
            today=partial(_today, rooms.clock),
            outbound=outbound,
            ledger=JournalLedger(journal),
            environ=rooms.environ,
        )
        if history is not None:
            conductor.restore(history.state, history.turns)
        return conductor

    def _grant(self, caller: Admitted, journal: Journal) -> ResumeGrant:
        """Good for as long as what it resumes is kept, and as a new session's would be at most."""
        settings = self._rooms.settings
        until = min([self._ends(caller).resumable, *journal.ends.values()])
        token, expires_at = self._rooms.resume.issue(
            session_id=caller.session_id,
            tenant=caller.tenant,
            agent=caller.agent,
            region=settings.region,
            allowed_regions=common_regions(regions_of(caller)),
            policy=caller.policy,
            jurisdictions=caller.jurisdictions,
            lifetime_s=until - int(self._rooms.clock.wall()),
            dedicated=caller.dedicated,
            recording=caller.regions.get(DataClass.RECORDING.value, ()),
        )
        return ResumeGrant(token, expires_at)


def _used() -> EdgeRefusal:
    return EdgeRefusal("replica_used", "the conversation was in this region already; call anew")


def _today(clock: Clock) -> dt.date:
    """The day where the node stands: a server's zone is that of its region."""
    return dt.datetime.fromtimestamp(clock.wall()).astimezone().date()


class JournalLedger:
    """The dialog's tool ledger, kept in the session's journal; a busy store is waited for."""

    def __init__(self, journal: Journal) -> None:
        patient = PatientJournal(journal)
        self.pending = patient.tool_pending
        self.settled = patient.tool_settled
