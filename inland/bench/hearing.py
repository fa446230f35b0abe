"""``inland bench hearing``: how well the embedded recogniser hears people, at 16 kHz and by phone.

Every speaker is a call: the recogniser keeps what it learns of a line from utterance to utterance,
as it does for a caller. Half of the speakers are those on which the recogniser's settings were
chosen; figures to believe are those of the others.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.dialog.agent import load_agent
from edge.dialog.expectations import Expectations
from edge.dialog.flow_state import FlowState
from edge.events import Expectation
from edge.media import g711
from edge.speech.channel import Channel
from edge.speech.sphinx import SphinxRecognizer
from inland.bench.machine import describe
from inland.bench.recordings import BANDS, Line, Said, read_recordings
from inland.bench.running import MEASURED, print_json, print_lines, progress, run_bench

AGENT = Path(__file__).parents[1] / "demo" / "agents" / "clinic-reception.yaml"
TUNED_ON = frozenset({"fl-rms", "fl-slt", "george", "nohash_0", "nohash_2"})
"""Speakers that the settings of ``edge.speech.sphinx`` were chosen on."""
UTTERANCES = 8
"""Of a call, after which the speaker calls anew."""
MOST_TRIALS = 36
"""Of a speaker on a line, inside the grammar and outside each: no voice outweighs the others."""
LONGEST_SECONDS = 3600.0
BOOKED: dict[str, str | bool] = {
    "department": "dentist",
    "date": "2026-11-23",
    "time": "10:00",
    "name": "Smith",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """One line of the result; shares of one."""

    line: Line
    speakers: str
    said: str
    inside: int
    exact: float
    """Word for word and taken as understood."""
    refused: float
    """Word for word, and taken for something else: false rejects, of those that were right."""
    wrong: float
    """Other words, and taken as understood."""
    outside: int
    taken: float
    """Of what the step does not know, taken as understood: false accepts."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Something said at a step, which knows it or not."""

    said: Said
    step: Expectation
    inside: bool


def run_hearing(arguments: argparse.Namespace) -> int:
    """Hear the recordings; the exit status."""
    machine = describe()

    async def bench(_: Path) -> int:
        figures = await measure(read_recordings(arguments.recordings))
        if arguments.json:
            print_json("hearing", machine, {"figures": [asdict(each) for each in figures]})
        else:
            print_lines("inland bench hearing", machine, list(_lines(figures)))
        return MEASURED

    return run_bench(bench, LONGEST_SECONDS)


def steps() -> list[Expectation]:
    """What the demo's receptionist listens for, step by step."""
    at = Expectations(load_agent(AGENT))
    slots = list(BOOKED)
    known = [{name: BOOKED[name] for name in slots[:count]} for count in range(len(slots) + 1)]
    return [
        at.of(FlowState()),
        *(
            at.of(FlowState(mode="slot", intent="book", slot=slot, values=values))
            for slot, values in zip(slots, known, strict=False)
        ),
        at.of(FlowState(mode="confirm", intent="book", values=known[-1])),
        at.of(FlowState(mode="more")),
        at.of(FlowState(mode="slot", intent="cancel", slot="reference")),
    ]


async def measure(recordings: list[Said]) -> list[Figures]:
    """Every line that the recordings are wide enough for, each speaker a call."""
    recognizer = SphinxRecognizer()
    found: list[Figures] = []
    try:
        for line in BANDS:
            count: Counter[tuple[str, str, str]] = Counter()
            for speaker, trials in _calls(recordings, line):
                progress(f"{line}: {speaker}, {len(trials)} utterances")
                await _call(recognizer, line, trials, count)
            found += _figures(line, count)
    finally:
        await recognizer.close()
    return found


def _calls(recordings: list[Said], line: Line) -> Iterator[tuple[str, list[Trial]]]:
    """For each speaker, what they say at which step.

    Everything is said once where it is known and once where it is not: what every step knows, such
    as asking for a person, would outweigh the rest.
    """
    chance = random.Random(3)
    everything = steps()
    calls: dict[str, list[Trial]] = {}
    for said in recordings:
        if line == "wide" and said.rate == g711.RATE:
            continue
        words = said.text.split()
        known = [step for step in everything if step.grammar.parse(words) is not None]
        unlike = [step for step in everything if step.grammar.spot(words) is None]
        trials = calls.setdefault(said.speaker, [])
        for places, inside in ((known, True), (unlike, False)):
            if places:
                trials.append(Trial(said, chance.choice(places), inside))
    for speaker, trials in calls.items():
        shuffled = random.Random(speaker)
        shuffled.shuffle(trials)
        known_ones = [trial for trial in trials if trial.inside][:MOST_TRIALS]
        chosen = known_ones + [trial for trial in trials if not trial.inside][:MOST_TRIALS]
        shuffled.shuffle(chosen)
        yield speaker, chosen


async def _call(
    recognizer: SphinxRecognizer,
    line: Line,
    trials: list[Trial],
    count: Counter[tuple[str, str, str]],
) -> None:
    channel = Channel(BANDS[line])
    for number, trial in enumerate(trials):
        said, inside = trial.said, trial.inside
        if number % UTTERANCES == 0:
            channel = Channel(BANDS[line])
        utterance = recognizer.begin(trial.step, channel)
        samples = said.over(line)
        for start in range(0, len(samples), 320):
            utterance.accept(samples[start : start + 320])
        heard = await utterance.finish()
        right = inside and _same(heard.text, said.text)
        outcome = f"{'in' if inside else 'out'} {'right' if right else 'other'} {heard.understood}"
        half = "tuned on" if said.speaker in TUNED_ON else "held out"
        count[half, _kind(said), outcome] += 1


def _kind(said: Said) -> str:
    if said.speaker.startswith("fl-"):
        return "synthetic callers"
    return "people, numbers of six" if said.made else "people, single words and sentences"


def _same(heard: str, said: str) -> bool:
    return heard.replace("oh", "zero") == said.replace("oh", "zero")


def _figures(line: Line, count: Counter[tuple[str, str, str]]) -> Iterator[Figures]:
    for half, kind in sorted({(half, kind) for half, kind, _ in count}, reverse=True):

        def of(outcome: str, half: str = half, kind: str = kind) -> int:
            return sum(
                n for key, n in count.items() if key[:2] == (half, kind) and outcome in key[2]
            )

        inside, outside = of("in "), of("out ")
        yield Figures(
            line=line,
            speakers=half,
            said=kind,
            inside=inside,
            exact=_share(of("in right True"), inside),
            refused=_share(of("in right False"), of("in right")),
            wrong=_share(of("in other True"), inside),
            outside=outside,
            taken=_share(of("out other True"), outside),
        )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def _lines(figures: list[Figures]) -> Iterator[str]:
    yield f"{'line':5} {'speakers':9} {'said':35} {'inside':>6} {'exact':>6} {'refused':>8} " + (
        f"{'wrong':>6} {'outside':>8} {'taken':>6}"
    )
    for f in figures:
        yield (
            f"{f.line:5} {f.speakers:9} {f.said:35} {f.inside:6} {f.exact:6.1%} {f.refused:8.1%} "
            f"{f.wrong:6.1%} {f.outside:8} {f.taken:6.1%}"
        )
