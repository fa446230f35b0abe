"""The journal of one session: what must survive the node that the caller talks to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

from edge.clock import Clock
from edge.events import JsonValue, ToolRecord, Turn
from edge.session import codec
from edge.session.account import Books
from edge.session.contents import LiveContents
from edge.session.errors import (
    KeyDestroyed,
    Overtaken,
    RegionRefused,
    SealError,
    SessionEnded,
    StoreBusy,
    UnknownSession,
)
from edge.session.history import History, read_history, read_outcome, require_session, tag_of
from edge.session.keyring import RECORDED, SEALED, Ring, make_ring, open_ring
from edge.session.keys import KeyProvider
from edge.session.records import CallRecord
from edge.session.seal import ClassKey, Sealer
from edge.session.store import (
    Fence,
    NewSession,
    SealedTool,
    SealedTurn,
    SessionStore,
    StoredSession,
)
from edge.session.subjects import Marker
from regions.models import DataClass, Operation
from regions.tag import ResidencyTag

_CALL_ID = re.compile(r"[\x21-\x7e]{1,128}")
"""``session:turn:step``, or what a model made up: printable ASCII without spaces."""

FINISH_TRIES = 8
"""Records of one session that may come in between while one is signed."""


class Journal:
    """Writes one session, sealed, for as long as nobody else takes it over.

    Every write is one atomic step of the store; when it returns, a successor will read it. Repeats
    are no-ops, so a write that raised ``StoreBusy`` or was cancelled is simply done again.
    ``StaleOwner`` means that the caller is served elsewhere by now: end this call. Calls may
    overlap; turns must be committed in order. What is written and read is in the call's ledger.
    """

    def __init__(
        self,
        store: SessionStore,
        sealer: Sealer,
        fence: Fence,
        books: Books,
        tag: ResidencyTag,
        ends: Mapping[DataClass, int],
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._fence = fence
        self.books = books
        self.tag = tag
        """The session's."""
        self.ends = ends
        """When each class of its data expires, Unix seconds."""
        self.recording: ClassKey | None = None
        """What seals the session's recordings; None where there are none."""
        self.live: LiveContents | None = None
        """Told of each entry that was written, when somebody wants to know."""
        self._shut = False
        self._marker: Marker | None = None
        self._marked: frozenset[str] = frozenset()
        """Names that the store has from this journal."""

    @classmethod
    async def begin(
        cls,
        store: SessionStore,
        keys: KeyProvider,
        *,
        session_id: str,
        tag: ResidencyTag,
        agent: str,
        owner: str,
        clock: Clock,
        books: Books,
        ends: Mapping[DataClass, int] = MappingProxyType({}),
        recording: tuple[str, ...] = (),
        marker: Marker | None = None,
    ) -> Self:
        """Begin a session that nobody has begun.

        ``owner`` is a nonce of this call. The data keys, one per class, are wrapped for every
        region that the tag allows and ``keys`` can wrap for. ``ends`` are Unix seconds: classes
        that expire before the tag does. ``recording`` are the regions that may have a recording,
        if there is to be one. ``marker`` says whom it is about. Raises ``RegionRefused`` when there
        is no region, ``SessionExists``, ``UnknownSession`` when the tag is expired already,
        ``KeyRefused``, ``StoreBusy``, ``StoreBroken``.
        """
        require_session(tag, session_id)
        now = clock.wall()
        if tag.expires_at <= now:
            raise UnknownSession("the session's retention is over before it begins")
        regions = [region for region in tag.allowed_regions if region in keys.regions]
        if not regions:
            raise RegionRefused("no region that this node has keys for may hold the session")
        ring, wraps = await make_ring(keys, regions, tag, ends, recording)
        names = () if marker is None else marker.names()
        session = NewSession(session_id, agent, tag.canonical(), wraps, now, tag.expires_at, names)
        fence = await store.create(session, owner)
        journal = cls(store, Sealer(ring, agent), fence, books, tag, _ends(ring))
        journal.recording = ring.get(RECORDED)
        journal._marker, journal._marked = marker, frozenset(names)
        return journal

    @classmethod
    async def take_over(
        cls,
        store: SessionStore,
        keys: KeyProvider,
        *,
        session_id: str,
        region: str,
        owner: str,
        clock: Clock,
        books: Books,
        marker: Marker | None = None,
    ) -> tuple[Self, History]:
        """Take a session over at once; its former owner is stale from here on.

        A node that may not or cannot open the session does not disturb its owner. Raises
        ``UnknownSession``, ``RegionRefused``, ``SealError``, ``StoreBusy``, ``StoreBroken``;
        ``KeyDestroyed`` when part of the session is past its retention, or erased.
        """
        header = await store.header(session_id, clock.wall())
        tag = tag_of(header, session_id)
        wrapped = header.wraps.get(region)
        if region not in tag.allowed_regions or wrapped is None:
            raise RegionRefused(f"the session may not be opened in region {region}")
        opened = await open_ring(keys, wrapped, region=region, tag=tag, now=clock.wall())
        for data_class, why in opened.gone.items():
            if data_class is not RECORDED:
                raise KeyDestroyed(f"the session's {data_class.value} cannot be read: {why}")
        sealer = Sealer(opened.keys, header.agent)
        fence, stored = await store.take(session_id, owner, clock.wall())
        if (stored.header.tag, stored.header.agent) != (header.tag, header.agent):
            raise SealError("the session's residency tag changed while it was read")
        journal = cls(store, sealer, fence, books, tag, _ends(opened.keys))
        journal.recording = opened.keys.get(RECORDED)
        journal._marker = marker
        journal._account_for_reading(stored)
        return journal, read_history(stored, tag, sealer)

    @property
    def leg(self) -> int:
        """Counts the session's owners from 1; this one's number."""
        return self._fence.epoch

    def shut(self) -> None:
        """The session may not be written here any more: from here on there is only
        :meth:`finish`, and all else raises ``SessionEnded``."""
        self._shut = True

    def _require_open(self) -> None:
        if self._shut:
            raise SessionEnded("the session may not be written here any more")

    async def commit(self, turn: Turn, state: JsonValue) -> None:
        """Write the next turn, and the dialog's state after it, in one step.

        Raises ``StaleOwner``, ``SessionEnded``, ``UnknownSession``, ``OutOfStep`` (a gap, or other
        words for a committed turn), ``TooLarge``, ``StoreBusy``, ``StoreBroken``; ``ValueError``
        when something in it is not JSON.
        """
        self._require_open()
        body, plain_state = codec.encode_turn(turn), codec.encode(state)
        names = () if self._marker is None else self._marker.names(state)
        sealed = SealedTurn(
            turn.number,
            self._sealer.digest(DataClass.TRANSCRIPT, "turn", turn.number, body),
            self._sealer.seal(DataClass.TRANSCRIPT, "turn", turn.number, body),
            self._sealer.seal(DataClass.VARIABLES, "state", turn.number, plain_state),
            tuple(name for name in names if name not in self._marked),
        )
        self._account_for(DataClass.TRANSCRIPT, plain=len(body), sealed=len(sealed.body))
        self._account_for(DataClass.VARIABLES, plain=len(plain_state), sealed=len(sealed.state))
        await self._store.commit(self._fence, sealed)
        self._marked |= frozenset(sealed.subjects)
        if self.live is not None:
            self.live.committed(turn, state)

    async def tool_pending(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue]
    ) -> ToolRecord | None:
        """Write that a tool is about to be called; to be awaited before the call is made.

        Returns what came of it when this call id has been settled already: then it must not be
        made again. Raises as :meth:`commit` does, ``OutOfStep`` when the call id stands for
        another call, ``ValueError`` when it is not 1 to 128 printable ASCII characters.
        """
        self._require_open()
        if not _CALL_ID.fullmatch(call_id):
            raise ValueError("a call id is 1 to 128 printable ASCII characters")
        intent = self._tool("intent", call_id, codec.encode_intent(name, arguments))
        outcome = await self._store.tool_pending(self._fence, intent)
        if self.live is not None:
            self.live.tool_pending(call_id, name, arguments)
        return None if outcome is None else read_outcome(self._sealer, call_id, outcome)

    async def tool_settled(self, record: ToolRecord) -> None:
        """Write what came of a pending tool call, good or bad. The first outcome stands.

        Raises as :meth:`commit` does; ``OutOfStep`` when the call is not pending or was settled
        otherwise.
        """
        self._require_open()
        outcome = self._tool("outcome", record.call_id, codec.encode_outcome(record))
        await self._store.tool_settled(self._fence, outcome)
        if self.live is not None:
            self.live.tool_settled(record)

    async def finish(self, record: CallRecord) -> None:
        """Append the call's record with its receipt; unless the caller may come back, the session
        is over.

        A call that was taken over writes its record as well. Raises ``StaleOwner`` when the
        session was another's to end (the record is kept), ``StoreBusy``, ``StoreBroken``.
        """
        if record.session_id != self._fence.session_id:
            raise ValueError("the record is of another session")
        for _ in range(FINISH_TRIES):
            latest = await self._store.read_records(session_id=record.session_id, most=1)
            before = latest[0] if latest else None
            receipt = self.books.notary.sign(record, leg=self._fence.epoch, before=before)
            signed = record.model_copy(update={"receipt": receipt})
            after = None if before is None else before.call_id
            try:
                await self._store.finish(self._fence, signed, after=after)
            except Overtaken:
                continue  # two legs of one session ended at once; each receipt follows another
            return
        raise StoreBusy("too many calls of the session end at once")

    def _account_for(self, data_class: DataClass, *, plain: int, sealed: int) -> None:
        """An entry is about to be written; a try that fails may have been written too."""
        ledger = self.books.notary.ledger
        ledger.touch(self.books.host, data_class, Operation.PROCESS, sent=plain)
        ledger.touch(self.books.store, data_class, Operation.STORE, sent=sealed)

    def _account_for_reading(self, stored: StoredSession) -> None:
        variables = [stored.state, *(body for t in stored.tools for body in (t.intent, t.outcome))]
        sizes = {
            DataClass.TRANSCRIPT: sum(len(body) for body in stored.turns),
            DataClass.VARIABLES: sum(len(body) for body in variables if body is not None),
        }
        for data_class, size in sizes.items():
            if size:
                self.books.notary.ledger.touch(
                    self.books.store, data_class, Operation.STORE, received=size
                )

    def _tool(self, kind: str, call_id: str, body: bytes) -> SealedTool:
        sealed = self._sealer.seal(DataClass.VARIABLES, kind, call_id, body)
        self._account_for(DataClass.VARIABLES, plain=len(body), sealed=len(sealed))
        return SealedTool(
            call_id, self._sealer.digest(DataClass.VARIABLES, kind, call_id, body), sealed
        )


def _ends(ring: Ring) -> dict[DataClass, int]:
    return {name: each.tag.expires_at for name, each in ring.items() if name in SEALED}
