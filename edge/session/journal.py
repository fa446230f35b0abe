"""The journal of one session: what must survive the node that the caller talks to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from edge.clock import Clock
from edge.events import JsonValue, ToolRecord, Turn
from edge.session import codec
from edge.session.account import Books
from edge.session.errors import (
    Overtaken,
    RegionRefused,
    SealError,
    StoreBusy,
    UnknownSession,
)
from edge.session.keys import KeyProvider
from edge.session.records import CallRecord
from edge.session.seal import Sealer, new_data_key
from edge.session.store import (
    Fence,
    NewSession,
    SealedTool,
    SealedTurn,
    SessionHeader,
    SessionStore,
    StoredSession,
)
from regions.errors import TagError
from regions.models import DataClass, Operation
from regions.tag import ResidencyTag

_CALL_ID = re.compile(r"[\x21-\x7e]{1,128}")
"""``session:turn:step``, or what a model made up: printable ASCII without spaces."""

FINISH_TRIES = 8
"""Records of one session that may come in between while one is signed."""


@dataclass(frozen=True, slots=True)
class PendingTool:
    """A tool call that was about to be made, and of which nothing more is known."""

    call_id: str
    name: str
    arguments: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class History:
    """A session as its last owner left it.

    ``state`` is the dialog's after the last turn, None before the first. ``settled`` has every
    tool call that came back, also those of committed turns, in the order they were made. A session
    that has ``ended`` can be read and not written.
    """

    agent: str
    tag: ResidencyTag
    turns: tuple[Turn, ...]
    state: JsonValue
    pending: tuple[PendingTool, ...]
    settled: tuple[ToolRecord, ...]
    ended: bool


class Journal:
    """Writes one session, sealed, for as long as nobody else takes it over.

    Every write is one atomic step of the store; when it returns, a successor will read it. Repeats
    are no-ops, so a write that raised ``StoreBusy`` or was cancelled is simply done again.
    ``StaleOwner`` means that the caller is served elsewhere by now: end this call. Calls may
    overlap; turns must be committed in order. What is written and read is in the call's ledger.
    """

    def __init__(self, store: SessionStore, sealer: Sealer, fence: Fence, books: Books) -> None:
        self._store = store
        self._sealer = sealer
        self._fence = fence
        self.books = books

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
    ) -> Self:
        """Begin a session that nobody has begun.

        ``owner`` is a nonce of this call. The data key is wrapped for every region that the tag
        allows and ``keys`` can wrap for. Raises ``RegionRefused`` when there is none,
        ``SessionExists``, ``UnknownSession`` when the tag is expired already, ``StoreBusy``,
        ``StoreBroken``.
        """
        _require_session(tag, session_id)
        now = clock.wall()
        if tag.expires_at <= now:
            raise UnknownSession("the session's retention is over before it begins")
        regions = [region for region in tag.allowed_regions if region in keys.regions]
        if not regions:
            raise RegionRefused("no region that this node has keys for may hold the session")
        data_key = new_data_key()
        wraps = {region: await keys.wrap(data_key, region=region, tag=tag) for region in regions}
        session = NewSession(session_id, agent, tag.canonical(), wraps, now, tag.expires_at)
        fence = await store.create(session, owner)
        return cls(store, Sealer(data_key, tag, agent), fence, books)

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
    ) -> tuple[Self, History]:
        """Take a session over at once; its former owner is stale from here on.

        A node that may not or cannot open the session does not disturb its owner. Raises
        ``UnknownSession``, ``RegionRefused``, ``SealError``, ``StoreBusy``, ``StoreBroken``.
        """
        header = await store.header(session_id, clock.wall())
        tag = _tag_of(header, session_id)
        wrapped = header.wraps.get(region)
        if region not in tag.allowed_regions or wrapped is None:
            raise RegionRefused(f"the session may not be opened in region {region}")
        sealer = Sealer(await keys.unwrap(wrapped, region=region, tag=tag), tag, header.agent)
        fence, stored = await store.take(session_id, owner, clock.wall())
        if (stored.header.tag, stored.header.agent) != (header.tag, header.agent):
            raise SealError("the session's residency tag changed while it was read")
        journal = cls(store, sealer, fence, books)
        journal._account_for_reading(stored)
        return journal, _history(stored, tag, sealer)

    async def commit(self, turn: Turn, state: JsonValue) -> None:
        """Write the next turn, and the dialog's state after it, in one step.

        Raises ``StaleOwner``, ``SessionEnded``, ``UnknownSession``, ``OutOfStep`` (a gap, or other
        words for a committed turn), ``TooLarge``, ``StoreBusy``, ``StoreBroken``; ``ValueError``
        when something in it is not JSON.
        """
        body, plain_state = codec.encode_turn(turn), codec.encode(state)
        sealed = SealedTurn(
            turn.number,
            self._sealer.digest("turn", turn.number, body),
            self._sealer.seal(DataClass.TRANSCRIPT, "turn", turn.number, body),
            self._sealer.seal(DataClass.VARIABLES, "state", turn.number, plain_state),
        )
        self._account_for(DataClass.TRANSCRIPT, plain=len(body), sealed=len(sealed.body))
        self._account_for(DataClass.VARIABLES, plain=len(plain_state), sealed=len(sealed.state))
        await self._store.commit(self._fence, sealed)

    async def tool_pending(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue]
    ) -> ToolRecord | None:
        """Write that a tool is about to be called; to be awaited before the call is made.

        Returns what came of it when this call id has been settled already: then it must not be
        made again. Raises as :meth:`commit` does, ``OutOfStep`` when the call id stands for
        another call, ``ValueError`` when it is not 1 to 128 printable ASCII characters.
        """
        if not _CALL_ID.fullmatch(call_id):
            raise ValueError("a call id is 1 to 128 printable ASCII characters")
        intent = self._tool("intent", call_id, codec.encode_intent(name, arguments))
        outcome = await self._store.tool_pending(self._fence, intent)
        return None if outcome is None else _outcome(self._sealer, call_id, outcome)

    async def tool_settled(self, record: ToolRecord) -> None:
        """Write what came of a pending tool call, good or bad. The first outcome stands.

        Raises as :meth:`commit` does; ``OutOfStep`` when the call is not pending or was settled
        otherwise.
        """
        outcome = self._tool("outcome", record.call_id, codec.encode_outcome(record))
        await self._store.tool_settled(self._fence, outcome)

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
        return SealedTool(call_id, self._sealer.digest(kind, call_id, body), sealed)


def _require_session(tag: ResidencyTag, session_id: str) -> None:
    if tag.session != session_id:
        raise SealError("the residency tag is of another session")


def _tag_of(header: SessionHeader, session_id: str) -> ResidencyTag:
    try:
        tag = ResidencyTag.from_canonical(header.tag)
    except TagError as error:
        raise SealError("the session's residency tag cannot be read") from error
    _require_session(tag, session_id)
    return tag


def _history(stored: StoredSession, tag: ResidencyTag, sealer: Sealer) -> History:
    turns = tuple(
        codec.decode_turn(sealer.open(DataClass.TRANSCRIPT, "turn", number, body))
        for number, body in enumerate(stored.turns, start=1)
    )
    # The state is sealed under the number of its turn: an older state, or a history without its
    # last turns, does not open.
    if (stored.state is None) != (not turns):
        raise SealError("the session's turns and state do not belong together")
    state: JsonValue = None
    if stored.state is not None:
        plain = sealer.open(DataClass.VARIABLES, "state", len(turns), stored.state)
        state = codec.decode(plain)
    pending: list[PendingTool] = []
    settled: list[ToolRecord] = []
    for tool in stored.tools:
        if tool.outcome is not None:
            settled.append(_outcome(sealer, tool.call_id, tool.outcome))
        else:
            plain = sealer.open(DataClass.VARIABLES, "intent", tool.call_id, tool.intent)
            pending.append(PendingTool(tool.call_id, **codec.decode(plain)))
    return History(
        agent=stored.header.agent,
        tag=tag,
        turns=turns,
        state=state,
        pending=tuple(pending),
        settled=tuple(settled),
        ended=stored.header.ended,
    )


def _outcome(sealer: Sealer, call_id: str, sealed: bytes) -> ToolRecord:
    return codec.decode_outcome(sealer.open(DataClass.VARIABLES, "outcome", call_id, sealed))
