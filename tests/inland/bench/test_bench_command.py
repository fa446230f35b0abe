"""``inland bench`` as an operator meets it: a process that leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from inland.__main__ import main

ROOT = Path(__file__).parents[3]
MARK = "INLAND_BENCH_TEST"
PATIENCE = 100.0


@dataclass
class Bench:
    """Runs benches whose whole family carries a mark in its environment."""

    mark: str
    scratch: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "inland", "bench", *arguments],
            cwd=ROOT,
            env=os.environ | {MARK: self.mark, "TMPDIR": str(self.scratch)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def family(self) -> list[str]:
        """Living processes with the mark."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark:
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(uuid.uuid4().hex, tmp_path)
    yield bench
    assert bench.family() == []
    assert list(tmp_path.iterdir()) == []


def measured(bench: Bench, *arguments: str) -> dict[str, Any]:
    process = bench.start(*arguments, "--json")
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.terminate()
        process.wait()
    assert process.returncode == 0, err
    figures: dict[str, Any] = json.loads(out)
    return figures


def test_media_measures_ours_and_stock_with_the_same_callers(bench: Bench) -> None:
    figures = measured(bench, "media", "--calls", "2", "--seconds", "1", "--skip", "whole")
    for part in (figures["media"], figures["stock"]):
        assert part["calls"] == 2
        assert part["cpu"] > 0
        # As many as were due, or fewer where the machine is busy; never more.
        assert 25 <= part["packets_in"] <= 60
        assert 25 <= part["packets_out"] <= 60
        assert 25 <= part["frames"] <= 60
        assert part["lost"] == 0
        assert part["resident"] > 20_000_000
        assert part["wire_gaps"]["p50"] > 0
    assert figures["media"]["sender_gaps"]["p50"] > 0
    assert figures["whole"] is None
    assert figures["ratio"] > 0
    assert {target["what"] for target in figures["targets"]} == {
        "media, 2 calls",
        "gap between packets, p99",
        "stock aiortc, 2 calls, against it",
    }
    assert figures["machine"]["cores"] >= 1


def test_the_whole_path_is_a_real_node_with_callers_who_talk(bench: Bench) -> None:
    figures = measured(bench, "media", "--calls", "1", "--seconds", "3", "--skip", "stock")
    whole = figures["whole"]
    assert whole["calls"] == 1
    assert set(whole["cpu_by_process"]) == {"control plane", "dispatcher", "worker", "voice"}
    assert whole["cpu"] >= whole["cpu_by_process"]["worker"] > 0
    assert whole["ready_resident"]["worker"] > 20_000_000
    assert whole["ready_resident"]["control plane"] > 10_000_000
    assert whole["node_ready"] > 0
    assert figures["stock"] is None


def test_turn_measures_answers_on_the_wire_and_in_stages(bench: Bench) -> None:
    figures = measured(bench, "turn", "--turns", "2", "--calls", "2")
    assert figures["answers"] >= 2
    assert 0 < figures["wire"]["p50"] <= figures["wire"]["p95"] <= figures["wire"]["max"]
    assert set(figures["stages"]) == {
        "endpoint",
        "recognise",
        "think",
        "voice",
        "playout",
        "total",
    }
    assert figures["heard"] >= 2
    assert (figures["recognizer"], figures["voice"]) == ("pocketsphinx", "espeak")
    if shutil.which("flite"):
        assert figures["understood"] >= 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_bench_and_its_children(
    bench: Bench, number: signal.Signals, status: int
) -> None:
    process = bench.start("media", "--calls", "1", "--seconds", "60", "--skip", "whole")
    assert process.stderr is not None
    assert "media: 1 calls" in process.stderr.readline()
    while not any("inland.bench.callers" in line for line in bench.family()):
        assert process.poll() is None
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (status, "")


@pytest.mark.parametrize("engine", [("--recognizer", "sherpa"), ("--voice", "piper")])
def test_what_cannot_be_measured_is_said_in_one_line(
    bench: Bench, engine: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INLAND_MODELS", "/nowhere")
    process = bench.start("turn", "--turns", "1", *engine)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("inland bench: no ")
    assert "inland models pull" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["media", "--calls", "0"],
        ["media", "--calls", "-1"],
        ["media", "--calls", "many"],
        ["media", "--calls", "401"],
        ["media", "--calls", "٣"],
        ["media", "--seconds", "0"],
        ["media", "--seconds", "nan"],
        ["media", "--seconds", "inf"],
        ["media", "--skip", "media"],
        ["turn", "--turns", "0"],
        ["turn", "--calls", "51"],
        ["turn", "--voice", "flite"],
        ["turn", "--recognizer", "whisper"],
        ["latency"],
        [],
    ],
)
def test_bad_arguments_are_refused_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["bench", *arguments])
    assert end.value.code == 2
    assert "inland bench" in capsys.readouterr().err
