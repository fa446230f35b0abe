"""What the journal needs of a store. A store keeps sealed bytes and never sees a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from edge.session.errors import TooLarge
from edge.session.records import CallRecord

MAX_ENTRY_BYTES = 128 * 1024
"""Largest sealed turn, tool intent or tool outcome."""
MAX_STATE_BYTES = 256 * 1024
MAX_TURNS = 2_000
MAX_TOOLS = 2_000
MAX_SESSION_BYTES = 8 * 1024 * 1024
"""Most that the entries of one session take together; the state is not counted."""
MAX_SUBJECTS = 8
"""Most subjects that a session is found by; the first ones stay."""
MAX_FOUND = 10_000
"""Most sessions of a subject that are listed at once."""
PAGE = 500
"""Sessions that are listed at once, where all are gone through."""
MAX_RECORDS = 10_000
"""Records that are read at once; a database that tenants share keeps so many of each."""


_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Fence:
    """Proof of ownership: every write carries it.

    ``epoch`` counts the owners of a session; ``owner`` is the nonce of the one that it names. Both
    are compared, so that a store that lost its latest writes cannot hand one epoch to two owners.
    """

    session_id: str
    epoch: int
    owner: str


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session before its first turn. ``wraps`` has the data key wrapped per region.

    ``subjects`` are names by which it is found (:mod:`edge.session.subjects`): 32 hex digits each.
    """

    session_id: str
    agent: str
    tag: bytes
    wraps: Mapping[str, bytes]
    created_at: float
    expires_at: int
    subjects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _named(self.subjects)


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """What is readable of a session without its data key."""

    agent: str
    tag: bytes
    wraps: Mapping[str, bytes]
    ended: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the sessions of a store. ``after`` asks for the next ones; None: there are none."""

    session_ids: tuple[str, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class SealedTurn:
    """A turn and the dialog's state after it. ``digest`` tells a repeat from a rewrite.

    ``subjects`` are further names by which the session is found from then on.
    """

    number: int
    digest: bytes
    body: bytes
    state: bytes
    subjects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _named(self.subjects)
        _bounded("turn", self.body, MAX_ENTRY_BYTES)
        _bounded("state", self.state, MAX_STATE_BYTES)


@dataclass(frozen=True, slots=True)
class SealedTool:
    """One side of a tool call: its intent, or what came of it."""

    call_id: str
    digest: bytes
    body: bytes

    def __post_init__(self) -> None:
        _bounded("tool call", self.body, MAX_ENTRY_BYTES)


@dataclass(frozen=True, slots=True)
class StoredTool:
    """A tool call as the store has it; ``outcome`` is None while it is pending."""

    call_id: str
    intent: bytes
    outcome: bytes | None


@dataclass(frozen=True, slots=True)
class StoredSession:
    """Everything of one session, as of one moment.

    ``turns`` are in order from number 1, ``tools`` in the order they became pending; ``state`` is
    that of the last turn, None before the first.
    """

    header: SessionHeader
    turns: tuple[bytes, ...] = ()
    state: bytes | None = None
    tools: tuple[StoredTool, ...] = field(default=())


class SessionStore(Protocol):
    """Keeps sessions of one region.

    Every method is one atomic step that has happened, as a whole and lastingly, when it returns.
    One that raises ``StoreBusy``, or is cancelled, may or may not have happened; doing it again
    with the same values is a no-op if it had. Methods may be called at once from many tasks and
    many processes; the steps of one session are ordered by its fence.

    A write checks the epoch *and* the owner in the same step: ``UnknownSession`` when the session
    is not there, then ``SessionEnded``, then ``StaleOwner``. All may raise ``StoreBusy`` and
    ``StoreBroken``.
    """

    async def create(self, session: NewSession, owner: str) -> Fence:
        """Begin a session at epoch 1.

        A repeat with the same session and owner returns the same fence; otherwise an id that is
        taken raises ``SessionExists``.
        """
        ...

    async def header(self, session_id: str, now: float) -> SessionHeader:
        """Look without taking over. Raises ``UnknownSession``, also once it is expired."""
        ...

    async def take(self, session_id: str, owner: str, now: float) -> tuple[Fence, StoredSession]:
        """Take the session over at once; from then on the former owner is stale.

        A repeat by the present owner returns its fence again. An ended session is returned as it
        is, and its owner stays. Raises ``UnknownSession``, also once it is expired.
        """
        ...

    async def read(self, session_id: str, now: float) -> StoredSession:
        """Everything, without taking over. Raises ``UnknownSession``, also once it is expired."""
        ...

    async def erase(self, session_id: str) -> bool:
        """Delete the session with its keys and entries; returns whether it was there.

        It is found by no subject any more; records stay. Whoever owns it is told
        ``UnknownSession`` by the next write. When it returns nothing of it is left in the store's
        files, as far as the store itself can see to that; after ``StoreBusy`` do it again.
        """
        ...

    async def find(self, subject: str, now: float, *, most: int = MAX_FOUND) -> tuple[str, ...]:
        """The ids of the sessions of a subject that are not expired, at most ``most``."""
        ...

    async def at_rest(self, after: str | None = None, *, most: int = PAGE) -> Page:
        """The ids of the sessions that lie here, about ``most``; live, ended and expired ones too.

        The pages together have each session that is there all the while once; one that begins
        meanwhile may be in none.
        """
        ...

    async def commit(self, fence: Fence, turn: SealedTurn) -> None:
        """Write the next turn and the state after it.

        A turn that is already there with the same digest is a no-op. Another digest, or a number
        that leaves a gap, raises ``OutOfStep``; too much of it all ``TooLarge``.
        """
        ...

    async def tool_pending(self, fence: Fence, intent: SealedTool) -> bytes | None:
        """Write that a tool is about to be called; returns its outcome if it has one already.

        A repeat is a no-op. The same call id with another digest raises ``OutOfStep``.
        """
        ...

    async def tool_settled(self, fence: Fence, outcome: SealedTool) -> None:
        """Write what came of a pending call. The first outcome stands.

        A repeat is a no-op. Another digest, or a call that is not pending, raises ``OutOfStep``.
        """
        ...

    async def finish(self, fence: Fence, record: CallRecord, *, after: str | None) -> None:
        """Append the call's record, and end the session if the record says so.

        ``after`` is the call id of the session's latest record as the caller knows it, None when
        there is none; when it is another one, ``Overtaken`` is raised and nothing has happened. The
        record is appended even by a stale owner, whose call took place too; only then, and only if
        it would have ended the session, ``StaleOwner`` is raised. A repeat (same call id) is a
        no-op, whatever is kept by then.
        """
        ...

    async def read_records(
        self, *, session_id: str | None = None, most: int = MAX_RECORDS
    ) -> tuple[CallRecord, ...]:
        """The latest records, at most ``most``, in the order they were appended.

        Those of one session are found without reading the others.
        """
        ...

    async def sweep(self, now: float) -> int:
        """Delete expired sessions with their keys and entries; returns how many. Records stay.

        A store that deletes them by itself when their time comes has none left and returns 0.
        """
        ...

    async def close(self) -> None:
        """Free the store after the steps under way. Idempotent."""
        ...


def _named(subjects: tuple[str, ...]) -> None:
    """A name becomes a part of a key: nothing else may."""
    if not all(_NAME.fullmatch(each) for each in subjects):
        raise ValueError("a subject is named by 32 hex digits")


def _bounded(what: str, body: bytes, most: int) -> None:
    if len(body) > most:
        raise TooLarge(f"a {what} of {len(body)} bytes; at most {most} are kept")
