"""A recording whose session, law or place goes away while the call goes on."""

from __future__ import annotations

import asyncio
import tracemalloc
from itertools import count

import pytest

from edge.recording.archive import ENDS, LegName, end_marker, live_mark, segment_name
from edge.recording.errors import Altered, ArchiveBroken, ArchiveBusy
from edge.recording.lane import LATEST
from edge.recording.reader import LegReader, legs_of
from edge.recording.recorder import WAITING
from edge.recording.retention import delete_session, sweep
from edge.recording.tap import SEGMENT_TICKS
from tests.edge.recording.parts import FOLDER, KEY, LEG, TENANT, MemoryArchive, Stage
from tests.edge.recording.test_recorder import running
from tests.edge.session.parts import SESSION

LONG = SEGMENT_TICKS + LATEST + 1
"""Ticks after which the first segment was handed over."""
FIRST, SECOND = (segment_name(FOLDER, LEG, number) for number in (0, 1))
MARK = live_mark(FOLDER, LEG)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.recording.recorder.PAUSES", (0.0,))


class Doubtful(MemoryArchive):
    """Keeps a segment, and lets go of whoever brought it only when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.error: Exception | None = None

    async def put(self, name: str, body: bytes) -> None:
        await super().put(name, body)
        if name == FIRST:
            await self.answers.wait()
            if self.error is not None:
                raise self.error


class TestLaw:
    @pytest.mark.parametrize("error", [None, ArchiveBusy("no answer in time")])
    async def test_what_was_on_its_way_to_the_archive_is_taken_back(
        self, error: Exception | None
    ) -> None:
        archive = Doubtful()
        archive.error = error
        stage = Stage(rate=16_000, archive=archive)
        async with running(stage):
            stage.talk(0, LONG)
            await stage.pressed()
            await archive.has(FIRST)
            stage.refusal = "eu may not have the caller's recording"
            stage.recorder.judge()
            archive.answers.set()
            await stage.recorder.close()
        assert [name for name in archive.kept if not name.startswith(ENDS)] == [SECOND]
        (leg,) = await legs_of(archive, TENANT, SESSION)
        reader = LegReader(archive, leg, key=KEY, agent="reception")
        assert not any([piece.any() async for piece in reader.pieces()])
        assert (reader.told.why, reader.told.gaps) == ("law", ((0.0, LONG / 50),))
        assert stage.sizes == [len(archive.kept[SECOND])]


class TestErased:
    """Docs: erasure deletes a session's objects. A call that goes on must not bring new ones."""

    async def test_a_call_that_is_recorded_stops_and_leaves_nothing(self) -> None:
        stage, stopped = Stage(rate=16_000), asyncio.Event()
        stage.recorder.on_stopped = stopped.set
        archive = stage.archive
        async with running(stage):
            stage.talk(0, LONG)
            await stage.pressed()
            await archive.has(FIRST)
            assert await delete_session(archive, TENANT, SESSION) == 1
            stage.talk(LONG, LONG + SEGMENT_TICKS)
            await stage.pressed()
            await stopped.wait()
            stage.talk(LONG + SEGMENT_TICKS, 4 * SEGMENT_TICKS)
            await stage.recorder.close()
        assert archive.kept == {}

    async def test_it_deletes_nothing_of_another_leg(self) -> None:
        stage, other = Stage(rate=16_000), segment_name(FOLDER, LegName.new(2, LEG.ends_at), 0)
        async with running(stage):
            await stage.archive.has(MARK)
            await stage.archive.delete((MARK,))
            await stage.archive.put(other, b"x")
            stage.talk(0, 50)
            await stage.recorder.close()
        assert set(stage.archive.kept) == {other, end_marker(FOLDER, LEG.ends_at)}

    async def test_also_before_its_first_segment_was_kept(self) -> None:
        stage = Stage(rate=16_000)
        async with running(stage):
            await stage.archive.has(MARK)
            assert await delete_session(stage.archive, TENANT, SESSION) == 0
            assert stage.archive.kept == {}
            stage.talk(0, 50)
            await stage.recorder.close()
        assert stage.archive.kept == {}

    async def test_what_comes_while_it_is_erased_is_found(self) -> None:
        """The call's segment comes between the list and the end of the mark."""
        archive = MemoryArchive()
        for name in (FIRST, MARK, end_marker(FOLDER, LEG.ends_at)):
            await archive.put(name, b"x")
        delete = archive.delete

        async def then_another(names: tuple[str, ...]) -> None:
            if MARK in names:
                await archive.put(SECOND, b"y")
            await delete(names)

        archive.delete = then_another  # type: ignore[method-assign]
        assert await delete_session(archive, TENANT, SESSION) == 2
        assert archive.kept == {}

    async def test_a_recording_whose_time_was_over_leaves_nothing_either(self) -> None:
        stage = Stage(rate=16_000)
        async with running(stage):
            stage.talk(0, LONG)
            await stage.pressed()
            await stage.archive.has(FIRST)
            assert await sweep(stage.archive, LEG.ends_at) == 1
            stage.talk(LONG, LONG + 50)
            await stage.recorder.close()
        assert stage.archive.kept == {}

    async def test_nothing_of_the_mark_is_left_of_a_recording_that_ended(self) -> None:
        stage = Stage(rate=16_000)
        async with running(stage):
            stage.talk(0, 50)
            await stage.recorder.close()
        assert set(stage.archive.kept) == {FIRST, end_marker(FOLDER, LEG.ends_at)}


class TestLost:
    """Whoever needs the recording hears that there is none, or not all of it."""

    @staticmethod
    def told(stage: Stage) -> list[bool]:
        losses: list[bool] = []
        stage.recorder.on_lost = lambda: losses.append(True)
        return losses

    async def test_a_place_that_cannot_be_used_is_told_of_with_the_first_try(self) -> None:
        stage = Stage(rate=16_000)
        stage.archive.failing = ArchiveBroken("No space left on device")
        lost = asyncio.Event()
        stage.recorder.on_lost = lost.set
        async with running(stage):
            await lost.wait()
            assert not stage.recorder.ended

    async def test_one_that_is_away_once_there_is_no_room_to_wait(self) -> None:
        stage = Stage(rate=16_000)
        stage.archive.open.clear()
        losses = self.told(stage)
        async with running(stage):
            for segment in range(WAITING):
                stage.talk(segment * SEGMENT_TICKS, (segment + 1) * SEGMENT_TICKS)
            stage.talk(WAITING * SEGMENT_TICKS, WAITING * SEGMENT_TICKS + LATEST)
            assert losses == []
            stage.talk(WAITING * SEGMENT_TICKS, (WAITING + 1) * SEGMENT_TICKS + LATEST + 1)
            assert losses == [True]

    async def test_a_moment_without_an_answer_is_no_loss(self) -> None:
        stage = Stage(rate=16_000)
        tries, put = count(), stage.archive.put

        async def busy_once(name: str, body: bytes) -> None:
            if next(tries) == 0:
                raise ArchiveBusy("busy")
            await put(name, body)

        stage.archive.put = busy_once  # type: ignore[method-assign]
        losses = self.told(stage)
        async with running(stage):
            stage.talk(0, LONG)
            await stage.recorder.close()
        assert (losses, stage.lost) == ([], 0)

    async def test_a_defect_while_sealing_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("edge.recording.recorder.encode", lambda audio: 1 / 0)
        stage = Stage(rate=16_000)
        losses = self.told(stage)
        async with running(stage):
            stage.talk(0, LONG)
            await stage.pressed()
            assert losses == [True]

    async def test_what_is_left_at_the_end_and_not_kept_is_counted(self) -> None:
        stage = Stage(rate=16_000)
        stage.archive.open.clear()
        async with running(stage):
            stage.talk(0, 50)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await stage.recorder.close()
        assert stage.lost == 1


class TestExport:
    @staticmethod
    async def recorded() -> MemoryArchive:
        stage = Stage(rate=16_000)
        async with running(stage):
            stage.talk(0, 50)
            await stage.recorder.close()
        return stage.archive

    async def test_a_name_that_anybody_made_up_takes_no_memory(self) -> None:
        archive = await self.recorded()
        archive.kept[segment_name(FOLDER, LEG, 99_999_999)] = b"nothing of ours"
        (leg,) = await legs_of(archive, TENANT, SESSION)
        tracemalloc.start()
        with pytest.raises(Altered, match="segment 99999999"):
            async for _ in LegReader(archive, leg, key=KEY, agent="reception").pieces():
                pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 10_000_000

    async def test_ten_thousand_strange_files_do_not_hide_a_recording(self) -> None:
        archive = await self.recorded()
        for number in range(5000):
            archive.kept[f"{FOLDER}{LEG.text}/{number}"] = b""
            archive.kept[f"{FOLDER}{number:04d}-{LEG.ends_at:012d}-0000000/{number:08d}"] = b""
        (leg,) = await legs_of(archive, TENANT, SESSION)
        reader = LegReader(archive, leg, key=KEY, agent="reception")
        assert sum([len(piece) async for piece in reader.pieces()]) == 50 * 320
        assert reader.told.whole
