"""A busy store is waited for; a lost session is not."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from edge.call_builder import JournalLedger
from edge.events import JsonValue, ToolRecord, Turn
from edge.patience import COMMIT_PAUSES, LONGEST_SECONDS, PatientJournal
from edge.session.errors import StaleOwner, StoreBusy
from edge.session.journal import Journal

TURN = Turn(1, "yes", "", False, 0.0)


class FlakyJournal:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.committed = 0

    async def commit(self, turn: Turn, state: JsonValue) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.committed += 1


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.patience.COMMIT_PAUSES", (0.0,) * len(COMMIT_PAUSES))


async def test_busy_store_is_tried_again() -> None:
    journal = FlakyJournal(StoreBusy("locked"), StoreBusy("locked"))
    await PatientJournal(cast(Journal, journal)).commit(TURN, {})
    assert journal.committed == 1


def test_a_turn_is_tried_for_longer_than_sentinels_take() -> None:
    """Two seconds until a primary counts as down (docs/edge.md), and as many to choose another."""
    assert 4.0 < sum(COMMIT_PAUSES) < LONGEST_SECONDS


async def test_store_that_stays_busy_is_given_up() -> None:
    journal = FlakyJournal(*[StoreBusy("locked")] * (len(COMMIT_PAUSES) + 1))
    with pytest.raises(StoreBusy):
        await PatientJournal(cast(Journal, journal)).commit(TURN, {})


async def test_a_store_that_hangs_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.patience.LONGEST_SECONDS", 0.0)

    class Hanging(FlakyJournal):
        async def commit(self, turn: Turn, state: JsonValue) -> None:
            await asyncio.Event().wait()

    with pytest.raises(StoreBusy, match="too long"):
        await PatientJournal(cast(Journal, Hanging())).commit(TURN, {})


async def test_taken_over_session_is_not_tried_again() -> None:
    journal = FlakyJournal(StaleOwner("taken"))
    with pytest.raises(StaleOwner):
        await PatientJournal(cast(Journal, journal)).commit(TURN, {})
    assert journal.committed == 0


async def test_a_tool_call_is_written_down_through_a_busy_store_too() -> None:
    class Busy(FlakyJournal):
        async def tool_pending(self, *intent: object) -> None:
            await self.commit(TURN, {})

        async def tool_settled(self, record: object) -> None:
            await self.commit(TURN, {})

    journal = Busy(StoreBusy("failing over"), StoreBusy("failing over"))
    ledger = JournalLedger(cast(Journal, journal))
    await ledger.pending("s:1:1", "book", {})
    journal.errors = [StoreBusy("failing over")]
    await ledger.settled(ToolRecord("s:1:1", "book", {}, True, {}))
    assert journal.committed == 2
