"""A call ends with a reason, a record and nothing open, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from edge.call import Call
from edge.events import (
    Act,
    Expectation,
    Handover,
    HandoverTarget,
    JsonValue,
    Say,
    ToolRecord,
    Turn,
)
from edge.identity import CallIdentity, ResumeGrant
from edge.ledger import Entry, Ledger
from edge.leg import LegEnd, LegError, TransferRequest, TransferResult
from edge.media.frames import Band, Samples
from edge.media.playout import Playout
from edge.metrics import WorkerMetrics
from edge.session.errors import StaleOwner, StoreBusy
from edge.session.journal import Journal
from edge.session.records import CallRecord
from edge.speech.listener import Listener
from edge.speech.speaker import Speaker
from regions.models import DataClass, Operation
from tests.edge.session.parts import books
from tests.edge.talk import FakeEar, FakeMouth, ScriptedConductor
from tests.fakes.clock import FakeClock

WHO = CallIdentity(
    call_id="rtc_w0_abc",
    session_id="s_" + "a" * 22,
    tenant="demo-clinic",
    agent="clinic-reception",
    language="en-US",
    region="eu-central-1",
    node="eu-central-1-a",
    jurisdictions=("eea",),
    policy="1#000000000000",
)


class FakeLeg:
    kind = "webrtc"
    trunk = ""
    band: Band = "wide"
    can_transfer = False

    def __init__(self) -> None:
        self.on_digit: Callable[[str], None] = lambda digit: None
        self.transfers: list[TransferRequest] = []
        self.transfer_asked = asyncio.Event()
        self.transferred: asyncio.Future[TransferResult] = (
            asyncio.get_running_loop().create_future()
        )
        self.playout = Playout(24_000)
        self.on_audio: Callable[[Samples], None] = lambda samples: None
        self.on_message: Callable[[Mapping[str, JsonValue]], None] = lambda message: None
        self.sent: list[Mapping[str, JsonValue]] = []
        self.connecting: Exception | None = None
        self.closing: Exception | None = None
        self.gone: asyncio.Future[LegEnd] = asyncio.get_running_loop().create_future()
        self.closes = 0

    async def connected(self) -> None:
        if self.connecting is not None:
            raise self.connecting

    def send(self, event: Mapping[str, JsonValue]) -> None:
        self.sent.append(event)

    async def transfer(self, request: TransferRequest) -> TransferResult:
        self.transfers.append(request)
        self.transfer_asked.set()
        return await asyncio.shield(self.transferred)

    async def closed(self) -> LegEnd:
        return await asyncio.shield(self.gone)

    async def close(self) -> None:
        self.closes += 1
        if self.closing is not None:
            raise self.closing


class FakeListener(FakeEar):
    def __init__(self) -> None:
        super().__init__()
        self.on_event: Callable[..., None] = lambda event: None
        self.closed = False

    def feed(self, samples: Samples) -> None:
        raise AssertionError("no audio in these tests")

    def expect(self, expectation: Expectation) -> None:
        super().expect(expectation)

    async def run(self) -> None:
        await asyncio.Event().wait()

    def close(self) -> None:
        self.closed = True


class FakeJournal:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.entries: tuple[Entry, ...] = ()
        """Of the call's ledger, when its record was written."""
        self.commits: list[Exception] = []
        self.finishes: list[Exception] = []
        self.records: list[CallRecord] = []
        self.settlings: list[Exception] = []
        self.tools: list[str] = []

    async def commit(self, turn: Turn, state: JsonValue) -> None:
        if self.commits:
            raise self.commits.pop(0)

    async def finish(self, record: CallRecord) -> None:
        if self.finishes:
            raise self.finishes.pop(0)
        self.records.append(record)
        self.entries = self.ledger.entries

    async def tool_pending(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue]
    ) -> ToolRecord | None:
        self.tools.append(call_id)
        return None

    async def tool_settled(self, record: ToolRecord) -> None:
        if self.settlings:
            raise self.settlings.pop(0)
        self.tools.append(record.call_id)


class Stage:
    """A call and everything it touches."""

    def __init__(self, *acts: Act, **options: Any) -> None:
        self.leg = FakeLeg()
        self.listener = FakeListener()
        self.mouth = FakeMouth()
        self.books = books()
        self.journal = FakeJournal(self.books.notary.ledger)
        self.conductor = ScriptedConductor(acts or (Say("good morning"),))
        self.call = Call(
            WHO,
            leg=self.leg,
            journal=cast(Journal, self.journal),
            books=self.books,
            conductor=self.conductor,
            listener=cast(Listener, self.listener),
            speaker=cast(Speaker, self.mouth),
            resume=ResumeGrant("rs_token", 1_790_086_400),
            history=None,
            clock=FakeClock(),
            metrics=WorkerMetrics(0).for_call(),
            max_seconds=3600,
            **options,
        )

    def reason_told(self) -> object:
        return self.leg.sent[-1]["reason"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.patience.COMMIT_PAUSES", (0.0,))
    monkeypatch.setattr("edge.patience.FINISH_PAUSES", (0.0, 0.0))


async def test_hang_up_is_told_recorded_and_closes_everything() -> None:
    stage = Stage()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        (await stage.mouth.answers.get()).play()
        stage.leg.on_message({"type": "inland.hangup"})
    assert running.result() == stage.reason_told() == "hangup"
    assert [record.reason for record in stage.journal.records] == ["hangup"]
    assert stage.leg.closes == 1
    assert stage.listener.closed


async def test_all_that_passed_over_the_leg_is_in_the_account_before_it_is_signed() -> None:
    stage = Stage()
    heard: list[Samples] = []
    stage.listener.feed = heard.append  # type: ignore[method-assign, assignment]
    frame = np.zeros(320, np.int16)
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.call.run())
        (await stage.mouth.answers.get()).play()
        stage.leg.on_audio(frame)
        so_far = {line.kind for line in stage.call.account().lines}
        stage.leg.on_audio(frame)
        stage.leg.on_message(typed("hello"))
        stage.leg.on_message({"type": "inland.hangup"})
    assert len(heard) == 2
    assert so_far == {"caller", "host"}
    found = {(one.place.kind, one.data_class): one for one in stage.journal.entries}
    assert found["caller", DataClass.AUDIO].received == 2 * 640
    assert found["host", DataClass.AUDIO].sent == 2 * 640
    assert found["caller", DataClass.TRANSCRIPT].received == len("hello")


def typed(words: str) -> dict[str, JsonValue]:
    content: list[JsonValue] = [{"type": "input_text", "text": words}]
    item: dict[str, JsonValue] = {"type": "message", "role": "user", "content": content}
    return {"type": "conversation.item.create", "item": item}


@dataclass
class FakeCarrier:
    """Notes what a call asks of its carrier."""

    asked: list[str] = field(default_factory=list)

    def want(self) -> None:
        self.asked.append("want")

    def leaving(self, number: int) -> None:
        self.asked.append(f"leaving {number}")

    def flush(self) -> int:
        self.asked.append("flush")
        return 0

    async def run(self) -> None:
        self.asked.append("run")
        await asyncio.Event().wait()


class TestCarrying:
    async def told(self, reason: str, **options: Any) -> tuple[Stage, list[str]]:
        stage = Stage(**options)
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.call.run())
            (await stage.mouth.answers.get()).play()
            stage.leg.on_message({"type": "inland.carry"})
            stage.leg.on_message({"type": "inland.call.moving", "number": 7})
            stage.call.end(cast(Any, reason))
        return stage, [str(event["type"]) for event in stage.leg.sent]

    def created(self, stage: Stage) -> Mapping[str, JsonValue]:
        facts = stage.leg.sent[0]["inland"]
        assert isinstance(facts, Mapping)
        return facts

    async def test_a_client_is_offered_to_carry_and_heard(self) -> None:
        carrier = FakeCarrier()
        stage, _ = await self.told("hangup", carrier=carrier)
        assert self.created(stage)["carry"] == 1
        assert carrier.asked == ["run", "want", "leaving 7"]

    async def test_whoever_may_come_back_leaves_with_the_newest(self) -> None:
        carrier = FakeCarrier()
        await self.told("draining", carrier=carrier)
        assert carrier.asked[-1] == "flush"

    async def test_a_leg_that_was_taken_over_is_given_nothing_more(self) -> None:
        carrier = FakeCarrier()
        await self.told("taken_over", carrier=carrier)
        assert "flush" not in carrier.asked

    async def test_a_call_that_stays_says_so_to_whoever_asks(self) -> None:
        stage, _ = await self.told("hangup")
        assert "carry" not in self.created(stage)
        (refused,) = [event for event in stage.leg.sent if event["type"] == "error"]
        assert refused["error"] == {
            "type": "invalid_request_error",
            "code": "not_carried",
            "message": "this conversation stays in its region",
        }


@pytest.mark.parametrize(
    ("gone", "reason"),
    [("hangup", "hangup"), ("closed", "lost"), ("lost", "lost"), ("failed", "lost")],
)
async def test_only_a_goodbye_ends_the_conversation(gone: LegEnd, reason: str) -> None:
    stage = Stage()
    stage.leg.gone.set_result(gone)
    assert await stage.call.run() == reason
    assert stage.journal.records[0].ends_session == (reason == "hangup")


async def test_leg_that_never_connects_is_lost() -> None:
    stage = Stage()
    stage.leg.connecting = LegError("no answer")
    assert await stage.call.run() == "lost"
    assert stage.leg.closes == 1


async def test_defect_of_the_transport_ends_this_call_and_no_other() -> None:
    """Whatever a far end makes the libraries raise, the worker's task group does not see it."""
    stage = Stage()
    stage.leg.connecting = ValueError("InvalidVersion")
    stage.leg.closing = RuntimeError("half closed")
    assert await stage.call.run() == "error"
    assert [record.reason for record in stage.journal.records] == ["error"]


async def test_session_taken_over_ends_the_call_quietly() -> None:
    stage = Stage()
    stage.journal.commits = [StaleOwner("another node")]
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        (await stage.mouth.answers.get()).play()
    assert running.result() == "taken_over"


async def test_record_is_written_although_the_store_is_busy_for_a_while() -> None:
    stage = Stage()
    stage.journal.finishes = [StoreBusy("locked"), StoreBusy("locked")]
    stage.leg.gone.set_result("hangup")
    await stage.call.run()
    assert len(stage.journal.records) == 1


async def test_call_that_is_ended_while_it_connects_does_not_wait() -> None:
    stage = Stage()
    never = asyncio.Event()
    stage.leg.connected = never.wait  # type: ignore[method-assign, assignment]
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        await asyncio.sleep(0)
        stage.call.end("draining")
    assert running.result() == "draining"


PUT_THROUGH = Handover("requested", "wants a loan", HandoverTarget("+4969123456", "blind", ""))


async def asked(stage: Stage) -> None:
    """The agent said its sentence, and the leg is asked for the transfer."""
    (await stage.mouth.answers.get()).play()
    async with asyncio.timeout(60):
        await stage.leg.transfer_asked.wait()


async def test_transferred_call_is_recorded_as_such() -> None:
    stage = Stage(Say("one moment"), PUT_THROUGH)
    stage.leg.can_transfer = True
    stage.journal.settlings = [StoreBusy("locked")]
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        await asked(stage)
        stage.leg.transferred.set_result(TransferResult(True, 200, "OK"))
    assert running.result() == stage.reason_told() == "handover"
    (record,) = stage.journal.records
    assert record.transferred
    assert stage.journal.tools == [stage.leg.transfers[0].reference] * 2
    assert stage.leg.closes == 1
    exported = {
        entry.data_class for entry in stage.journal.entries if entry.operation is Operation.EXPORT
    }
    assert exported == {DataClass.ROUTING, DataClass.AUDIO}


async def test_far_end_that_leaves_because_it_was_transferred_did_not_hang_up() -> None:
    stage = Stage(Say("one moment"), PUT_THROUGH)
    stage.leg.can_transfer = True
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        await asked(stage)
        stage.leg.transferred.set_result(TransferResult(True, 200, "OK"))
        stage.leg.gone.set_result("hangup")
    assert running.result() == "handover"


async def test_caller_may_hang_up_while_somebody_is_called() -> None:
    stage = Stage(Say("one moment"), PUT_THROUGH)
    stage.leg.can_transfer = True
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        await asked(stage)
        stage.leg.gone.set_result("hangup")
    assert running.result() == "hangup"
    (record,) = stage.journal.records
    assert not record.transferred
    assert len(stage.journal.tools) == 1, "how the transfer ended is not known"


async def test_call_without_the_ability_ends_with_the_handover_as_before() -> None:
    stage = Stage(Say("one moment"), PUT_THROUGH)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        (await stage.mouth.answers.get()).play()
    assert running.result() == "handover"
    assert stage.leg.transfers == []
    assert not stage.journal.records[0].transferred
