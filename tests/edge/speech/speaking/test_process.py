"""The voice process as it is run: a child with espeak-ng in it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from edge.speech.voice import VoiceLost, VoiceRefused
from edge.speech.voices.client import VoiceClient
from edge.speech.voices.process import VoiceProcess
from tests.fakes.voice import write_piper_voice

TEXT = "Good morning. This is the clinic, how can I help you today?"


@asynccontextmanager
async def living(process: VoiceProcess) -> AsyncIterator[None]:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        await process.start()
        group.create_task(process.run())
        try:
            yield
        finally:
            await process.stop()


async def said(client: VoiceClient, text: str, rate: int = 24_000) -> tuple[str, int]:
    words, samples = "", []
    async for speech in client.speak(text, language="en", rate=rate):
        words += "".join(mark.text for mark in speech.marks)
        samples.append(speech.samples)
    audio = np.concatenate(samples)
    assert np.abs(audio.astype(np.int32)).max() > 3000
    return words, len(audio)


async def test_a_sentence_is_spoken_at_both_rates_of_a_call(tmp_path: Path) -> None:
    process = VoiceProcess(tmp_path / "run" / "voice.sock", voice="espeak")
    async with living(process):
        pid = process.pid
        assert pid is not None
        client = VoiceClient(tmp_path / "run" / "voice.sock")
        wide = await said(client, TEXT, 24_000)
        narrow = await said(client, TEXT, 8_000)
        assert wide[0] == narrow[0] == TEXT
        assert 3 < wide[1] / 24_000 < 6
        assert wide[1] / 24_000 == pytest.approx(narrow[1] / 8_000, abs=0.01)
        await client.close()
    assert process.pid is None
    assert not psutil.pid_exists(pid)


async def test_after_a_kill_the_same_client_speaks_again(tmp_path: Path) -> None:
    process = VoiceProcess(tmp_path / "voice.sock", voice="espeak")
    async with living(process):
        client = VoiceClient(tmp_path / "voice.sock", patience=20)
        speech = client.speak(TEXT * 10, language="en", rate=24_000)
        await anext(speech)
        before = process.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        with pytest.raises(VoiceLost):
            _ = [chunk async for chunk in speech]
        assert (await said(client, TEXT))[0] == TEXT
        assert process.pid not in (None, before)
        assert process.restarts == 1
        await client.close()


async def test_a_pulled_piper_voice_is_used_by_itself(tmp_path: Path) -> None:
    write_piper_voice(tmp_path / "models" / "toy")
    process = VoiceProcess(tmp_path / "voice.sock", models=tmp_path / "models")
    async with living(process):
        client = VoiceClient(tmp_path / "voice.sock")
        words, count = await said(client, "Hello there.")
        assert words == "Hello there."
        assert count / 24_000 < 2
        await client.close()


async def test_a_broken_piper_voice_leaves_the_embedded_one(tmp_path: Path) -> None:
    write_piper_voice(tmp_path / "models" / "toy").write_bytes(b"\0" * 100)
    process = VoiceProcess(tmp_path / "voice.sock", models=tmp_path / "models")
    async with living(process):
        client = VoiceClient(tmp_path / "voice.sock")
        assert (await said(client, TEXT))[0] == TEXT
        await client.close()


async def test_a_piper_that_keeps_ending_its_process_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *"--voice auto"*) echo ready; exit 1;; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr("edge.speech.voices.process.sys.executable", str(python))
    process = VoiceProcess(tmp_path / "voice.sock")
    async with living(process):
        client = VoiceClient(tmp_path / "voice.sock", patience=30)
        assert (await said(client, TEXT))[0] == TEXT
        assert process.restarts == 3
        await client.close()


async def test_a_voice_that_cannot_start_says_so(tmp_path: Path) -> None:
    process = VoiceProcess(tmp_path / "voice.sock", voice="piper", models=tmp_path)
    with pytest.raises(VoiceRefused, match="status 2"):
        await process.start()
    assert process.pid is None


async def test_a_socket_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VoiceRefused, match="107 bytes"):
        await VoiceProcess(tmp_path / ("x" * 120)).start()


def _worker(socket: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.speech.voices.worker", "--voice=espeak", f"--socket={socket}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_the_worker_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    with _worker(tmp_path / "voice.sock") as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def test_the_worker_ends_on_sigterm_with_status_0(tmp_path: Path) -> None:
    with _worker(tmp_path / "voice.sock") as process:
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    "module", ["edge.speech.voices.client", "edge.speech.voices.process", "edge.speech.speaker"]
)
def test_no_gpl_engine_is_imported_outside_the_voice_process(module: str) -> None:
    code = (
        f"import sys, {module}\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}"
        " & {'espeakng_loader', 'piper', 'onnxruntime', 'av'}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert shown.stdout == b"[]\n"


def test_only_the_engines_own_modules_name_a_gpl_package() -> None:
    root = Path(__file__).parents[4]
    sources = [
        path
        for package in ("edge", "inland", "control_plane", "regions")
        for path in (root / package).rglob("*.py")
        if any(
            line.lstrip().startswith(("import ", "from "))
            and line.split()[1].split(".")[0] in ("espeakng_loader", "piper")
            for line in path.read_text().splitlines()
        )
    ]
    assert [path.name for path in sorted(sources)] == ["espeak.py", "piper.py"]
