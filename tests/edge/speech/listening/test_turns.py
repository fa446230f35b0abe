"""Whole turns: the real detector and the embedded recogniser on synthetic callers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from edge.events import CallerEvent, Expectation, Heard, Partial, SpeechStarted
from edge.grammar import Alt, Opt, Repeat, Seq, Words
from edge.media.frames import Samples
from edge.speech.activity import SpeechDetector
from edge.speech.listener import Listener, ListenSettings
from edge.speech.sphinx import SphinxRecognizer
from tests.fakes.clock import FakeClock
from tests.fakes.hearing import expecting
from tests.fakes.recordings import flite, with_silence


def one_of(*phrases: str) -> Alt:
    return Alt(tuple(Words(phrase) for phrase in phrases))


FIGURES = one_of(
    "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"
)
PIN = expecting(Repeat(FIGURES, 6, 6), "pin")
DATE = expecting(
    Seq(
        (
            Words("the"),
            one_of("twenty third", "twenty fourth", "third", "fourth"),
            Words("of"),
            one_of("may", "june", "july"),
        )
    ),
    "date",
)
CHOICE = expecting(Seq((one_of("billing", "reception"), Opt(Words("department")))), "choice")


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    return SpeechDetector()


async def call(
    detector: SpeechDetector, sphinx: SphinxRecognizer, expectation: Expectation, line: Samples
) -> list[CallerEvent]:
    """Play a line to a listener; everything that it reported."""
    events: list[CallerEvent] = []
    results: asyncio.Queue[Heard] = asyncio.Queue()

    def on_event(event: CallerEvent) -> None:
        events.append(event)
        if isinstance(event, Heard):
            results.put_nowait(event)

    clock = FakeClock(monotonic=0.0)
    listener = Listener(sphinx, detector, clock, on_event, ListenSettings())
    listener.expect(expectation)
    for at in range(0, len(line) - 319, 320):
        clock.advance(0.02)
        listener.feed(line[at : at + 320])
        detector.tick()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(listener.run())
        for _ in range(sum(isinstance(event, SpeechStarted) for event in events)):
            await results.get()
        listener.close()
    return events


def trimmed(samples: Samples) -> Samples:
    """Without the silence that flite puts around a clip."""
    loud = np.flatnonzero(abs(samples.astype(int)) > 300)
    return samples[loud[0] : loud[-1] + 1]


def spliced(folder: Path, pause: float, *pieces: str) -> Samples:
    """The pieces with a pause of a quiet line between two, and silence around them."""
    parts = [with_silence(trimmed(flite(piece, folder)), 0.0, pause) for piece in pieces]
    return with_silence(np.concatenate(parts), 0.6, 1.5)


async def test_a_closed_answer_is_decided_within_220_ms_of_its_last_sound(
    detector: SpeechDetector, sphinx: SphinxRecognizer, tmp_path: Path
) -> None:
    voice = trimmed(flite("four five nine two zero one", tmp_path))
    events = await call(detector, sphinx, PIN, with_silence(voice, 0.6, 1.5))

    [heard] = [event for event in events if isinstance(event, Heard)]
    assert heard.text == "four five nine two zero one"
    assert heard.decided_at - (0.6 + len(voice) / 16_000) <= 0.22
    assert any(isinstance(event, Partial) for event in events)


@pytest.mark.parametrize("pause", [0.1, 0.3, 0.5])
async def test_a_caller_who_pauses_between_figures_is_heard_in_one_piece(
    detector: SpeechDetector, sphinx: SphinxRecognizer, tmp_path: Path, pause: float
) -> None:
    line = spliced(tmp_path, pause, "four", "five", "nine", "two", "seven", "one")
    events = await call(detector, sphinx, PIN, line)

    [heard] = [event for event in events if isinstance(event, Heard)]
    assert heard.text == "four five nine two seven one"


async def test_a_caller_who_pauses_inside_a_date_is_heard_in_one_piece(
    detector: SpeechDetector, sphinx: SphinxRecognizer, tmp_path: Path
) -> None:
    line = spliced(tmp_path, 0.3, "the twenty third", "of may")
    events = await call(detector, sphinx, DATE, line)

    [heard] = [event for event in events if isinstance(event, Heard)]
    assert (heard.text, heard.understood) == ("the twenty third of may", True)


async def test_a_sentence_that_may_go_on_is_given_time_to(
    detector: SpeechDetector, sphinx: SphinxRecognizer, tmp_path: Path
) -> None:
    line = spliced(tmp_path, 0.3, "billing", "department")
    events = await call(detector, sphinx, CHOICE, line)

    [heard] = [event for event in events if isinstance(event, Heard)]
    assert heard.text == "billing department"
