"""A call that the law keeps from here is moved, or told and ended; nothing stays or goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest

from edge.call import Call
from edge.carrying import Carrier
from edge.dialog.agent import Notices
from edge.events import JsonValue, Say, Turn
from edge.identity import ResumeGrant
from edge.internal import Admitted
from edge.ledger import Ledger
from edge.leg_recording import LegRecording
from edge.metrics import WorkerMetrics
from edge.outbound import Endpoint, Outbound, Pool
from edge.policy_live import Leaves
from edge.recorded import RecordingOrder
from edge.session.account import Books, Notary
from edge.session.errors import SessionEnded, StoreBusy
from edge.session.journal import Journal
from edge.session.records import RESUMABLE
from edge.speech.listener import Listener
from edge.speech.speaker import Speaker
from edge.speech.voice import VoiceLost
from edge.terms import Terms
from regions.models import DataClass
from tests.edge.recording.parts import Stage as RecorderStage
from tests.edge.session.parts import HOST, RECEIPTS, STORE
from tests.edge.talk import FakeAnswer, FakeMouth, ScriptedConductor
from tests.edge.test_call import WHO, FakeJournal, FakeLeg, FakeListener, typed
from tests.fakes.clock import FakeClock

EU, WEST = "eu-central-1", "eu-west-1"
HANG_SECONDS = 20.0
NOTICES = Notices(moved="you are being moved", ended="this call has to end")


def caller(*regions: str) -> Admitted:
    return Admitted(
        session_id=WHO.session_id,
        tenant=WHO.tenant,
        agent=WHO.agent,
        jurisdictions=("eea",),
        policy="2#bbbbbbbbbbbb",
        regions=dict.fromkeys(("audio", "transcript", "variables"), regions),
        resumed=False,
    )


def away(*regions: str, keeps: bool = False) -> Leaves:
    return Leaves(caller(*regions), regions, keeps, "the contract denies it")


class ShutJournal(FakeJournal):
    """Counts what is written."""

    shut_by = False
    turns = 0

    def shut(self) -> None:
        self.shut_by = True

    async def commit(self, turn: Turn, state: JsonValue) -> None:
        if self.shut_by:
            raise SessionEnded("shut")
        self.turns += 1
        await super().commit(turn, state)


class FakeCarrier:
    """A caller who can be moved, as far as the test says."""

    possible = True

    def __init__(self, *, moves: bool = True, able: bool = True) -> None:
        self.able, self.moves = able, moves
        self.asked: list[Sequence[str]] = []
        self.heard: list[int] = []
        self.moving = asyncio.Event()
        self.hangs = False

    def can_move(self, regions: Sequence[str]) -> bool:
        return self.able

    async def move(self, regions: Sequence[str]) -> bool:
        self.asked.append(regions)
        self.moving.set()
        if self.hangs:
            await asyncio.Event().wait()
        return self.moves

    def flush(self) -> int:
        raise AssertionError("what is left of a call that left is no one's")

    def leaving(self, number: int) -> None:
        self.heard.append(number)

    async def run(self) -> None:
        await asyncio.Event().wait()


class Stage:
    """A call under terms, with everything it touches."""

    def __init__(
        self, carrier: FakeCarrier | None = None, recording: RecordingOrder | None = None
    ) -> None:
        self.leg = FakeLeg()
        self.listener = FakeListener()
        self.mouth = FakeMouth()
        self.clock = FakeClock()
        everywhere = dict.fromkeys(DataClass, (EU, WEST))
        self.books = Books(Notary(Ledger(self.clock), RECEIPTS, everywhere), HOST, STORE)
        self.journal = ShutJournal(self.books.notary.ledger)
        self.destroyed: list[str] = []
        self.outbound = Outbound(
            here=EU,
            allowed=self.books.notary.allowed,
            pool=Pool(),
            ledger=self.books.notary.ledger,
        )
        self.call = Call(
            WHO,
            leg=self.leg,
            journal=cast(Journal, self.journal),
            books=self.books,
            conductor=ScriptedConductor((Say("good morning my dear caller"),)),
            listener=cast(Listener, self.listener),
            speaker=cast(Speaker, self.mouth),
            resume=ResumeGrant("rs_token", 1_790_086_400),
            history=None,
            clock=self.clock,
            metrics=WorkerMetrics(0).for_call(),
            max_seconds=3600,
            carrier=cast(Carrier | None, carrier),
            terms=Terms(
                caller(EU, WEST),
                self.outbound,
                self.books.notary,
                NOTICES,
                self.clock,
                self._destroy,
            ),
            recording=recording,
        )

    async def _destroy(self) -> None:
        assert self.journal.records, "the record comes first"
        self.destroyed.append(WHO.session_id)

    def kinds(self) -> list[str]:
        return [str(event["type"]) for event in self.leg.sent]

    def notices(self) -> list[JsonValue]:
        return [event["notice"] for event in self.leg.sent if event["type"] == "inland.notice"]

    async def talking(self) -> FakeAnswer:
        """The agent is in the middle of its greeting."""
        answer = await self.mouth.answers.get()
        answer.play(2)
        return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.patience.FINISH_PAUSES", (0.0, 0.0))


async def ended(stage: Stage, act: Callable[[], Any]) -> str:
    """Runs the call, has it talk, does ``act``; why it ended."""
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        await stage.talking()
        await act()
    return running.result()


async def test_what_is_said_is_cut_the_notice_heard_and_the_call_over() -> None:
    stage = Stage()

    async def act() -> None:
        stage.call.leave(away())
        notice = await stage.mouth.answers.get()
        assert notice.words == NOTICES.ended.split()
        assert "inland.call.ended" not in stage.kinds()
        notice.play()

    assert await ended(stage, act) == "policy"
    assert stage.notices() == ["ended"]
    assert stage.leg.sent[-1]["reason"] == "policy"
    (record,) = stage.journal.records
    assert record.reason == "policy"
    assert record.ends_session
    assert "policy" not in RESUMABLE
    assert stage.leg.closes == 1
    assert stage.destroyed == [WHO.session_id]


async def test_the_words_are_shown_as_an_answer_of_the_agent_too() -> None:
    """For clients that know nothing of notices."""
    stage = Stage()

    async def act() -> None:
        stage.call.leave(away())
        (await stage.mouth.answers.get()).play()

    await ended(stage, act)
    last = [event for event in stage.leg.sent if "transcript" in event][-1]
    assert last["transcript"] == NOTICES.ended


async def test_nothing_is_stored_or_counted_after_the_decision_but_the_record() -> None:
    stage = Stage()
    before: list[int] = []

    async def act() -> None:
        stage.leg.on_audio(np.zeros(320, np.int16))
        before.append(stage.journal.turns)
        stage.clock.advance(5)
        stage.call.leave(away())
        at.append(stage.clock.wall())
        stage.clock.advance(5)
        stage.leg.on_audio(np.zeros(320, np.int16))
        stage.leg.on_digit("1")
        stage.leg.on_message(typed("my name is anna"))
        (await stage.mouth.answers.get()).play()

    at: list[float] = []
    stage.listener.feed = lambda samples: None  # type: ignore[method-assign]
    await ended(stage, act)
    assert stage.journal.turns == before[0], "what was heard of the greeting is not kept"
    assert stage.journal.shut_by
    assert all(entry.last <= at[0] for entry in stage.journal.entries)
    account = stage.books.notary.account(stage.journal.records[0])
    assert [change.at for change in account.narrowed] == at
    assert account.outside == ()


async def test_what_the_caller_says_or_keys_is_not_heard_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[object] = []
    monkeypatch.setattr("edge.floor.Floor.pressed", lambda floor, key: heard.append(key))
    stage = Stage()
    stage.listener.feed = heard.append  # type: ignore[method-assign, assignment]

    async def act() -> None:
        stage.leg.on_audio(np.zeros(320, np.int16))
        stage.leg.on_digit("1")
        stage.call.leave(away())
        stage.leg.on_audio(np.zeros(320, np.int16))
        stage.leg.on_digit("2")
        (await stage.mouth.answers.get()).play()

    await ended(stage, act)
    assert len(heard) == 2


class FakeRecording:
    """Is told why it stops."""

    def __init__(self) -> None:
        self.judged: list[str | None] = []

    def begin(self, conversation: object) -> FakeRecording:
        return self

    async def run(self) -> None:
        await asyncio.Event().wait()

    def judge(self, reason: str | None = None) -> None:
        self.judged.append(reason)

    async def close(self) -> None:
        assert self.judged, "nothing more is kept of a call that left"


async def test_the_recording_stops_with_the_decision_whatever_the_law_says_of_recordings() -> None:
    stage, recording = Stage(), FakeRecording()
    stage.call._recording = cast(LegRecording, recording)

    async def act() -> None:
        stage.call.leave(away())
        assert recording.judged == ["the contract denies it"]
        (await stage.mouth.answers.get()).play()

    await ended(stage, act)


async def test_a_call_that_needs_its_recording_is_moved_like_any_other() -> None:
    carrier, kept = FakeCarrier(), RecorderStage(rate=24_000)
    stage = Stage(carrier, recording=RecordingOrder(lambda: kept.recorder, None, True))

    async def act() -> None:
        stage.call.leave(away(WEST))
        (await stage.mouth.answers.get()).play()

    assert await ended(stage, act) == "policy"
    assert (stage.notices(), carrier.asked) == (["moved"], [(WEST,)])
    assert kept.recorder.ended


async def test_a_call_that_is_leaving_sends_nothing_anywhere() -> None:
    """Also what the law would let stay: one class that may not be here is enough."""
    stage = Stage()
    variables = DataClass.VARIABLES

    async def act() -> None:
        assert stage.outbound.verdict(endpoint("here"), variables).allowed
        stage.call.leave(Leaves(caller(EU, WEST), (WEST,), True, "no audio here"))
        assert not stage.outbound.verdict(endpoint("here"), variables).allowed
        (await stage.mouth.answers.get()).play()

    await ended(stage, act)


def endpoint(region: str) -> Endpoint:
    return Endpoint("tool", "http://127.0.0.1:1", region, "tool", frozenset(DataClass))


async def test_keys_stay_where_the_law_lets_the_store_keep_them() -> None:
    stage = Stage()

    async def act() -> None:
        stage.call.leave(away(keeps=True))
        (await stage.mouth.answers.get()).play()

    await ended(stage, act)
    assert stage.destroyed == []


async def test_a_call_that_ends_of_itself_keeps_its_keys() -> None:
    stage = Stage()

    async def act() -> None:
        stage.call.end("lost")

    assert await ended(stage, act) == "lost"
    assert stage.destroyed == []


async def test_nobody_comes_back_to_a_call_that_was_lost_while_it_left() -> None:
    stage = Stage()

    async def act() -> None:
        stage.call.end("lost")
        stage.call.leave(away())

    assert await ended(stage, act) == "policy"
    assert stage.destroyed == [WHO.session_id]
    assert stage.notices() == []


async def test_a_call_that_never_stood_is_ended_without_words() -> None:
    stage = Stage()
    connecting = asyncio.Event()

    async def never() -> None:
        connecting.set()
        await asyncio.Event().wait()

    stage.leg.connected = never  # type: ignore[method-assign]
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as group:
        running = group.create_task(stage.call.run())
        await connecting.wait()
        stage.call.leave(away())
    assert running.result() == "policy"
    assert stage.notices() == []
    assert stage.mouth.answers.empty()
    assert stage.destroyed == [WHO.session_id]


@pytest.mark.parametrize("way", ["hangs_up", "is_gone", "drained"])
async def test_nobody_waits_for_words_that_nobody_hears(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.leaving.LEAVE_SECONDS", 3600.0)
    stage = Stage()

    async def act() -> None:
        stage.call.leave(away())
        await stage.mouth.answers.get()
        ways: Mapping[str, Callable[[], object]] = {
            "hangs_up": lambda: stage.leg.on_message({"type": "inland.hangup"}),
            "is_gone": lambda: stage.leg.gone.set_result("lost"),
            "drained": lambda: stage.call.end("draining"),
        }
        ways[way]()

    assert await ended(stage, act) == "policy"


async def test_a_caller_who_does_not_let_us_finish_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.leaving.LEAVE_SECONDS", 0.05)
    stage = Stage()

    async def act() -> None:
        stage.call.leave(away())
        await stage.mouth.answers.get()  # and it is never played

    assert await ended(stage, act) == "policy"


async def test_a_voice_that_fails_leaves_the_words_to_be_read() -> None:
    stage = Stage()

    async def act() -> None:
        stage.call.leave(away())
        (await stage.mouth.answers.get()).fail(VoiceLost("gone"))

    assert await ended(stage, act) == "policy"
    assert stage.notices() == ["ended"]


async def test_the_first_ruling_stands() -> None:
    stage = Stage()

    async def act() -> None:
        stage.call.leave(away())
        stage.call.leave(away(WEST, keeps=True))
        (await stage.mouth.answers.get()).play()

    await ended(stage, act)
    assert stage.destroyed == [WHO.session_id]
    assert len(stage.books.notary.narrowed) == 1


async def test_a_law_that_lets_nothing_stay_counts_although_the_call_is_leaving_already() -> None:
    stage = Stage()

    async def act() -> None:
        stage.call.leave(away(WEST, keeps=True))
        stage.call.leave(away(keeps=False))
        stage.call.leave(away(WEST, keeps=True))
        (await stage.mouth.answers.get()).play()

    await ended(stage, act)
    assert stage.destroyed == [WHO.session_id]


# --- moving --------------------------------------------------------------------------------------


async def test_a_caller_who_can_be_moved_is_told_and_moved() -> None:
    carrier = FakeCarrier()
    stage = Stage(carrier)

    async def act() -> None:
        stage.call.leave(away(WEST))
        notice = await stage.mouth.answers.get()
        assert notice.words == NOTICES.moved.split()
        assert carrier.asked == []
        notice.play()
        await carrier.moving.wait()

    assert await ended(stage, act) == "policy"
    assert carrier.asked == [(WEST,)]
    assert stage.notices() == ["moved"]
    assert stage.destroyed == [WHO.session_id], "what is kept here goes in any case"


async def test_a_caller_who_stays_after_all_is_told_that_the_call_ends() -> None:
    stage = Stage(FakeCarrier(moves=False))

    async def act() -> None:
        stage.call.leave(away(WEST))
        for _ in range(2):
            (await stage.mouth.answers.get()).play()

    await ended(stage, act)
    assert stage.notices() == ["moved", "ended"]


@pytest.mark.parametrize("regions", [(), (WEST,)])
async def test_nobody_is_moved_to_nowhere_or_without_a_way(regions: tuple[str, ...]) -> None:
    carrier = FakeCarrier(able=not regions)
    stage = Stage(carrier)

    async def act() -> None:
        stage.call.leave(away(*regions))
        (await stage.mouth.answers.get()).play()

    await ended(stage, act)
    assert carrier.asked == []
    assert stage.notices() == ["ended"]


async def test_a_move_is_heard_of_while_all_else_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.leaving.LEAVE_SECONDS", 3600.0)
    carrier = FakeCarrier()
    carrier.hangs = True
    stage = Stage(carrier)

    async def act() -> None:
        stage.call.leave(away(WEST))
        (await stage.mouth.answers.get()).play()
        await carrier.moving.wait()
        stage.leg.on_message({"type": "inland.call.moving", "number": 3})
        assert carrier.heard == [3]
        stage.leg.on_message({"type": "inland.hangup"})

    assert await ended(stage, act) == "policy"


async def test_a_move_that_takes_too_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.leaving.LEAVE_SECONDS", 0.05)
    carrier = FakeCarrier()
    carrier.hangs = True
    stage = Stage(carrier)

    async def act() -> None:
        stage.call.leave(away(WEST))
        (await stage.mouth.answers.get()).play()

    assert await ended(stage, act) == "policy"


# --- staying -------------------------------------------------------------------------------------


async def test_a_call_that_stays_goes_on_with_less() -> None:
    stage = Stage()

    async def act() -> None:
        variables = DataClass.VARIABLES
        assert stage.outbound.verdict(endpoint("here"), variables).allowed
        stage.call.narrow(caller())
        assert not stage.outbound.verdict(endpoint("here"), variables).allowed
        assert "inland.call.ended" not in stage.kinds()
        stage.leg.on_message({"type": "inland.hangup"})

    assert await ended(stage, act) == "hangup"
    (change,) = stage.books.notary.narrowed
    assert change.policy == "2#bbbbbbbbbbbb"
    assert stage.destroyed == []


async def test_the_record_is_written_although_the_store_is_busy_for_a_while() -> None:
    stage = Stage()
    stage.journal.finishes = [StoreBusy("later")]

    async def act() -> None:
        stage.call.leave(away())
        (await stage.mouth.answers.get()).play()

    await ended(stage, act)
    assert [record.reason for record in stage.journal.records] == ["policy"]
    assert stage.destroyed == [WHO.session_id]
