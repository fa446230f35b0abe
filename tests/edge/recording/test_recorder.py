"""What is recorded can be read back, and nothing of it holds up a call or outlasts the law."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from edge.recording.archive import ENDS, segment_name
from edge.recording.errors import Altered, ArchiveBroken, ArchiveBusy
from edge.recording.lane import LATEST
from edge.recording.reader import Leg, LegReader, Told, legs_of
from edge.recording.recorder import WAITING
from edge.recording.segment import Header, SegmentSeal, Stereo, Why, encode
from edge.recording.tap import SEGMENT_TICKS
from regions.models import DataClass, Operation
from tests.edge.recording.parts import (
    ENDS as END,
)
from tests.edge.recording.parts import (
    FOLDER,
    KEY,
    LEG,
    TENANT,
    MemoryArchive,
    Stage,
    lane_of,
)
from tests.edge.session.parts import NOW, SESSION

LONG = SEGMENT_TICKS + LATEST + 1
"""Ticks after which the first segment was handed over."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.recording.recorder.PAUSES", (0.0,))


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Stage]:
    """The recorder runs; it is a hang when the block takes a minute."""
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(stage.recorder.run())
        try:
            yield stage
        finally:
            task.cancel()
            stage.thread.shutdown(wait=True)


async def read(archive: MemoryArchive) -> tuple[Stereo, Told]:
    (leg,) = await legs_of(archive, TENANT, SESSION)
    return await read_leg(archive, leg)


async def read_leg(archive: MemoryArchive, leg: Leg) -> tuple[Stereo, Told]:
    reader = LegReader(archive, leg, key=KEY, agent="reception")
    pieces = [piece async for piece in reader.pieces()]
    return np.concatenate(pieces), reader.told


async def recorded(ticks: int, *, silent: range = range(0)) -> MemoryArchive:
    """An archive with a recording of so many ticks."""
    stage = Stage(rate=16_000)
    async with running(stage):
        for tick in range(ticks):
            if tick not in silent:
                stage.talk(tick, tick + 1)
        await stage.recorder.close()
    return stage.archive


def segments(archive: MemoryArchive) -> list[str]:
    return [segment_name(FOLDER, LEG, n) for n in range(10) if _name(n) in archive.kept]


def _name(number: int) -> str:
    return segment_name(FOLDER, LEG, number)


async def test_both_sides_come_back_as_they_were_over_several_segments() -> None:
    archive = await recorded(2 * SEGMENT_TICKS + 40)
    audio, told = await read(archive)
    ticks = 2 * SEGMENT_TICKS + 40
    assert lane_of(audio, 0) == [1000 + tick % 500 for tick in range(ticks)]
    assert lane_of(audio, 1) == [-1000 - tick % 500 for tick in range(ticks)]
    assert told.whole
    assert told.why == "ended"
    assert (told.began, told.seconds) == (NOW, ticks / 50)
    assert len(segments(archive)) == 3


async def test_silence_is_where_nothing_was_said() -> None:
    audio, _ = await read(await recorded(300, silent=range(100, 200)))
    assert lane_of(audio, 0)[100:200] == [0] * 100
    assert lane_of(audio, 1)[199:201] == [0, -1200]


async def test_the_session_is_found_by_the_day_on_which_its_recording_ends() -> None:
    archive = await recorded(10)
    assert [name for name in archive.kept if name.startswith(ENDS)] == [
        f".ends/{END:012d}/{TENANT}/{SESSION}"
    ]


async def test_what_is_kept_is_in_the_ledger_and_the_metrics() -> None:
    stage = Stage()
    async with running(stage):
        stage.talk(0, 30)
        await stage.recorder.close()
    size = len(stage.archive.kept[_name(0)])
    assert stage.sizes == [size]
    kept = {(entry.place.name, entry.operation): entry for entry in stage.ledger.entries}
    assert kept["memory", Operation.STORE].sent == size
    assert {entry.data_class for entry in stage.ledger.entries} == {DataClass.RECORDING}
    assert ("a", Operation.PROCESS) in kept


async def test_no_call_waits_for_an_archive_that_does_not_answer() -> None:
    """And memory is bounded: of an hour, only a few segments wait."""
    stage = Stage(rate=16_000)
    stage.archive.open.clear()
    async with running(stage):
        for segment in range(20):
            stage.talk(segment * SEGMENT_TICKS, (segment + 1) * SEGMENT_TICKS, agent=False)
            await stage.pressed()
        assert stage.recorder._pending == len(stage.recorder._sealed) == WAITING
        stage.archive.open.set()
        await stage.recorder.close()
    audio, told = await read(stage.archive)
    assert told.gaps == ((WAITING * 10.0, 190.0),)
    assert not told.whole
    assert stage.lost == 20 - WAITING - 1
    assert lane_of(audio, 0)[WAITING * SEGMENT_TICKS] == 0
    assert lane_of(audio, 0)[-1] != 0


@pytest.mark.parametrize("error", [ArchiveBusy("busy"), ArchiveBroken("full"), OSError("a defect")])
async def test_a_segment_that_was_not_taken_is_offered_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(rate=16_000)
    stage.archive.failing = error
    async with running(stage):
        stage.talk(0, LONG)
        await stage.archive.asked.wait()
        await stage.pressed()
        stage.archive.failing = None
        await stage.recorder.close()
    _, told = await read(stage.archive)
    assert told.whole
    assert [record.msg for record in caplog.records] == ["recording not kept"]


async def test_a_recording_that_cannot_be_ended_in_time_says_no_end() -> None:
    stage = Stage(rate=16_000)
    async with running(stage):
        stage.talk(0, LONG)
        await stage.pressed()
        await stage.archive.has(_name(0))
        stage.archive.open.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await stage.recorder.close()
    _, told = await read(stage.archive)
    assert told.why is None
    assert not told.whole


async def test_a_defect_while_sealing_costs_a_stretch_and_not_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(rate=16_000)
    async with running(stage):
        with monkeypatch.context() as patch:
            patch.setattr("edge.recording.recorder.encode", lambda audio: 1 / 0)
            stage.talk(0, LONG)
            await stage.pressed()
        stage.talk(LONG, LONG + 10)
        await stage.recorder.close()
    _, told = await read(stage.archive)
    assert told.gaps == ((0.0, 10.0),)


class TestLaw:
    async def test_recording_stops_at_once_and_what_was_not_kept_never_is(self) -> None:
        stage = Stage(rate=16_000)
        told_call: list[bool] = []
        async with running(stage):
            stage.recorder.on_stopped = lambda: told_call.append(True)
            stage.talk(0, LONG + 100)
            await stage.pressed()
            await stage.archive.has(_name(0))
            await asyncio.sleep(0)
            stage.refusal = "eu may not have the caller's recording"
            for told_of_law in stage.on_law:
                told_of_law(None)  # type: ignore[arg-type]
            assert stage.recorder.ended
            stage.talk(LONG + 100, LONG + 200)
            await stage.recorder.close()
        audio, told = await read(stage.archive)
        assert told_call == [True]
        assert told.why == "law"
        assert told.gaps == ((10.0, (LONG + 100) / 50),)
        assert len(audio) // 320 in (SEGMENT_TICKS, LONG + 100)
        assert not np.any(audio[SEGMENT_TICKS * 320 :])
        (attempt,) = stage.ledger.attempts
        assert attempt.reason == stage.refusal
        assert attempt.data_class is DataClass.RECORDING

    async def test_segments_that_waited_are_dropped(self) -> None:
        stage = Stage(rate=16_000)
        stage.archive.open.clear()
        async with running(stage):
            stage.talk(0, 2 * SEGMENT_TICKS + LATEST + 1)
            await stage.pressed()
            await stage.archive.asked.wait()
            stage.refusal = "no"
            stage.recorder.judge()
            stage.archive.open.set()
            await stage.recorder.close()
        kept = [name for name in stage.archive.kept if not name.startswith(ENDS)]
        assert kept == [_name(2)]
        _, told = await read(stage.archive)
        assert (told.why, told.gaps[0][0]) == ("law", 0.0)

    async def test_a_call_that_may_not_stay_is_not_recorded_on_whatever_the_law_says_of_recordings(
        self,
    ) -> None:
        stage = Stage(rate=16_000)
        async with running(stage):
            stage.talk(0, 10)
            stage.recorder.judge("eu may not have the caller's audio")
            assert stage.recorder.ended
            stage.talk(10, LONG)
            await stage.recorder.close()
        audio, told = await read_all(stage.archive)
        assert told.why == "law"
        assert not np.any(audio)

    async def test_it_is_asked_again_for_each_segment(self) -> None:
        """Rules end at midnight, and nobody tells of that."""
        stage = Stage(rate=16_000)
        async with running(stage):
            stage.talk(0, 10)
            stage.refusal = "no"
            stage.talk(10, LONG)
            assert stage.recorder.ended
            await stage.recorder.close()
        assert [name for name in stage.archive.kept if not name.startswith(ENDS)] == [_name(0)]
        audio, told = await read_all(stage.archive)
        assert told.why == "law"
        assert not np.any(audio)

    async def test_nobody_is_told_of_the_law_after_the_call(self) -> None:
        stage = Stage()
        async with running(stage):
            await asyncio.sleep(0)
            assert len(stage.on_law) == 1
        assert stage.on_law == []


async def read_all(archive: MemoryArchive) -> tuple[Stereo, Told]:
    (leg,) = await legs_of(archive, TENANT, SESSION)
    reader = LegReader(archive, leg, key=KEY, agent="reception")
    pieces = [np.zeros((0, 2), np.int16), *[piece async for piece in reader.pieces()]]
    return np.concatenate(pieces), reader.told


class TestTampering:
    @pytest.fixture
    async def archive(self) -> MemoryArchive:
        return await recorded(3 * SEGMENT_TICKS + 40)

    async def test_untouched_it_is_whole(self, archive: MemoryArchive) -> None:
        assert (await read(archive))[1].whole

    async def test_two_segments_that_changed_places_are_found(self, archive: MemoryArchive) -> None:
        kept = archive.kept
        kept[_name(1)], kept[_name(2)] = kept[_name(2)], kept[_name(1)]
        with pytest.raises(Altered, match="segment 1"):
            await read(archive)

    async def test_a_segment_put_twice_is_found(self, archive: MemoryArchive) -> None:
        archive.kept[_name(4)] = archive.kept[_name(3)]
        with pytest.raises(Altered, match="segment 4"):
            await read(archive)

    async def test_a_segment_that_was_cut_out_is_found(self, archive: MemoryArchive) -> None:
        del archive.kept[_name(1)]
        with pytest.raises(Altered, match="segment 1: is missing"):
            await read(archive)

    async def test_a_beginning_that_was_cut_off_is_found(self, archive: MemoryArchive) -> None:
        del archive.kept[_name(0)]
        with pytest.raises(Altered, match="segment 0: is missing"):
            await read(archive)

    async def test_an_end_that_was_cut_off_is_found(self, archive: MemoryArchive) -> None:
        del archive.kept[_name(3)]
        _, told = await read(archive)
        assert told.why is None

    async def test_a_segment_of_another_leg_is_found(self, archive: MemoryArchive) -> None:
        other = Stage(rate=16_000, leg=type(LEG)(2, END, f"0002-{END:012d}-00000002"))
        async with running(other):
            other.talk(0, 3 * SEGMENT_TICKS)
            await other.recorder.close()
        archive.kept[_name(1)] = other.archive.kept[segment_name(FOLDER, other.leg, 1)]
        with pytest.raises(Altered, match="segment 1"):
            await read(archive)

    @pytest.mark.parametrize(
        ("begin", "last", "found"),
        [(50, "ended", "comes after the last one"), (49, None, "does not follow the one before")],
    )
    async def test_segments_that_do_not_fit_one_another_are_found(
        self, begin: int, last: Why | None, found: str
    ) -> None:
        """What nobody can seal but a defect of ours."""
        archive, seal = MemoryArchive(), SegmentSeal(KEY, "reception", LEG.text)
        audio = encode(np.zeros((50 * 320, 2), np.int16))
        for number, (first, end) in enumerate([(0, last), (begin, "ended")]):
            header = Header(
                number=number,
                began=NOW,
                begin=first,
                end=first + 50,
                last=end,
                name=LEG.text,
            )
            await archive.put(_name(number), seal.seal(header, audio))
        with pytest.raises(Altered, match=f"segment 1: {found}"):
            await read(archive)

    async def test_what_nobody_here_wrote_is_not_read(self, archive: MemoryArchive) -> None:
        archive.kept[f"{FOLDER}readme"] = archive.kept[f"{FOLDER}{LEG.text}/x"] = b"hello"
        assert (await read(archive))[1].whole


async def test_two_legs_are_two_parts_in_their_order() -> None:
    archive = await recorded(10)
    second = Stage(archive=archive, rate=16_000)
    second.leg = type(LEG)(2, END, f"0002-{END:012d}-00000002")
    later = Stage(archive=archive, rate=16_000, leg=second.leg)
    async with running(later):
        later.talk(0, 20)
        await later.recorder.close()
    legs = await legs_of(archive, TENANT, SESSION)
    assert [leg.name.number for leg in legs] == [1, 2]
    lengths = [len((await read_leg(archive, leg))[0]) // 320 for leg in legs]
    assert lengths == [10, 20]
