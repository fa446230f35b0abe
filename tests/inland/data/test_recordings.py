"""Recordings for whoever has the region's key: listed, exported, erased, each told to the log."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from edge.clock import SystemClock
from edge.ledger import Ledger, Place
from edge.recording.archive import LegName, session_folder
from edge.recording.folder import FolderArchive
from edge.recording.recorder import Recorder, RecorderParts, RecordingCounts
from edge.recording.segment import SegmentSeal
from edge.recording.tap import Tap
from edge.session.journal import Journal
from inland.__main__ import main
from regions.models import DataClass
from tests.edge.recording.parts import TICK, frame
from tests.edge.session.parts import EU, SESSION, ManualClock, books, tag_for, turn
from tests.fakes.canary import Canaries
from tests.inland.data.parts import TENANT, Folder, copy_of_the_store, make_folder

SPEECH = np.random.default_rng(3).integers(-8000, 8000, 320).astype(np.int16)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return make_folder(
        tmp_path / "node", recordings={"folder": str(tmp_path / "recordings"), "keep": "30d"}
    )


async def record(folder: Folder, *, legs: int = 1, ticks: int = 60, until: int = 3600) -> None:
    """A session whose legs were recorded; the caller says noise, the agent its mirror image."""
    async with folder.node() as (stores, keys):
        for leg in range(legs):
            store = stores.of(TENANT)
            journal: Journal
            if leg == 0:
                end = {DataClass.RECORDING: int(time.time()) + until}
                journal = await Journal.begin(
                    store,
                    keys,
                    session_id=SESSION,
                    tag=tag_for(SESSION),
                    agent="reception",
                    owner="first",
                    clock=SystemClock(),
                    books=books(),
                    ends=end,
                    recording=(EU,),
                )
                await journal.commit(turn(1), {})
            else:
                journal, _ = await Journal.take_over(
                    store,
                    keys,
                    session_id=SESSION,
                    region=EU,
                    owner=f"owner {leg}",
                    clock=SystemClock(),
                    books=books(),
                )
            await _record_leg(folder, journal, ticks)


async def _record_leg(folder: Folder, journal: Journal, ticks: int) -> None:
    key, clock = journal.recording, ManualClock(1_800_000_000.0)
    assert key is not None
    leg = LegName.new(journal.leg, key.tag.expires_at)
    archive, thread = FolderArchive(recordings_of(folder), EU), ThreadPoolExecutor(1)
    recorder = Recorder(
        RecorderParts(
            tap=Tap(clock, lambda: 16_000),
            archive=archive,
            seal=SegmentSeal(key, "reception", leg.text),
            leg=leg,
            folder=session_folder(TENANT, SESSION),
            thread=thread,
            ledger=Ledger(clock),
            host=Place("host", "a", EU),
            counts=RecordingCounts(lambda size: None, lambda: None),
            clock=clock,
            refusal=lambda: None,
            on_law=[],
        )
    )
    recorder.begin()
    began = clock.now
    for tick in range(ticks):
        clock.now = began + (tick + 0.5) * TICK
        recorder.tap.heard(SPEECH)
        recorder.tap.played(-SPEECH if tick % 2 else frame(0))
    await recorder.close()
    await archive.close()
    thread.shutdown()


def recordings_of(folder: Folder) -> Path:
    mine = folder.settings.recordings
    assert mine is not None
    assert mine.folder is not None
    return mine.folder


async def told(folder: Folder, *words: str, tenant: str = TENANT) -> int:
    command = [words[0], words[1], "--config", str(folder.config), "--tenant", tenant, *words[2:]]
    return await asyncio.to_thread(main, command)


async def exported(folder: Folder, output: Path, *more: str, **whose: str) -> int:
    return await told(
        folder, "recordings", "export", SESSION, "--output", str(output), *more, **whose
    )


async def erased(folder: Folder) -> int:
    return await told(folder, "data", "erase", "--session", SESSION)


def wav(path: Path) -> npt.NDArray[np.int16]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 16_000, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)


def flac(path: Path) -> npt.NDArray[np.int16]:
    with av.open(str(path), "r") as file:
        pieces = [each.to_ndarray().reshape(-1, 2) for each in file.decode(audio=0)]
    return np.concatenate(pieces).astype(np.int16)


async def test_the_caller_is_left_and_the_agent_right_in_either_format(
    folder: Folder, tmp_path: Path
) -> None:
    await record(folder, ticks=1100)
    assert await exported(folder, tmp_path / "call.wav") == 0
    assert await exported(folder, tmp_path / "call.flac") == 0
    audio = wav(tmp_path / "call.wav")
    assert np.array_equal(audio, flac(tmp_path / "call.flac"))
    assert np.array_equal(audio[:, 0], np.tile(SPEECH, 1100))
    assert np.array_equal(audio[320:640, 1], -SPEECH)
    assert not np.any(audio[:320, 1])
    assert (tmp_path / "call.wav").stat().st_mode & 0o077 == 0


async def test_what_was_exported_is_in_the_audit_log(folder: Folder, tmp_path: Path) -> None:
    await record(folder)
    await exported(folder, tmp_path / "call.wav")
    await told(folder, "recordings", "list")
    export, listing = folder.entries()
    assert (export.who, export.event) == ("operator", "recording_exported")
    assert export.facts == {"tenant": TENANT, "session": SESSION, "legs": 1}
    assert (listing.event, listing.facts) == ("recordings_listed", {"tenant": TENANT, "count": 1})
    assert folder.verdict().findings == ()


async def test_each_leg_is_a_file_with_its_time(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await record(folder, legs=2)
    assert await exported(folder, tmp_path / "call.wav", "--json") == 0
    parts = json.loads(capsys.readouterr().out)
    assert [part["leg"] for part in parts] == [1, 2]
    assert [Path(part["file"]).name for part in parts] == ["call-1.wav", "call-2.wav"]
    assert all(part["began"] == 1_800_000_000.0 and part["seconds"] == 1.2 for part in parts)
    assert all(part["whole"] and part["ended"] == "ended" for part in parts)
    assert await told(folder, "recordings", "list", "--json") == 0
    (session,) = json.loads(capsys.readouterr().out)
    assert session["legs"] == {"1": 1, "2": 1}


async def test_nothing_of_the_audio_is_in_the_folder_as_it_was(folder: Folder) -> None:
    await record(folder)
    canaries = Canaries({}, {"the caller": SPEECH[:40].tobytes(), "flac": b"fLaC\x00\x00\x00\x22"})
    files = [path for path in recordings_of(folder).rglob("*") if path.is_file()]
    assert len(files) == 2
    for path in files:
        assert canaries.leaks(path.read_bytes()) == []
        assert SESSION in str(path)


async def test_an_erased_recording_is_gone_and_its_copy_is_unreadable(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await record(folder)
    backup = copy_of_the_store(folder, tmp_path / "backup")
    shutil.copytree(recordings_of(folder), tmp_path / "copy")
    assert await erased(folder) == 0
    out = capsys.readouterr().out
    assert "3 keys destroyed" in out
    assert "1 segments of recordings deleted" in out
    assert list(recordings_of(folder).rglob("*")) == []
    assert folder.entries()[-1].facts["recordings"] == 1
    shutil.copytree(tmp_path / "copy", recordings_of(folder), dirs_exist_ok=True)
    shutil.copy(backup.root / "data" / "sessions.sqlite", folder.root / "data")
    assert await exported(folder, tmp_path / "call.wav") == 2
    assert "was destroyed" in capsys.readouterr().err
    assert not (tmp_path / "call.wav").exists()


async def test_before_it_is_erased_the_copy_can_be_read(folder: Folder, tmp_path: Path) -> None:
    """So that the claim above is one of erasing."""
    await record(folder)
    shutil.copytree(recordings_of(folder), tmp_path / "copy")
    shutil.rmtree(recordings_of(folder))
    shutil.copytree(tmp_path / "copy", recordings_of(folder))
    assert await exported(folder, tmp_path / "call.wav") == 0


async def test_keys_are_destroyed_where_the_folder_cannot_be_asked(
    folder: Folder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(folder)

    async def broken(*_: Any) -> int:
        from edge.recording.errors import ArchiveBroken

        raise ArchiveBroken("gone")

    with monkeypatch.context() as patch:
        patch.setattr("inland.data.erase.delete_session", broken)
        assert await erased(folder) == 1
    out = capsys.readouterr().out
    assert "3 keys destroyed" in out
    assert "do it again" in out
    assert await erased(folder) == 0
    assert list(recordings_of(folder).rglob("*")) == []


async def test_a_recording_outlives_the_words_and_no_longer_than_it_was_told(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await record(folder, until=1)
    async with folder.node() as (_, keys):
        await keys._vault.sweep(time.time() + 2)
    assert await exported(folder, tmp_path / "call.wav") == 2
    assert "the key of its recordings is not there" in capsys.readouterr().err
    async with folder.node() as (stores, keys):
        _, history = await Journal.take_over(
            stores.of(TENANT),
            keys,
            session_id=SESSION,
            region=EU,
            owner="late",
            clock=SystemClock(),
            books=books(),
        )
    assert len(history.turns) == 1


async def test_nothing_is_exported_for_another_tenant(folder: Folder, tmp_path: Path) -> None:
    await record(folder)
    (recordings_of(folder) / "bank").symlink_to(recordings_of(folder) / TENANT)
    assert await exported(folder, tmp_path / "call.wav", tenant="bank") == 2
    assert not (tmp_path / "call.wav").exists()


async def test_an_altered_recording_is_no_file(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await record(folder)
    (path,) = recordings_of(folder).glob("clinic/*/*/*")
    path.write_bytes(path.read_bytes()[:-1])
    assert await exported(folder, tmp_path / "call.wav") == 2
    assert "segment 0: is not what was sealed there" in capsys.readouterr().err
    assert not (tmp_path / "call.wav").exists()


async def test_a_recording_without_an_end_is_exported_and_said_to_have_none(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await record(folder, ticks=1100)
    max(recordings_of(folder).glob("clinic/*/*/*")).unlink()
    assert await exported(folder, tmp_path / "call.wav") == 1
    assert "its end is not there" in capsys.readouterr().out
    assert len(wav(tmp_path / "call.wav")) == 1000 * 320


async def test_what_is_there_is_not_written_over(folder: Folder, tmp_path: Path) -> None:
    await record(folder)
    (tmp_path / "call.wav").write_text("mine")
    assert await exported(folder, tmp_path / "call.wav") == 2
    assert (tmp_path / "call.wav").read_text() == "mine"
    assert await exported(folder, tmp_path / "call.mp3") == 2


async def test_a_session_without_a_recording_is_said_to_have_none(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await exported(folder, tmp_path / "call.wav") == 1
    assert "there is no recording" in capsys.readouterr().err
    assert await told(folder, "recordings", "list") == 1


async def test_a_node_without_a_place_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await exported(make_folder(tmp_path / "n"), tmp_path / "call.wav") == 2
    assert "has no place for recordings" in capsys.readouterr().err


async def test_the_export_of_a_session_has_its_recordings(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await record(folder)
    command = ["data", "export", "--session", SESSION]
    assert await told(folder, *command) == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert document["recordings"] == [{"leg": 1, "segments": 1}]
    assert await told(folder, *command, "--recordings", str(tmp_path / "out")) == 0
    (document,) = json.loads(capsys.readouterr().out)
    (one,) = document["recordings"]
    assert Path(one["file"]) == tmp_path / "out" / f"{SESSION}-1.flac"
    assert np.array_equal(flac(Path(one["file"]))[:320, 0], SPEECH)
