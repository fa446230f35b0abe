"""A call is recorded where the agent, the law and the node all say so, and the caller was told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.conversation import Conversation
from edge.dialog.agent import AgentSpec
from edge.events import JsonValue
from edge.internal import Admitted
from edge.leg_recording import LegRecording
from edge.metrics import WorkerMetrics
from edge.node import Node, NodeError
from edge.problem import EdgeRefusal
from edge.recorded import RecordingOrder, Recordings
from edge.recording.errors import ArchiveBroken, ArchiveBusy
from edge.recording.reader import legs_of
from edge.session.journal import Journal
from regions.catalogue import load_catalogue
from regions.law import Law
from regions.models import DataClass, Narrowing, TenantPolicy
from tests.edge.recording.parts import KEY, TENANT, MemoryArchive, Stage, frame
from tests.edge.recording.test_settings import agent, node
from tests.edge.session.parts import EU, SESSION, books
from tests.edge.test_call import FakeLeg
from tests.edge.test_call import Stage as CallStage
from tests.fakes.clock import FakeClock
from tests.fakes.law import in_force

NOTICE = "This call is recorded."
RECORDS = agent(notice=NOTICE)
NEEDS_IT = agent(notice=NOTICE, required=True)
NOWHERE = Law(
    load_catalogue(),
    contracts={TENANT: TenantPolicy(classes={DataClass.RECORDING: Narrowing(regions=())})},
)


def caller(recording: tuple[str, ...] = (EU,)) -> Admitted:
    regions: dict[str, tuple[str, ...]] = dict.fromkeys(("audio", "transcript", "variables"), (EU,))
    return Admitted(
        session_id=SESSION,
        tenant=TENANT,
        agent="reception",
        jurisdictions=("eea",),
        policy="2026-11-21.1#0123456789ab",
        regions={**regions, "recording": recording},
        resumed=False,
    )


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    made = Recordings.open(
        node(tmp_path, folder=str(tmp_path / "r"), keep="30d"),
        in_force(load_catalogue()),
        FakeClock(),
        WorkerMetrics(0),
    )
    return made


class FakeJournal:
    def __init__(self, *, key: bool = True) -> None:
        self.recording = KEY if key else None
        self.books = books()
        self.leg = 2


def order(recordings: Recordings, spec: AgentSpec, who: Admitted, journal: FakeJournal) -> Any:
    leg: Any = SimpleNamespace(playout=SimpleNamespace(rate=16_000))
    return recordings.order(spec, who, leg, cast(Journal, journal))


async def test_a_call_is_recorded_where_everybody_agrees(recordings: Recordings) -> None:
    journal = FakeJournal()
    found = order(recordings, RECORDS, caller(), journal)
    assert (found.notice, found.required) == (NOTICE, False)
    assert recordings.regions(RECORDS, caller()) == (EU,)
    assert recordings.seconds(RECORDS, caller()) == 30 * 86_400
    recorder = found.begin()
    recorder.begin()
    recorder.tap.heard(frame(500))
    await recorder.close()
    assert recordings.archive is not None
    (leg,) = await legs_of(recordings.archive, TENANT, SESSION)
    assert (leg.name.number, leg.name.ends_at) == (2, KEY.tag.expires_at)
    assert recordings.metrics.recorded_segments.labels("0")._value.get() == 1
    await recordings.close()


async def test_an_agent_that_does_not_ask_is_never_recorded(recordings: Recordings) -> None:
    journal = FakeJournal()
    assert order(recordings, agent(), caller(), journal) is None
    assert recordings.regions(agent(), caller()) == ()
    assert recordings.seconds(agent(), caller()) is None
    assert journal.books.notary.ledger.attempts == ()
    await recordings.close()


async def refused(recordings: Recordings, who: Admitted, journal: FakeJournal) -> str:
    """The reason in the receipt, where the call goes on all the same."""
    assert order(recordings, RECORDS, who, journal) is None
    (attempt,) = journal.books.notary.ledger.attempts
    assert attempt.data_class is DataClass.RECORDING
    assert attempt.place.region == EU
    with pytest.raises(EdgeRefusal, match="wrong_region"):
        order(recordings, NEEDS_IT, who, journal)
    await recordings.close()
    return attempt.reason


async def test_a_caller_whose_law_lets_no_recording_be_here_is_not_recorded(
    recordings: Recordings,
) -> None:
    assert recordings.regions(RECORDS, caller(())) == ()
    assert recordings.seconds(RECORDS, caller(())) is None
    with pytest.raises(EdgeRefusal, match="wrong_region"):
        recordings.require(NEEDS_IT, caller(()))
    recordings.require(RECORDS, caller(()))
    reason = await refused(recordings, caller(()), FakeJournal())
    assert reason == f"{EU} may not have the caller's recording"


async def test_the_law_of_this_moment_counts_and_not_only_that_of_the_token(
    recordings: Recordings,
) -> None:
    recordings.law.replace(NOWHERE)
    assert "may not have" in await refused(recordings, caller(), FakeJournal())


async def test_a_session_that_has_no_key_for_it_is_not_recorded(recordings: Recordings) -> None:
    reason = await refused(recordings, caller(), FakeJournal(key=False))
    assert reason == "the session was begun without a recording, or it is over"


async def test_a_node_without_a_place_does_not_record(tmp_path: Path) -> None:
    bare = Recordings.open(
        node(tmp_path), in_force(load_catalogue()), FakeClock(), WorkerMetrics(0)
    )
    assert await refused(bare, caller(), FakeJournal()) == "the node keeps no recordings"


async def test_a_law_that_is_tightened_stops_the_recording_at_once(recordings: Recordings) -> None:
    recorder = order(recordings, RECORDS, caller(), FakeJournal()).begin()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(recorder.run())
        await asyncio.sleep(0)
        recordings.law.replace(Law(load_catalogue()))
        assert not recorder.ended
        recordings.law.replace(NOWHERE)
        assert recorder.ended
        running.cancel()
    assert recordings.law.on_change == []
    await recorder.close()
    await recordings.close()


async def test_nothing_is_recorded_past_the_time_for_which_it_may_be_kept(
    recordings: Recordings,
) -> None:
    journal = FakeJournal()
    recorder = order(recordings, RECORDS, caller(), journal).begin()
    clock = cast(FakeClock, recordings.clock)
    clock.advance(KEY.tag.expires_at - clock.wall() - 1)
    recorder.judge()
    assert not recorder.ended
    clock.advance(1)
    recorder.judge()
    assert recorder.ended
    (attempt,) = journal.books.notary.ledger.attempts
    assert "the time" in attempt.reason
    await recorder.close()
    await recordings.close()


async def test_what_is_over_is_swept_by_the_worker(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a place that is away for a moment does not end that."""
    asked = asyncio.Event()
    answers: list[Any] = [ArchiveBusy("busy"), 0]

    async def sweep(archive: object, now: float) -> int:
        if not answers:
            asked.set()
            await asyncio.Event().wait()
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    monkeypatch.setattr("edge.recorded.sweep", sweep)
    monkeypatch.setattr("edge.recorded.SWEEP_SECONDS", 0.0)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(recordings.sweep())
        await asyncio.wait_for(asked.wait(), 30)
        task.cancel()
    await recordings.close()


class Scene:
    """A leg's recording between a leg and a conversation that only say what happened."""

    def __init__(self, *, notice: str | None = NOTICE, required: bool = False) -> None:
        self.stage = Stage(rate=16_000)
        self.stage.recorder.tap.caller_may_be_heard = False
        self.leg = FakeLeg()
        self.heard: list[int] = []
        self.leg.on_audio = lambda samples: self.heard.append(int(samples[0]))
        self.sent: list[JsonValue] = []
        self.ends: list[str] = []
        self.conversation = SimpleNamespace(on_notice=lambda words, heard: None)
        self.recording = LegRecording(
            RecordingOrder(lambda: self.stage.recorder, notice, required),
            self.leg,
            lambda event: self.sent.append(event.get("state")),
            self.ends.append,
            "rtc_w0_abc",
        )
        self.recording.begin(cast(Conversation, self.conversation))

    def told(self, words: str = NOTICE, *, heard: bool = True) -> None:
        self.conversation.on_notice(words, heard)

    @property
    def recorded(self) -> tuple[int, int]:
        """Frames of the caller and of the agent."""
        tap = self.stage.recorder.tap
        return len(tap._heard), len(tap._played)


async def test_the_listener_hears_what_it_heard_before() -> None:
    scene = Scene()
    scene.leg.on_audio(frame(7))
    assert scene.heard == [7]


async def test_the_callers_voice_is_recorded_from_the_end_of_the_notice_on() -> None:
    scene = Scene()
    scene.leg.on_audio(frame(1))
    scene.leg.playout.push(frame(5, 480))
    scene.leg.playout.pull()
    assert scene.recorded == (0, 1)
    scene.told("something else that nobody may interrupt")
    scene.leg.on_audio(frame(2))
    assert (scene.recorded, scene.sent) == ((0, 1), [])
    scene.told()
    scene.leg.on_audio(frame(3))
    assert (scene.recorded, scene.sent) == ((1, 1), ["on"])


@pytest.mark.parametrize("required", [False, True])
async def test_a_notice_that_was_not_heard_is_none(required: bool) -> None:
    scene = Scene(required=required)
    scene.told(heard=False)
    scene.leg.on_audio(frame(1))
    assert (scene.recorded, scene.sent) == ((0, 0), [])
    assert scene.ends == (["error"] if required else [])


async def test_without_a_notice_recording_begins_with_the_leg() -> None:
    scene = Scene(notice=None)
    scene.leg.on_audio(frame(1))
    assert (scene.recorded, scene.sent) == ((1, 0), ["on"])


@pytest.mark.parametrize("required", [False, True])
async def test_a_caller_is_told_when_the_law_stops_it(required: bool) -> None:
    scene = Scene(required=required)
    scene.told()
    scene.stage.refusal = "no"
    scene.recording.judge()
    assert scene.sent == ["on", "off"]
    assert scene.ends == (["error"] if required else [])


@pytest.mark.parametrize("required", [False, True])
async def test_a_call_that_needs_its_recording_does_not_go_on_without(required: bool) -> None:
    scene = Scene(notice=None, required=required)
    scene.stage.recorder.on_lost()
    assert scene.sent == ["on"]
    assert scene.ends == (["error"] if required else [])


async def test_a_call_that_may_not_stay_has_its_farewell_although_it_needs_a_recording() -> None:
    scene = Scene(required=True)
    scene.told()
    scene.recording.judge("eu may not have the caller's audio")
    scene.stage.recorder.on_lost()
    assert (scene.sent, scene.ends) == (["on", "off"], [])


async def test_a_law_before_the_notice_was_over_keeps_the_caller_out() -> None:
    scene = Scene()
    scene.stage.refusal = "no"
    scene.recording.judge()
    scene.told()
    scene.leg.on_audio(frame(1))
    assert scene.recorded == (0, 0)
    assert "on" not in scene.sent


class TestCall:
    async def test_the_recording_is_whole_before_the_record_is_signed(self) -> None:
        kept = Stage(rate=24_000)
        stage = CallStage(recording=RecordingOrder(lambda: kept.recorder, None, False))
        stage.listener.feed = lambda samples: None  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(stage.call.run())
            (await stage.mouth.answers.get()).play()
            stage.leg.on_audio(frame(500))
            stage.leg.on_message({"type": "inland.hangup"})
        assert running.result() == "hangup"
        assert len(kept.archive.kept) == 2
        assert kept.on_law == []

    async def test_a_place_that_does_not_answer_holds_up_no_ending(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("edge.call.CLOSE_SECONDS", 0.05)
        kept = Stage(rate=24_000)
        kept.archive.open.clear()
        stage = CallStage(recording=RecordingOrder(lambda: kept.recorder, None, False))
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.call.run())
            (await stage.mouth.answers.get()).play()
            stage.leg.on_message({"type": "inland.hangup"})
        assert [record.reason for record in stage.journal.records] == ["hangup"]
        assert stage.leg.closes == 1


class TestStart:
    async def test_a_place_that_cannot_be_used_stops_the_start(self, tmp_path: Path) -> None:
        (tmp_path / "r").mkdir(mode=0o755)
        started = Node(node(tmp_path, folder=str(tmp_path / "r")))
        with pytest.raises(NodeError, match="others may read it"):
            await started._check_recordings()

    async def test_a_bucket_of_another_region_stops_the_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken = MemoryArchive()

        async def check() -> None:
            raise ArchiveBroken("recordings.bucket: is in region x")

        monkeypatch.setattr(broken, "check", check)
        monkeypatch.setattr("edge.recording.opened.open_archive", lambda mine, region: broken)
        with pytest.raises(NodeError, match="is in region x"):
            await Node(node(tmp_path, bucket="some-bucket"))._check_recordings()

    async def test_one_that_is_away_does_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        away = MemoryArchive()

        async def check() -> None:
            raise ArchiveBusy("the bucket cannot be reached")

        monkeypatch.setattr(away, "check", check)
        monkeypatch.setattr("edge.recording.opened.open_archive", lambda mine, region: away)
        await Node(node(tmp_path, bucket="some-bucket"))._check_recordings()
        assert [record.msg for record in caplog.records] == ["recordings not checked"]
