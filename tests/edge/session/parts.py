"""What the session tests share: a clock that is told the time, keys, tags, records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.events import ToolRecord, Turn
from edge.ledger import Ledger, Place
from edge.session.account import Books, Notary
from edge.session.history import History
from edge.session.journal import Journal
from edge.session.keys import LocalKeyFile
from edge.session.receipt import ReceiptKey
from edge.session.records import CallRecord, EndReason
from edge.session.store import Fence, SessionStore
from regions.models import DataClass
from regions.tag import ResidencyTag

EU, IN = "eu-central-1", "ap-south-1"
SESSION = "s_0123456789abcdefghijkl"
OTHER = "s_zzzzzzzzzzzzzzzzzzzzzz"
NOW = 4_000_000_000.0
"""Later than any machine's own time: a database that deletes what expires does so by its clock."""


RECEIPTS = ReceiptKey(b"k" * 32)
RECEIPT_KEYS = {RECEIPTS.key_id: RECEIPTS.public}
HOST = Place("host", "eu-central-1-a", EU)
STORE = Place("store", "sqlite", EU)


@dataclass
class ManualClock:
    """A clock that stands still until a test moves it."""

    now: float = NOW

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


def tag_for(session_id: str = SESSION, regions: tuple[str, ...] = (EU,)) -> ResidencyTag:
    return ResidencyTag(
        tenant="clinic",
        jurisdictions=("eea",),
        data_class=DataClass.TRANSCRIPT,
        allowed_regions=regions,
        policy="2026-11-21.1#0123456789ab",
        session=session_id,
        expires_at=int(NOW) + 3600,
    )


def key_file(folder: Path, region: str = EU) -> LocalKeyFile:
    return LocalKeyFile.open(folder / f"{region}.key", region)


def books(clock: ManualClock | None = None) -> Books:
    """A call's books, with nothing in them yet."""
    allowed = dict.fromkeys((DataClass.TRANSCRIPT, DataClass.VARIABLES), (EU,))
    return Books(Notary(Ledger(clock or ManualClock()), RECEIPTS, allowed), HOST, STORE)


def turn(number: int, words: str = "hello", tools: tuple[ToolRecord, ...] = ()) -> Turn:
    return Turn(number, words, f"you said {words}", False, NOW + number, tools)


def tool(call_id: str = "s:1:1", ok: bool = True) -> ToolRecord:
    return ToolRecord(call_id, "book", {"day": "monday", "slots": [1, 2]}, ok, {"id": 7})


def record(
    call_id: str = "c_1", reason: EndReason = "completed", session_id: str = SESSION
) -> CallRecord:
    return CallRecord(
        call_id=call_id,
        session_id=session_id,
        tenant="clinic",
        agent="reception",
        region=EU,
        node="eu-central-1-a",
        leg="webrtc",
        jurisdictions=("eea",),
        policy="2026-11-21.1#0123456789ab",
        started_at=NOW,
        answered_at=NOW + 1,
        ended_at=NOW + 60,
        reason=reason,
        turns=3,
        barge_ins=1,
        tool_calls=1,
    )


async def begin(
    store: SessionStore,
    keys: LocalKeyFile,
    session_id: str = SESSION,
    owner: str = "first",
    clock: ManualClock | None = None,
) -> Journal:
    return await Journal.begin(
        store,
        keys,
        session_id=session_id,
        tag=tag_for(session_id),
        agent="reception",
        owner=owner,
        clock=clock or ManualClock(),
        books=books(clock),
    )


async def take_over(
    store: SessionStore,
    keys: LocalKeyFile,
    session_id: str = SESSION,
    owner: str = "second",
    region: str = EU,
    clock: ManualClock | None = None,
) -> tuple[Journal, History]:
    return await Journal.take_over(
        store,
        keys,
        session_id=session_id,
        region=region,
        owner=owner,
        clock=clock or ManualClock(),
        books=books(clock),
    )


async def finish(store: SessionStore, fence: Fence, record: CallRecord) -> None:
    """Leave the record of a call after the latest one of its session."""
    latest = await store.read_records(session_id=record.session_id, most=1)
    await store.finish(fence, record, after=latest[0].call_id if latest else None)
