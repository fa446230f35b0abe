"""When a turn starts and ends: the pure state machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.grammar import Completeness
from edge.speech.endpointing import (
    CHUNK,
    Decision,
    Ended,
    Endpointer,
    EndpointSettings,
    EndReason,
    Paused,
    Resumed,
    Started,
    loudness,
    silence_to_wait,
)

SETTINGS = EndpointSettings()
FRAME = 320


class Line:
    """Plays stretches of speech and silence to an endpointer, as the listener would."""

    def __init__(self, settings: EndpointSettings = SETTINGS) -> None:
        self.endpointer = Endpointer(settings)
        self.decisions: list[tuple[int, Decision]] = []
        self._speech: list[float] = []
        self._classified = 0

    def play(
        self, milliseconds: int, speech: float, level: float | None = None
    ) -> list[tuple[int, Decision]]:
        """Decisions with the time they came at, in ms since the start."""
        before = len(self.decisions)
        if level is None:
            level = -20.0 if speech > 0.5 else -65.0
        for _ in range(milliseconds // 20):
            self._note(self.endpointer.frame(FRAME, level))
            self._speech.append(speech)
            while self._classified + CHUNK <= self.endpointer.heard:
                self._classified += CHUNK
                inside = self._speech[(self._classified - CHUNK) // FRAME :]
                self._note(self.endpointer.probability(max(inside)))
        return self.decisions[before:]

    def _note(self, decision: Decision | None) -> None:
        if decision is not None:
            self.decisions.append((self.endpointer.heard // 16, decision))

    def ends(self) -> list[tuple[int, Ended]]:
        return [(at, d) for at, d in self.decisions if isinstance(d, Ended)]


def spoken(completeness: Completeness | None, silence: int = 2_000) -> tuple[int, Ended]:
    """One second of speech with these words, then silence: the end and its delay in ms."""
    line = Line()
    line.play(500, 0.02)
    line.play(1_000, 0.95)
    line.endpointer.completeness = completeness
    line.play(silence, 0.02)
    [(at, ended)] = line.ends()
    return at - ended.last_audible // 16, ended


def test_speech_starts_after_two_voiced_chunks() -> None:
    line = Line()
    line.play(320, 0.02)

    [(at, started)] = line.play(200, 0.95)

    assert isinstance(started, Started)
    assert started.onset == 320 * 16
    assert at - 320 <= 64 + 20


def test_one_loud_chunk_is_no_turn() -> None:
    line = Line()
    line.play(320, 0.02)

    assert line.play(20, 0.99) + line.play(500, 0.02) == []


def test_more_speech_is_asked_for_while_the_agent_speaks() -> None:
    quiet, busy = Line(), Line()
    busy.endpointer.agent_speaking = True
    for line in (quiet, busy):
        line.play(320, 0.02)
        line.play(300, 0.95)

    assert busy.decisions[0][0] - quiet.decisions[0][0] == pytest.approx(32, abs=20)


def test_a_doubtful_voice_does_not_interrupt_the_agent() -> None:
    line = Line()
    line.endpointer.agent_speaking = True

    assert line.play(1_000, 0.55) == []

    line.endpointer.agent_speaking = False
    assert [type(d) for _, d in line.play(200, 0.55)] == [Started]


@pytest.mark.parametrize(
    ("completeness", "reason", "least", "most"),
    [
        (Completeness.CLOSED, EndReason.CLOSED, 160, 220),
        (Completeness.COMPLETE, EndReason.COMPLETE, 350, 450),
        (Completeness.OPEN, EndReason.OPEN, 880, 960),
        (Completeness.DEAD, EndReason.DEAD, 630, 700),
        (None, EndReason.UNHEARD, 630, 700),
    ],
)
def test_the_silence_that_ends_a_turn_depends_on_the_grammar(
    completeness: Completeness | None, reason: EndReason, least: int, most: int
) -> None:
    delay, ended = spoken(completeness)

    assert ended.reason is reason
    assert least <= delay <= most


def test_the_last_audible_frame_is_where_the_sound_stopped() -> None:
    _, ended = spoken(Completeness.CLOSED)

    assert ended.last_audible == 1_500 * 16


def test_a_voice_that_fades_below_hearing_is_not_waited_for() -> None:
    """Silero goes on saying speech for some chunks after the sound."""
    line = Line()
    line.play(320, 0.02)
    line.play(800, 0.95, -20.0)
    line.endpointer.completeness = Completeness.CLOSED
    line.play(96, 0.9, -60.0)
    line.play(600, 0.02, -65.0)

    [(at, ended)] = line.ends()
    assert ended.last_audible == 1_120 * 16
    assert at - 1_120 <= 220


@pytest.mark.parametrize("pause", [100, 200, 300, 500, 800])
def test_a_pause_inside_a_number_does_not_end_the_turn(pause: int) -> None:
    line = Line()
    line.play(320, 0.02)
    for _ in range(6):
        line.play(400, 0.95)
        line.endpointer.completeness = Completeness.OPEN
        line.play(pause, 0.02)

    assert line.ends() == []


def test_a_caller_who_goes_on_after_a_whole_sentence_is_heard_to_the_end() -> None:
    line = Line()
    line.play(320, 0.02)
    line.play(600, 0.95)
    line.endpointer.completeness = Completeness.COMPLETE
    line.play(300, 0.02)
    resumed = line.play(600, 0.95)
    line.play(1_000, 0.02)

    assert isinstance(resumed[0][1], Resumed)
    [(_, ended)] = line.ends()
    assert ended.last_audible == (320 + 600 + 300 + 600) * 16


def test_words_that_become_complete_in_the_silence_end_the_turn_at_once() -> None:
    line = Line()
    line.play(320, 0.02)
    line.play(600, 0.95)
    line.endpointer.completeness = Completeness.OPEN
    line.play(400, 0.02)
    assert line.ends() == []

    line.endpointer.completeness = Completeness.CLOSED
    line.play(20, 0.02)

    assert [ended.reason for _, ended in line.ends()] == [EndReason.CLOSED]


def test_a_sound_that_the_detector_has_not_judged_yet_postpones_the_end() -> None:
    line = Line()
    line.play(320, 0.02)
    line.play(640, 0.95)
    line.endpointer.completeness = Completeness.CLOSED
    line.play(160, 0.02)

    assert isinstance(line.endpointer.frame(FRAME, -20.0), type(None))
    assert line.endpointer.frame(FRAME, -20.0) is None


def test_a_turn_without_an_end_is_ended_at_the_longest() -> None:
    line = Line(EndpointSettings(longest_ms=3_000))
    line.play(320, 0.02)
    line.play(3_200, 0.95)

    [(at, ended)] = line.ends()
    assert ended.reason is EndReason.TOO_LONG
    assert at - 320 <= 3_000 + 32


def test_a_second_turn_begins_without_words() -> None:
    line = Line()
    line.play(320, 0.02)
    for _ in range(2):
        line.play(640, 0.95)
        assert line.endpointer.completeness is None
        line.endpointer.completeness = Completeness.CLOSED
        line.play(640, 0.02)

    assert [ended.reason for _, ended in line.ends()] == [EndReason.CLOSED] * 2


def test_a_noisy_line_is_not_taken_for_an_audible_voice() -> None:
    line = Line()
    line.play(2_000, 0.02, -40.0)
    line.play(640, 0.95, -20.0)
    line.endpointer.completeness = Completeness.CLOSED
    line.play(64, 0.8, -39.0)
    line.play(640, 0.02, -40.0)

    [(_, ended)] = line.ends()
    assert ended.last_audible == 2_640 * 16


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=30), st.data())
def test_whatever_is_heard_every_start_has_one_end_after_it(
    stretches: list[tuple[int, bool]], data: st.DataObject
) -> None:
    line = Line(EndpointSettings(longest_ms=2_000))
    for frames, voiced in stretches:
        line.play(frames * 20, 0.95 if voiced else 0.02)
        line.endpointer.completeness = data.draw(st.sampled_from([None, *Completeness]))
    line.play(2_000, 0.02)

    turns = [type(d) for _, d in line.decisions if isinstance(d, Started | Ended)]
    assert turns == [Started, Ended] * (len(turns) // 2)
    for at, decision in line.decisions:
        if isinstance(decision, Ended | Paused):
            assert 0 < decision.last_audible <= at * 16


def test_the_rule_returns_its_reason() -> None:
    assert silence_to_wait(Completeness.OPEN, SETTINGS) == (SETTINGS.open_ms, EndReason.OPEN)


@pytest.mark.parametrize(
    "wrong",
    [{"speech_off": 0.7}, {"closed_ms": 500.0}, {"open_ms": 30_000.0}, {"closed_ms": 0.0}],
)
def test_settings_that_contradict_each_other_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="does not hold"):
        EndpointSettings(**wrong)


def test_loudness_is_in_db_of_full_scale() -> None:
    square = np.full(320, 32767, np.int16)

    assert loudness(square) == pytest.approx(0.0, abs=0.01)
    assert loudness(square // 10) == pytest.approx(-20.0, abs=0.1)
    assert loudness(np.zeros(320, np.int16)) == -90.0
    assert loudness(np.zeros(0, np.int16)) == -90.0
