"""``inland bench turn``: from the caller's last word to the agent's first, on the wire."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.speech.hearing import build_recognizer
from edge.speech.models_folder import models_folder
from edge.speech.recognizer import RecognizerError
from inland.bench.child import Json, bench_child
from inland.bench.errors import BenchError
from inland.bench.machine import Machine, describe
from inland.bench.private_node import COUNTRY, Engines, private_node
from inland.bench.running import MEASURED, print_json, print_lines, progress, run_bench
from inland.bench.talkers import STAGES
from inland.bench.target import Target, section_lines, target_lines
from inland.caller.meter import percentile

TURN_SECONDS = 25.0
"""Longest that one turn may take: an utterance, the answer, and repeats of both."""
OVERHEAD_SECONDS = 120.0
PROGRESS_ANSWERS = 10
"""Between two lines of progress."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    p50: float
    p95: float
    max: float


@dataclass(frozen=True, slots=True)
class TurnFigures:
    """``wire`` is measured by the callers, ``stages`` by the edge."""

    recognizer: str
    voice: str
    callers_voice: str
    calls: int
    answers: int
    wire: Spread
    stages: dict[str, Spread]
    said: int
    heard: int
    understood: int
    word_for_word: int
    calls_failed: int
    note: str | None

    @property
    def targets(self) -> list[Target]:
        """DESIGN's bounds and figures side by side."""
        return [
            Target("last word to first word, p50", 300, self.wire.p50, "ms"),
            Target("last word to first word, p95", 500, self.wire.p95, "ms"),
        ]


def run_turn(arguments: argparse.Namespace) -> int:
    """Measure the answers; the exit status."""
    machine = describe()
    turns, calls = arguments.turns, arguments.calls
    engines = Engines(arguments.recognizer, arguments.voice)
    longest = TURN_SECONDS * (turns / calls + 2)

    async def measure(folder: Path) -> int:
        figures = await _measure(turns, calls, engines, longest, folder)
        _report(machine, figures, as_json=arguments.json)
        return MEASURED

    return run_bench(measure, OVERHEAD_SECONDS + longest)


async def _measure(
    turns: int, calls: int, engines: Engines, longest: float, folder: Path
) -> TurnFigures:
    await _check(engines)
    progress("starting a control plane, a node and its clinic")
    async with private_node(folder / "node", engines) as node:
        order = {
            "control_plane": node.control_plane,
            "country": COUNTRY,
            "calls": calls,
            "rounds": 1,
        }
        async with bench_child("inland.bench.talkers", order, folder) as (talkers, voice):
            progress(f"{turns} answers, {calls} at once; each takes some seconds")
            tally: Json = {"wire_ms": []}
            while (done := len(tally["wire_ms"])) < turns:
                goal = min(turns, done + PROGRESS_ANSWERS)
                tally = await talkers.ask({"ask": "until", "answers": goal}, longest)
                progress(f"  {len(tally['wire_ms'])} of {turns}")
    return figures_of(tally, engines, calls, voice)


async def _check(engines: Engines) -> None:
    """Raise :class:`BenchError` when an engine's model is missing; a node would wait for it."""
    try:
        if engines.recognizer == "sherpa":
            await (await build_recognizer("sherpa")).close()
        if engines.voice == "piper" and not list(models_folder(os.environ).rglob("*.onnx.json")):
            raise BenchError("no piper voice is there: run `inland models pull`")
    except RecognizerError as error:
        raise BenchError(str(error)) from error


def figures_of(tally: Json, engines: Engines, calls: int, voice: Json) -> TurnFigures:
    """What the talkers counted, summed up."""
    stages = {name: spread([each[name] for each in tally["stages"]]) for name in STAGES}
    return TurnFigures(
        recognizer=engines.recognizer,
        voice=engines.voice,
        callers_voice=voice["voice"],
        calls=calls,
        answers=len(tally["wire_ms"]),
        wire=spread(tally["wire_ms"]),
        stages=stages,
        said=tally["said"],
        heard=tally["heard"],
        understood=tally["understood"],
        word_for_word=tally["word_for_word"],
        calls_failed=tally["calls_failed"],
        note=voice["note"],
    )


def spread(values: Sequence[float]) -> Spread:
    """Nearest-rank percentiles of at least one value."""
    p50, p95 = percentile(values, 0.5), percentile(values, 0.95)
    assert p50 is not None and p95 is not None
    return Spread(round(p50, 1), round(p95, 1), round(max(values), 1))


def _report(machine: Machine, figures: TurnFigures, *, as_json: bool) -> None:
    if as_json:
        targets = [target.as_json() for target in figures.targets]
        print_json("turn", machine, {**asdict(figures), "targets": targets})
        return
    rows = [("on the wire, at the caller", _text(figures.wire))]
    rows += [(f"  edge: {name}", _text(figures.stages[name])) for name in STAGES]
    heard = [
        ("answers", f"{figures.answers}, {figures.calls} calls at once"),
        ("utterances", f"{figures.said} said, {figures.heard} heard"),
        ("understood", f"{figures.understood}, {figures.word_for_word} of them word for word"),
        ("calls that failed", str(figures.calls_failed)),
        ("recogniser, voice", f"{figures.recognizer}, {figures.voice}"),
        ("callers' voice", figures.callers_voice),
    ]
    lines = section_lines("last audible frame sent to first audible frame received", rows)
    lines += section_lines("conversations", heard)
    lines += ["", "targets", *target_lines(figures.targets)]
    lines += ["", f"  {figures.note}"] if figures.note else []
    print_lines("inland bench turn", machine, lines)


def _text(spread_: Spread) -> str:
    return f"p50 {spread_.p50:6.1f}   p95 {spread_.p95:6.1f}   max {spread_.max:6.1f} ms"
