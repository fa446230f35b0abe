"""What a node's dispatcher writes into the audit log, without keeping a call waiting."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from edge.audit import Event, Fact
from edge.audit_heads import AUDIT_PURPOSE, FIELD, HeadKey
from edge.audit_log import AuditError, AuditLog, Happened
from edge.clock import Clock
from edge.internal import Admitted, CallOpened
from edge.problem import EdgeRefusal
from edge.section import HomePath, Section
from edge.session.keys import LocalKeyFile

SIGN_SECONDS = 60.0
"""At most this long what was written stays without a signed head."""
SIGN_ENTRIES = 100
"""So many entries are signed for at once."""
MAX_WAITING = 10_000
"""Entries that wait while the file cannot be written; further ones are counted and lost."""

log = logging.getLogger(__name__)


class AuditSettings(Section):
    """Where the audit log of a node is, and its signed heads; both in ``data`` by default.

    The heads are also in the node's own log. They are worth something where whoever can write to
    the one place cannot write to the other.
    """

    log: HomePath | None = None
    heads: HomePath | None = None


class Audit(Protocol):
    """What is to be written down of callers. Nothing here waits or fails."""

    def opened(self, caller: Admitted) -> None:
        """A session was begun or resumed: its keys were made or opened."""
        ...

    def carried(self, caller: Admitted, region: str) -> None:
        """A session that began in ``region`` goes on here from its replica: keys were made."""
        ...

    def refused(self, caller: Admitted, code: str) -> None:
        """A caller with a token that counts got no session, for this reason."""
        ...

    def stranger(self, code: str) -> None:
        """A caller showed no token that counts here. Counted: anybody can do that, often."""
        ...

    def receipts_read(self, tenant: str, session_id: str) -> None:
        """An operator read a session's receipts."""
        ...

    def policy_in_force(self, serial: int, policy: str) -> None:
        """A policy bundle is the law from here on."""
        ...

    def policy_refused(self, code: str) -> None:
        """One was not put in force, for this reason."""
        ...


class Unaudited:
    """An :class:`Audit` that writes nothing down."""

    def opened(self, caller: Admitted) -> None:
        pass

    def carried(self, caller: Admitted, region: str) -> None:
        pass

    def refused(self, caller: Admitted, code: str) -> None:
        pass

    def stranger(self, code: str) -> None:
        pass

    def receipts_read(self, tenant: str, session_id: str) -> None:
        pass

    def policy_in_force(self, serial: int, policy: str) -> None:
        pass

    def policy_refused(self, code: str) -> None:
        pass


@dataclass(slots=True)
class Outcome:
    """What is learnt of a session while it is opened."""

    session_id: str
    carried_from: str | None = None

    def carried(self, opened: CallOpened) -> None:
        """The call stands; it may be of a session that began in another region."""
        self.session_id = opened.session_id or self.session_id
        self.carried_from = opened.carried_from


@contextmanager
def audited(audit: Audit, caller: Admitted) -> Iterator[Outcome]:
    """Write down what comes of opening a session for a caller."""
    outcome = Outcome(caller.session_id)
    try:
        yield outcome
    except EdgeRefusal as refusal:
        audit.refused(caller, refusal.code)
        raise
    session = caller.model_copy(update={"session_id": outcome.session_id})
    if outcome.carried_from is None:
        audit.opened(session)
    else:
        audit.carried(session, outcome.carried_from)


class AuditTrail:
    """An :class:`Audit` that writes to a log, in a thread, in batches.

    :meth:`begin` before, :meth:`run` while the node serves, :meth:`end` after. While the file
    cannot be written entries wait, and the node's log says so.
    """

    def __init__(self, audit_log: AuditLog, clock: Clock) -> None:
        self._log = audit_log
        # One thread of its own: entries stay in order, and the loop's own executor is left to
        # names that have to be resolved.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._clock = clock
        self._waiting: list[Happened] = []
        self._strangers: Counter[str] = Counter()
        self._lost = 0
        self._unsigned = 0
        self._woken = asyncio.Event()
        self._complained = False

    async def begin(self, **facts: Fact) -> None:
        """Write that the node starts. Raises ``AuditError`` where nothing can be written."""
        started = Happened(self._clock.wall(), "node_started", facts)
        await self._append([started], sign=True)

    async def run(self) -> None:
        """Write until cancelled."""
        signed = self._clock.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SIGN_SECONDS):
                    await self._woken.wait()
            late = self._clock.monotonic() - signed >= SIGN_SECONDS
            await self._flush(sign=late)
            if late:
                signed = self._clock.monotonic()

    async def end(self) -> None:
        """Write what waits, and that the node stops."""
        self._note("node_stopped")
        await self._flush(sign=True)

    def opened(self, caller: Admitted) -> None:
        event: Event = "session_resumed" if caller.resumed else "session_begun"
        self._note(event, **_of(caller))

    def carried(self, caller: Admitted, region: str) -> None:
        self._note("session_carried", **_of(caller), carried_from=region)

    def refused(self, caller: Admitted, code: str) -> None:
        self._note("session_refused", **_of(caller), code=code, resumed=caller.resumed)

    def stranger(self, code: str) -> None:
        self._strangers[code] += 1

    def receipts_read(self, tenant: str, session_id: str) -> None:
        self._note("receipts_read", tenant=tenant, session=session_id)

    def policy_in_force(self, serial: int, policy: str) -> None:
        self._note("policy_in_force", serial=serial, policy=policy)

    def policy_refused(self, code: str) -> None:
        self._note("policy_refused", code=code)

    def _note(self, event: Event, **facts: Fact) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._lost += 1
            return
        self._waiting.append(Happened(self._clock.wall(), event, facts))
        self._woken.set()

    async def _append(self, entries: list[Happened], *, sign: bool) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, partial(self._log.append, entries, sign=sign))

    async def _flush(self, *, sign: bool) -> None:
        self._woken.clear()
        if sign:
            self._count()
        batch = self._waiting[:]
        self._unsigned += len(batch)
        sign = (sign and self._unsigned > 0) or self._unsigned >= SIGN_ENTRIES
        if not batch and not sign:
            return
        try:
            await self._append(batch, sign=sign)
        except AuditError as error:
            self._unsigned -= len(batch)
            if not self._complained:
                log.error("audit log not written", extra={"reason": str(error)})
            self._complained = True
            return
        self._complained = False
        del self._waiting[: len(batch)]
        if sign:
            self._unsigned = 0

    def _count(self) -> None:
        """Turn what was only counted into entries."""
        counted = dict(self._strangers.most_common(19))
        if self._lost:
            counted["not_written"] = self._lost
        self._strangers.clear()
        self._lost = 0
        if counted:
            self._note("strangers_refused", **counted)


def open_log(
    settings: AuditSettings, data: Path, key: LocalKeyFile, *, who: str, clock: Clock
) -> AuditLog:
    """The log of a node with these settings, which ``who`` writes to."""
    return AuditLog(
        settings.log or data / "audit.jsonl",
        settings.heads or data / "audit.heads",
        region=key.region,
        who=who,
        key=HeadKey(key.subkey(AUDIT_PURPOSE)),
        clock=clock,
        tell=lambda head: log.info("audit head", extra={FIELD: head}),
    )


def digest_of(value: object) -> str:
    """SHA-256 of a value's canonical JSON: says that settings changed, not what they are."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _of(caller: Admitted) -> dict[str, Fact]:
    return {"session": caller.session_id, "tenant": caller.tenant, "agent": caller.agent}
