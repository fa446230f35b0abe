"""Sessions in one SQLite file, shared by the processes of a node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

from edge.session.errors import (
    OutOfStep,
    Overtaken,
    SessionEnded,
    SessionExists,
    StaleOwner,
    TooLarge,
    UnknownSession,
)
from edge.session.records import CallRecord
from edge.session.schema import SESSIONS
from edge.session.sqlite_thread import SqliteThread
from edge.session.store import (
    MAX_FOUND,
    MAX_RECORDS,
    MAX_SESSION_BYTES,
    MAX_SUBJECTS,
    MAX_TOOLS,
    MAX_TURNS,
    PAGE,
    Fence,
    NewSession,
    Page,
    SealedTool,
    SealedTurn,
    SessionHeader,
    StoredSession,
    StoredTool,
)

BUSY_SECONDS = 2.0
"""How long a step waits for other processes before it raises ``StoreBusy``."""
SWEEP_BATCH = 200
"""Sessions deleted per transaction, so that calls are not kept waiting."""

T = TypeVar("T")
_Column: TypeAlias = Any  # SQLite columns carry no type that a checker could see


class SqliteStore:
    """A :class:`~edge.session.store.SessionStore` in a file.

    One thread owns the connection, so no step blocks the event loop; each step is one immediate
    transaction. Cancelling a step does not undo it.
    """

    def __init__(self, database: SqliteThread) -> None:
        self._thread = database
        self._database = database.database

    @classmethod
    async def open(cls, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> Self:
        """Open the file, made if it is not there. Raises ``StoreBroken`` and ``StoreBusy``."""
        return cls(await SqliteThread.open(path, SESSIONS, busy_seconds))

    async def create(self, session: NewSession, owner: str) -> Fence:
        return await self._run(lambda: self._create(session, owner))

    async def header(self, session_id: str, now: float) -> SessionHeader:
        return await self._run(lambda: self._header(session_id, now))

    async def take(self, session_id: str, owner: str, now: float) -> tuple[Fence, StoredSession]:
        return await self._run(lambda: self._take(session_id, owner, now))

    async def commit(self, fence: Fence, turn: SealedTurn) -> None:
        await self._run(lambda: self._commit(fence, turn))

    async def tool_pending(self, fence: Fence, intent: SealedTool) -> bytes | None:
        return await self._run(lambda: self._tool_pending(fence, intent))

    async def tool_settled(self, fence: Fence, outcome: SealedTool) -> None:
        await self._run(lambda: self._tool_settled(fence, outcome))

    async def finish(self, fence: Fence, record: CallRecord, *, after: str | None) -> None:
        stale = await self._run(lambda: self._finish(fence, record, after))
        if stale:
            raise StaleOwner("another owner carries the session on")

    async def read_records(
        self, *, session_id: str | None = None, most: int = MAX_RECORDS
    ) -> tuple[CallRecord, ...]:
        return await self._run(lambda: self._read_records(session_id, most))

    async def sweep(self, now: float) -> int:
        swept = 0
        while True:
            batch = await self._run(lambda: self._sweep(now))
            swept += batch
            if batch < SWEEP_BATCH:
                return swept

    async def read(self, session_id: str, now: float) -> StoredSession:
        return await self._run(lambda: self._read(session_id, now))

    async def erase(self, session_id: str) -> bool:
        erased = await self._run(lambda: self._erase(session_id))
        await self._thread.clear_log()
        return erased

    async def find(self, subject: str, now: float, *, most: int = MAX_FOUND) -> tuple[str, ...]:
        return await self._run(lambda: self._find(subject, now, most))

    async def at_rest(self, after: str | None = None, *, most: int = PAGE) -> Page:
        return await self._run(lambda: self._at_rest(after or "", most))

    async def close(self) -> None:
        await self._thread.close()

    async def _run(self, step: Callable[[], T]) -> T:
        return await self._thread.run(step)

    # --- steps, each inside a transaction on the store's thread -------------------------------

    def _create(self, session: NewSession, owner: str) -> Fence:
        fence = Fence(session.session_id, 1, owner)
        row = self._one(
            "SELECT agent, tag, epoch, owner FROM session WHERE id = ?", session.session_id
        )
        if row == (session.agent, session.tag, fence.epoch, fence.owner):
            return fence
        if row is not None:
            raise SessionExists("a session of this id is there already")
        self._database.execute(
            "INSERT INTO session (id, agent, tag, epoch, owner, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                session.session_id,
                session.agent,
                session.tag,
                fence.epoch,
                fence.owner,
                session.created_at,
                session.expires_at,
            ),
        )
        self._database.executemany(
            "INSERT INTO wrap (session, region, body) VALUES (?, ?, ?)",
            [(session.session_id, region, body) for region, body in session.wraps.items()],
        )
        self._mark(session.session_id, session.subjects)
        return fence

    def _header(self, session_id: str, now: float) -> SessionHeader:
        row = self._one(
            "SELECT agent, tag, ended FROM session WHERE id = ? AND expires_at > ?", session_id, now
        )
        if row is None:
            raise UnknownSession("there is no such session, or it is expired")
        wraps = self._all("SELECT region, body FROM wrap WHERE session = ?", session_id)
        return SessionHeader(row[0], row[1], dict(wraps), bool(row[2]))

    def _take(self, session_id: str, owner: str, now: float) -> tuple[Fence, StoredSession]:
        header = self._header(session_id, now)
        row = self._one("SELECT epoch, owner, state FROM session WHERE id = ?", session_id)
        assert row is not None  # the header was there in this very transaction
        epoch, present, state = row
        if present != owner and not header.ended:
            epoch += 1
            self._database.execute(
                "UPDATE session SET epoch = ?, owner = ? WHERE id = ?", (epoch, owner, session_id)
            )
        return Fence(session_id, epoch, owner), self._stored(session_id, header, state)

    def _read(self, session_id: str, now: float) -> StoredSession:
        header = self._header(session_id, now)
        row = self._one("SELECT state FROM session WHERE id = ?", session_id)
        assert row is not None  # the header was there in this very transaction
        return self._stored(session_id, header, row[0])

    def _stored(self, session_id: str, header: SessionHeader, state: bytes | None) -> StoredSession:
        turns = self._all("SELECT body FROM turn WHERE session = ? ORDER BY number", session_id)
        tools = self._all(
            "SELECT call_id, intent, outcome FROM tool WHERE session = ? ORDER BY place", session_id
        )
        return StoredSession(
            header,
            tuple(body for (body,) in turns),
            state,
            tuple(StoredTool(*tool) for tool in tools),
        )

    def _erase(self, session_id: str) -> bool:
        return bool(
            self._database.execute("DELETE FROM session WHERE id = ?", (session_id,)).rowcount
        )

    def _commit(self, fence: Fence, turn: SealedTurn) -> None:
        last, _ = self._check(fence)
        if turn.number <= last:
            row = self._one(
                "SELECT digest FROM turn WHERE session = ? AND number = ?",
                fence.session_id,
                turn.number,
            )
            if row is None or row[0] != turn.digest:
                raise OutOfStep(f"turn {turn.number} is committed with other words")
            return
        if turn.number != last + 1:
            raise OutOfStep(f"turn {turn.number} does not follow turn {last}")
        if turn.number > MAX_TURNS:
            raise TooLarge(f"a session has at most {MAX_TURNS} turns")
        self._grow(fence, len(turn.body))
        self._database.execute(
            "INSERT INTO turn (session, number, digest, body) VALUES (?, ?, ?, ?)",
            (fence.session_id, turn.number, turn.digest, turn.body),
        )
        self._database.execute(
            "UPDATE session SET turn = ?, state = ? WHERE id = ?",
            (turn.number, turn.state, fence.session_id),
        )
        self._mark(fence.session_id, turn.subjects)

    def _tool_pending(self, fence: Fence, intent: SealedTool) -> bytes | None:
        _, tools = self._check(fence)
        row = self._one(
            "SELECT intent_digest, outcome FROM tool WHERE session = ? AND call_id = ?",
            fence.session_id,
            intent.call_id,
        )
        if row is not None:
            digest, outcome = row
            if digest != intent.digest:
                raise OutOfStep("this call id stands for another tool call")
            return None if outcome is None else bytes(outcome)
        if tools >= MAX_TOOLS:
            raise TooLarge(f"a session has at most {MAX_TOOLS} tool calls")
        self._grow(fence, len(intent.body))
        self._database.execute(
            "INSERT INTO tool (session, call_id, place, intent_digest, intent)"
            " VALUES (?, ?, ?, ?, ?)",
            (fence.session_id, intent.call_id, tools + 1, intent.digest, intent.body),
        )
        self._database.execute(
            "UPDATE session SET tools = ? WHERE id = ?", (tools + 1, fence.session_id)
        )
        return None

    def _tool_settled(self, fence: Fence, outcome: SealedTool) -> None:
        self._check(fence)
        row = self._one(
            "SELECT outcome_digest FROM tool WHERE session = ? AND call_id = ?",
            fence.session_id,
            outcome.call_id,
        )
        if row is None:
            raise OutOfStep("this tool call was never pending")
        if row[0] is not None:
            if row[0] != outcome.digest:
                raise OutOfStep("this tool call is settled otherwise")
            return
        self._grow(fence, len(outcome.body))
        self._database.execute(
            "UPDATE tool SET outcome_digest = ?, outcome = ? WHERE session = ? AND call_id = ?",
            (outcome.digest, outcome.body, fence.session_id, outcome.call_id),
        )

    def _finish(self, fence: Fence, record: CallRecord, after: str | None) -> bool:
        """Returns whether the session was another owner's to end."""
        self._append(record, after)
        if not record.ends_session:
            return False
        try:
            self._check(fence)
        except (SessionEnded, UnknownSession):  # swept, or ended by the first of two tries
            return False
        except StaleOwner:
            return True
        self._database.execute("UPDATE session SET ended = 1 WHERE id = ?", (fence.session_id,))
        return False

    def _append(self, record: CallRecord, after: str | None) -> None:
        if self._one("SELECT 1 FROM record WHERE call_id = ?", record.call_id) is not None:
            return
        last = self._one(
            "SELECT call_id FROM record WHERE session = ? ORDER BY place DESC LIMIT 1",
            record.session_id,
        )
        if after != (None if last is None else last[0]):
            raise Overtaken("another call of the session left its record first")
        self._database.execute(
            "INSERT INTO record (call_id, session, body) VALUES (?, ?, ?)",
            (record.call_id, record.session_id, record.model_dump_json()),
        )

    def _read_records(self, session_id: str | None, most: int) -> tuple[CallRecord, ...]:
        if session_id is None:
            rows = self._all("SELECT body FROM record ORDER BY place DESC LIMIT ?", most)
        else:
            rows = self._all(
                "SELECT body FROM record WHERE session = ? ORDER BY place DESC LIMIT ?",
                session_id,
                most,
            )
        return tuple(CallRecord.model_validate_json(body) for (body,) in reversed(rows))

    def _find(self, subject: str, now: float, most: int) -> tuple[str, ...]:
        rows = self._all(
            "SELECT id FROM subject JOIN session ON id = session"
            " WHERE name = ? AND expires_at > ? LIMIT ?",
            subject,
            now,
            most,
        )
        return tuple(found for (found,) in rows)

    def _at_rest(self, after: str, most: int) -> Page:
        rows = self._all("SELECT id FROM session WHERE id > ? ORDER BY id LIMIT ?", after, most)
        ids = tuple(found for (found,) in rows)
        return Page(ids, ids[-1] if ids else None)

    def _sweep(self, now: float) -> int:
        return self._database.execute(
            "DELETE FROM session WHERE id IN"
            " (SELECT id FROM session WHERE expires_at <= ? LIMIT ?)",
            (now, SWEEP_BATCH),
        ).rowcount

    # --- parts of steps -----------------------------------------------------------------------

    def _check(self, fence: Fence) -> tuple[int, int]:
        """How many turns and tool calls there are, if ``fence`` still owns the session."""
        row = self._one(
            "SELECT epoch, owner, ended, turn, tools FROM session WHERE id = ?", fence.session_id
        )
        if row is None:
            raise UnknownSession("there is no such session any more")
        epoch, owner, ended, turn, tools = row
        if ended:
            raise SessionEnded("the session is over")
        if (epoch, owner) != (fence.epoch, fence.owner):
            raise StaleOwner("another owner carries the session on")
        return turn, tools

    def _mark(self, session_id: str, subjects: tuple[str, ...]) -> None:
        for name in subjects:
            self._database.execute(
                "INSERT OR IGNORE INTO subject (session, name) SELECT ?1, ?2"
                " WHERE (SELECT count(*) FROM subject WHERE session = ?1) < ?3",
                (session_id, name, MAX_SUBJECTS),
            )

    def _grow(self, fence: Fence, size: int) -> None:
        grown = self._database.execute(
            "UPDATE session SET bytes = bytes + ?1 WHERE id = ?2 AND bytes + ?1 <= ?3",
            (size, fence.session_id, MAX_SESSION_BYTES),
        )
        if grown.rowcount == 0:
            raise TooLarge(f"a session holds at most {MAX_SESSION_BYTES} bytes")

    def _one(self, query: str, *values: str | float | None) -> tuple[_Column, ...] | None:
        row: tuple[_Column, ...] | None = self._database.execute(query, values).fetchone()
        return row

    def _all(self, query: str, *values: str | float | None) -> list[tuple[_Column, ...]]:
        return self._database.execute(query, values).fetchall()
