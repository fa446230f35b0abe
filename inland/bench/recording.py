"""``inland bench recording``: what it costs a call to be recorded."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from time import process_time, time
from typing import Any

import numpy as np
import yaml

from edge.clock import SystemClock
from edge.media.frames import LISTEN_FRAME, LISTEN_RATE, Samples, frame_samples
from edge.recording.archive import LegName
from edge.recording.lane import LATEST
from edge.recording.segment import Header, Press, SegmentSeal, encode
from edge.recording.tap import SEGMENT_TICKS, Stretch, Tap
from edge.session.seal import ClassKey, new_data_key
from inland.bench.errors import BenchError
from inland.bench.machine import Machine, describe
from inland.bench.running import MEASURED, print_json, print_lines, progress, run_bench
from inland.bench.speech import AGENT_RATE, write_speech
from inland.bench.target import Target, section_lines, target_lines
from inland.bench.whole_part import measure_whole
from inland.caller.utterances import resampled
from regions.models import DataClass
from regions.tag import ResidencyTag

SEGMENTS = 60
"""Of the recording's own path: ten minutes of audio."""
OVERHEAD_SECONDS = 300.0
RECORDINGS = "recordings"
LEG = LegName.new(1, 0)


@dataclass(frozen=True, slots=True)
class PathFigures:
    """CPU seconds per second of a recorded call, and kilobits per second that are kept."""

    loop: float
    """In the media path."""
    thread: float
    """Laying out, FLAC, sealing."""
    kept_kbps: float
    voice: str


@dataclass(frozen=True, slots=True)
class RecordingFigures:
    """The recording's own path, and whole nodes: CPU seconds per call-second of the worker, in
    the order measured, so that a machine that gets slower does not look like a cost."""

    path: PathFigures
    calls: int
    without: tuple[float, ...]
    recorded: tuple[float, ...]

    @property
    def ratio(self) -> float | None:
        """A recorded call's worker against one that is not."""
        if not self.without or not sum(self.without):
            return None
        plain = sum(self.without) / len(self.without)
        return round(sum(self.recorded) / len(self.recorded) / plain, 3)

    @property
    def targets(self) -> list[Target]:
        return [
            Target("in the media path", 0.001, self.path.loop, "CPU s per call-s"),
            Target("beside it", 0.005, self.path.thread, "CPU s per call-s"),
        ]


def run_recording(arguments: argparse.Namespace) -> int:
    """Measure it; the exit status."""
    machine = describe()

    async def measure(folder: Path) -> int:
        figures = await _measure(arguments, folder)
        _report(machine, figures, as_json=arguments.json)
        return MEASURED

    return run_bench(measure, OVERHEAD_SECONDS + 4 * (arguments.calls + arguments.seconds))


async def _measure(arguments: argparse.Namespace, folder: Path) -> RecordingFigures:
    progress(f"recording: {SEGMENTS * SEGMENT_TICKS // 50} s of speech through its own path")
    speech = await write_speech(folder)
    path = _measure_path(np.fromfile(speech.agent, np.int16), speech.voice)
    without: list[float] = []
    recorded: list[float] = []
    # Without, with, with, without: what drifts meanwhile falls on both.
    for number, found in enumerate(() if arguments.skip_whole else _order(without, recorded)):
        place = folder / f"part-{number}"
        change = partial(_recorded, place) if found is recorded else None
        progress(f"recording: {arguments.calls} conversations, part {number + 1} of 4")
        part = await measure_whole(arguments.calls, arguments.seconds, place, change)
        if change is not None and not any((place / RECORDINGS).glob("*/*/*/*")):
            raise BenchError("the node that was to record kept nothing")
        found.append(part.cpu_by_process["worker"])
    return RecordingFigures(path, arguments.calls, tuple(without), tuple(recorded))


def _order(without: list[float], recorded: list[float]) -> tuple[list[float], ...]:
    return without, recorded, recorded, without


def _recorded(folder: Path, settings: dict[str, Any]) -> None:
    """A node whose agents record into a folder."""
    agents = folder / "recorded-agents"
    shutil.copytree(settings["agents"], agents)
    for path in agents.glob("*.yaml"):
        agent = yaml.safe_load(path.read_text())
        agent["recording"] = {"no_notice": "The callers are programs of this very bench."}
        path.write_text(yaml.safe_dump(agent))
    settings["agents"] = str(agents)
    settings["recordings"] = {"folder": str(folder / RECORDINGS)}


def _measure_path(agent: Samples, voice: str) -> PathFigures:
    """The caller says what the agent says, at 16 kHz, and they take turns, two to one."""
    caller = resampled(agent, LISTEN_RATE)
    heard, played = _frames(caller, LISTEN_FRAME), _frames(agent, frame_samples(AGENT_RATE))
    ticks = SEGMENTS * SEGMENT_TICKS
    pairs = list(zip(islice(heard, ticks), islice(played, ticks), strict=True))
    tap = Tap(SystemClock(), lambda: AGENT_RATE)
    tap.caller_may_be_heard = True
    before = process_time()
    for one, other in pairs:
        tap.heard(one)
        tap.played(other)
    loop = process_time() - before
    seal = _seal()
    press, kept, before = Press(), 0, process_time()
    for number in range(SEGMENTS):
        begin = number * SEGMENT_TICKS
        stretch = _stretch(pairs, begin, min(begin + SEGMENT_TICKS, ticks))
        header = Header(number=number, began=0, begin=begin, end=stretch.end, name=LEG.text)
        kept += len(seal.seal(header, encode(press.lay(stretch))))
    thread, seconds = process_time() - before, ticks / 50
    return PathFigures(
        loop=round(loop / seconds, 6),
        thread=round(thread / seconds, 5),
        kept_kbps=round(kept * 8 / 1000 / seconds, 1),
        voice=voice,
    )


def _frames(samples: Samples, size: int) -> Iterator[Samples]:
    whole = [samples[at : at + size] for at in range(0, len(samples) - size, size)]
    return cycle(whole)


def _stretch(pairs: list[tuple[Samples, Samples]], begin: int, end: int) -> Stretch:
    held = range(begin, min(end + LATEST, len(pairs)))
    ours = held if begin == 0 else held[LATEST:]
    heard = [(tick, pairs[tick][0]) for tick in ours if tick // 250 % 3]
    played = [(tick, pairs[tick][1]) for tick in ours if not tick // 250 % 3]
    return Stretch(begin, end, heard, played, AGENT_RATE)


def _seal() -> SegmentSeal:
    tag = ResidencyTag(
        tenant="bench",
        jurisdictions=("eea",),
        data_class=DataClass.RECORDING,
        allowed_regions=("eu-central-1",),
        policy="1#000000000000",
        session="s_bench",
        expires_at=int(time()) + 60,
    )
    return SegmentSeal(ClassKey(new_data_key(), tag), "bench", LEG.text)


def _report(machine: Machine, figures: RecordingFigures, *, as_json: bool) -> None:
    targets = figures.targets
    if as_json:
        told = [target.as_json() for target in targets]
        print_json(
            "recording", machine, {**asdict(figures), "ratio": figures.ratio, "targets": told}
        )
        return
    path = figures.path
    lines = section_lines(
        "recording's own path",
        [
            ("in the media path", f"{path.loop:.6f} CPU s per call-second"),
            ("in a thread", f"{path.thread:.5f} CPU s per call-second: FLAC, sealing"),
            ("kept", f"{path.kept_kbps:.0f} kbit/s"),
            ("voice", path.voice),
        ],
    )
    if figures.ratio is not None:
        parts = {"without": figures.without, "recorded": figures.recorded}
        rows = [(name, ", ".join(f"{cpu:.4f}" for cpu in cpus)) for name, cpus in parts.items()]
        rows.append(("recorded against without", f"{figures.ratio:.3f} times"))
        title = f"worker of {figures.calls} conversations, CPU s per call-second"
        lines += section_lines(title, rows)
    lines += ["", "targets", *target_lines(targets)]
    print_lines("inland bench recording", machine, lines)
