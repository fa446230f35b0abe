"""What a law that is tightened during a call leaves of its journal and its receipt."""

from __future__ import annotations

import jwt
import pytest

from edge.ledger import Ledger, Place
from edge.session.account import Notary
from edge.session.errors import SessionEnded
from edge.session.keys import LocalKeyFile
from edge.session.receipt import Receipt, read_receipt
from edge.session.sqlite import SqliteStore
from regions.models import DataClass, Operation
from tests.edge.session.parts import (
    EU,
    RECEIPT_KEYS,
    RECEIPTS,
    SESSION,
    begin,
    record,
    take_over,
    tool,
    turn,
)
from tests.edge.session.test_receipt import KEY, KEYS, receipt
from tests.fakes.clock import FakeClock

WEST = "eu-west-1"
AUDIO = DataClass.AUDIO


def account(notary: Notary) -> Receipt:
    """The receipt of a call that ends now."""
    return read_receipt(notary.sign(record(), leg=1, before=None), RECEIPT_KEYS)


def notary() -> tuple[Notary, Ledger, FakeClock]:
    clock = FakeClock()
    ledger = Ledger(clock)
    return Notary(ledger, RECEIPTS, {AUDIO: (EU, WEST)}), ledger, clock


def used(ledger: Ledger, region: str) -> None:
    ledger.touch(Place("model", region, region), AUDIO, Operation.PROCESS, sent=1)


def test_what_was_lawful_before_the_law_changed_was_inside() -> None:
    books, ledger, clock = notary()
    used(ledger, WEST)
    books.narrow({AUDIO: (EU,)}, "2#bbbbbbbbbbbb", clock.wall())
    clock.advance(1)
    used(ledger, EU)
    assert account(books).outside == ()


def test_what_went_there_afterwards_was_outside() -> None:
    books, ledger, clock = notary()
    used(ledger, WEST)
    books.narrow({AUDIO: (EU,)}, "2#bbbbbbbbbbbb", clock.wall())
    clock.advance(1)
    used(ledger, WEST)
    (line,) = account(books).outside
    assert line.region == WEST


def test_each_line_is_held_to_the_law_of_its_last_moment() -> None:
    books, ledger, clock = notary()
    for allowed, place in (((EU, WEST), WEST), ((EU,), EU), ((), EU)):
        clock.advance(1)
        books.narrow({AUDIO: allowed}, "2#bbbbbbbbbbbb", clock.wall())
        clock.advance(1)
        used(ledger, place)
    (line,) = account(books).outside
    assert (line.region, line.last) == (EU, clock.wall())


def test_a_region_that_was_never_allowed_is_outside_at_any_time() -> None:
    books, ledger, clock = notary()
    used(ledger, "us-east-1")
    clock.advance(1)
    books.narrow({AUDIO: (EU,)}, "2#bbbbbbbbbbbb", clock.wall())
    assert [line.region for line in account(books).outside] == ["us-east-1"]


def test_the_change_is_signed_with_its_law_and_its_time() -> None:
    books, _, clock = notary()
    books.narrow({AUDIO: ()}, "2#bbbbbbbbbbbb", clock.wall())
    (change,) = account(books).narrowed
    assert (change.at, change.policy, change.allowed) == (
        clock.wall(),
        "2#bbbbbbbbbbbb",
        {AUDIO: ()},
    )


def test_a_receipt_without_a_change_reads_as_it_did_before() -> None:
    """Programs of the version before refuse keys that they do not know."""
    payload = jwt.api_jws.decode(KEY.sign(receipt()), KEY.public, algorithms=["EdDSA"])
    assert b"narrowed" not in payload
    assert read_receipt(KEY.sign(receipt()), KEYS).narrowed == ()


async def test_a_journal_that_is_shut_takes_the_calls_record_and_nothing_else(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    journal = await begin(store, keys)
    await journal.commit(turn(1), {"step": "greeting"})
    await journal.tool_pending("s:1:1", "book", {})
    journal.shut()
    counted = journal.books.notary.ledger.entries
    with pytest.raises(SessionEnded):
        await journal.commit(turn(2), {})
    with pytest.raises(SessionEnded):
        await journal.tool_pending("s:2:1", "book", {})
    with pytest.raises(SessionEnded):
        await journal.tool_settled(tool())
    assert journal.books.notary.ledger.entries == counted
    await journal.finish(record(reason="policy"))
    (kept,) = await store.read_records(session_id=SESSION, most=5)
    assert kept.reason == "policy"


async def test_a_session_that_the_law_ended_is_over(store: SqliteStore, keys: LocalKeyFile) -> None:
    journal = await begin(store, keys)
    await journal.commit(turn(1), {})
    await journal.finish(record(reason="policy"))
    _, history = await take_over(store, keys)
    assert history.ended
