"""One tenant's sessions in Redis (7 or later) or Valkey, shared by all nodes of a region."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence

from edge.session import redis_scripts as scripts
from edge.session.errors import (
    OutOfStep,
    Overtaken,
    SessionEnded,
    SessionError,
    SessionExists,
    StaleOwner,
    StoreBroken,
    StoreBusy,
    TooLarge,
    UnknownSession,
)
from edge.session.records import CallRecord
from edge.session.redis_tenants import Argument, TenantRedis, Value
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

MAX_WAITING = 1_000
"""Steps that may be under way or wait for a connection."""
_SESSION_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")
"""What may stand between the braces of a key: nothing that ends them."""


class RedisStore:
    """A :class:`~edge.session.store.SessionStore` under the prefix ``inland:<tenant>:``.

    Each step is one script, within ``STEP_SECONDS``. A session is one key, deleted by the server at
    its ``expires_at``, so there is nothing to sweep. Without sentinels what a step wrote is on the
    primary alone: a replica that takes over may lack the last moments, as a file may after a power
    cut; the fence then keeps two owners apart.

    Cluster mode is not spoken: a record belongs to the tenant, its session to another slot.
    """

    def __init__(self, redis: TenantRedis, tenant: str) -> None:
        self._redis = redis
        self._prefix = f"inland:{tenant}:"
        self._records = f"{self._prefix}records"
        self._order = f"{self._prefix}records:order"
        self._sessions = f"{self._prefix}records:sessions"
        self._index = f"{self._prefix}sessions"
        self._closed = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def create(self, session: NewSession, owner: str) -> Fence:
        wraps: list[Argument] = ["regions", " ".join(session.wraps)]
        for region, body in session.wraps.items():
            wraps += [f"wrap:{region}", body]
        await self._run(
            "CREATE",
            (*self._key(session.session_id), *self._subjects(session.subjects), self._index),
            session.agent,
            session.tag,
            owner,
            session.created_at,
            session.expires_at,
            " ".join(session.subjects),
            MAX_SUBJECTS,
            *wraps,
        )
        return Fence(session.session_id, 1, owner)

    async def header(self, session_id: str, now: float) -> SessionHeader:
        agent, tag, ended, *wraps = await self._run("HEADER", self._key(session_id), now)
        return SessionHeader(
            agent.decode(),
            tag,
            {region.decode(): body for region, body in _pairs(wraps)},
            ended is not None,
        )

    async def take(self, session_id: str, owner: str, now: float) -> tuple[Fence, StoredSession]:
        epoch, flat = await self._run("TAKE", self._key(session_id), now, owner)
        fields = dict(_pairs(flat))
        return Fence(session_id, int(epoch), owner), _stored(fields)

    async def read(self, session_id: str, now: float) -> StoredSession:
        (flat,) = await self._run("READ", self._key(session_id), now)
        return _stored(dict(_pairs(flat)))

    async def erase(self, session_id: str) -> bool:
        known = b""
        for _ in range(MAX_SUBJECTS + 2):  # each time it may have got more of them
            subjects = self._subjects(known.decode().split())
            keys = (*self._key(session_id), *subjects, self._index)
            erased, now_known = await self._run("ERASE", keys, known)
            if erased is not None:
                return bool(erased)
            known = now_known
        raise StoreBusy("the session's subjects change all the time")

    async def find(self, subject: str, now: float, *, most: int = MAX_FOUND) -> tuple[str, ...]:
        found = await self._run("FIND", self._subjects((subject,)), now, most)
        return tuple(each.decode() for each in found)

    async def at_rest(self, after: str | None = None, *, most: int = PAGE) -> Page:
        last, *ids = await self._run("AT_REST", (self._index,), after or "-inf", most)
        return Page(
            tuple(each.decode() for each in ids), None if last is None else f"({last.decode()}"
        )

    async def commit(self, fence: Fence, turn: SealedTurn) -> None:
        await self._run(
            "COMMIT",
            (*self._key(fence.session_id), *self._subjects(turn.subjects)),
            fence.epoch,
            fence.owner,
            turn.number,
            turn.digest,
            turn.body,
            turn.state,
            MAX_TURNS,
            MAX_SESSION_BYTES,
            " ".join(turn.subjects),
            MAX_SUBJECTS,
        )

    async def tool_pending(self, fence: Fence, intent: SealedTool) -> bytes | None:
        (outcome,) = await self._run(
            "TOOL_PENDING",
            self._key(fence.session_id),
            fence.epoch,
            fence.owner,
            intent.call_id,
            intent.digest,
            intent.body,
            MAX_TOOLS,
            MAX_SESSION_BYTES,
        )
        return None if outcome is None else bytes(outcome)

    async def tool_settled(self, fence: Fence, outcome: SealedTool) -> None:
        await self._run(
            "TOOL_SETTLED",
            self._key(fence.session_id),
            fence.epoch,
            fence.owner,
            outcome.call_id,
            outcome.digest,
            outcome.body,
            MAX_SESSION_BYTES,
        )

    async def finish(self, fence: Fence, record: CallRecord, *, after: str | None) -> None:
        await self._run(
            "FINISH",
            (*self._key(fence.session_id), self._records, self._order, self._sessions),
            fence.epoch,
            fence.owner,
            record.call_id,
            record.model_dump_json(),
            MAX_RECORDS,
            int(record.ends_session),
            record.session_id,
            after or "",
        )

    async def read_records(
        self, *, session_id: str | None = None, most: int = MAX_RECORDS
    ) -> tuple[CallRecord, ...]:
        if session_id is None:
            bodies = await self._run("READ_RECORDS", (self._records, self._order), most)
        else:
            keys = (self._records, self._sessions)
            bodies = await self._run("READ_SESSION", keys, session_id, most)
        return tuple(CallRecord.model_validate_json(body) for body in bodies)

    async def sweep(self, now: float) -> int:
        return 0

    async def close(self) -> None:
        self._closed = True
        await self._idle.wait()
        await self._redis.close()

    def _key(self, session_id: str) -> tuple[str]:
        if _SESSION_ID.fullmatch(session_id) is None:
            raise ValueError("a session id is 1 to 64 letters, digits, dots, dashes, underscores")
        return (f"{self._prefix}{{{session_id}}}:journal",)

    def _subjects(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(f"{self._prefix}subject:{name}" for name in names)

    async def _run(self, name: str, keys: Sequence[str], *arguments: Argument) -> list[Value]:
        """What the script answers after its first word, which is raised unless it is ``ok``."""
        if self._closed:
            raise StoreBroken("the session store is closed")
        if self._running >= MAX_WAITING:
            raise StoreBusy("the session store has too many steps waiting")
        self._running += 1
        self._idle.clear()
        try:
            answer = await self._redis.run(getattr(scripts, name), keys, *arguments)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
        try:
            values: list[Value]
            became, *values = answer
            if became == b"ok":
                return values
            refusal = _REFUSALS[became]
        except (TypeError, ValueError, KeyError) as error:
            raise StoreBroken("the session store gave an answer that nobody meant") from error
        raise refusal[0](refusal[1])


_REFUSALS: dict[bytes, tuple[type[SessionError], str]] = {
    b"unknown": (UnknownSession, "there is no such session, or it is expired"),
    b"exists": (SessionExists, "a session of this id is there already"),
    b"ended": (SessionEnded, "the session is over"),
    b"stale": (StaleOwner, "another owner carries the session on"),
    b"overtaken": (Overtaken, "another call of the session left its record first"),
    b"gap": (OutOfStep, "the turn does not follow the last one"),
    b"rewritten": (OutOfStep, "this entry is written with other words"),
    b"not-pending": (OutOfStep, "this tool call was never pending"),
    b"many": (TooLarge, f"a session has at most {MAX_TURNS} turns and {MAX_TOOLS} tool calls"),
    b"big": (TooLarge, f"a session holds at most {MAX_SESSION_BYTES} bytes"),
}


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _stored(fields: dict[bytes, bytes]) -> StoredSession:
    """A session out of its hash. Raises ``StoreBroken`` when a part is missing."""
    try:
        wraps = {
            region.decode(): fields[b"wrap:" + region] for region in fields[b"regions"].split()
        }
        ids = [fields[b"tool:%d" % place] for place in range(1, int(fields[b"tools"]) + 1)]
        return StoredSession(
            SessionHeader(fields[b"agent"].decode(), fields[b"tag"], wraps, b"ended" in fields),
            tuple(fields[b"turn:%d" % n] for n in range(1, int(fields[b"turns"]) + 1)),
            fields.get(b"state"),
            tuple(
                StoredTool(name.decode(), fields[b"intent:" + name], fields.get(b"outcome:" + name))
                for name in ids
            ),
        )
    except (KeyError, ValueError) as error:
        raise StoreBroken("the session's journal lacks a part") from error
