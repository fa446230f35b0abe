"""The tap keeps references, hands over segments, and takes nothing before it may."""

from __future__ import annotations

from edge.recording.lane import LATEST
from edge.recording.tap import SEGMENT_TICKS, Stretch, Tap
from tests.edge.recording.parts import TICK, frame
from tests.edge.session.parts import ManualClock


class Line:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.began = self.clock.now
        self.tap = Tap(self.clock, lambda: 24_000)
        self.tap.caller_may_be_heard = True
        self.stretches: list[Stretch] = []
        self.tap.on_stretch = self.stretches.append

    def at(self, tick: int) -> Tap:
        self.clock.now = self.began + (tick + 0.5) * TICK
        return self.tap


def test_what_passed_is_kept_with_its_tick_and_not_copied() -> None:
    line = Line()
    said, answered = frame(1), frame(2, 480)
    line.at(3).heard(said)
    line.at(5).played(answered)
    rest = line.at(7).close()
    assert (rest.begin, rest.end, rest.rate) == (0, 8, 24_000)
    assert [at for at, _ in rest.heard] == [3]
    assert rest.heard[0][1] is said
    assert [at for at, _ in rest.played] == [5]
    assert rest.played[0][1] is answered


def test_the_caller_is_not_heard_before_they_were_told() -> None:
    line = Line()
    line.tap.caller_may_be_heard = False
    line.at(0).heard(frame(1))
    line.at(0).played(frame(2))
    line.tap.caller_may_be_heard = True
    line.at(1).heard(frame(3))
    rest = line.at(2).close()
    assert [at for at, _ in rest.heard] == [1]
    assert [at for at, _ in rest.played] == [0]


def test_a_segment_is_handed_over_once_late_frames_had_their_time() -> None:
    line = Line()
    for tick in range(SEGMENT_TICKS + LATEST):
        line.at(tick).heard(frame(tick))
    assert line.stretches == []
    line.at(SEGMENT_TICKS + LATEST).heard(frame(0))
    (stretch,) = line.stretches
    assert (stretch.begin, stretch.end) == (0, SEGMENT_TICKS)
    assert len(stretch.heard) == SEGMENT_TICKS + LATEST
    assert line.at(SEGMENT_TICKS + LATEST).close().begin == SEGMENT_TICKS


def test_a_time_in_which_nothing_passed_takes_no_memory() -> None:
    line = Line()
    line.at(0).heard(frame(1))
    line.at(100 * SEGMENT_TICKS).heard(frame(2))
    assert [(each.begin, each.end) for each in line.stretches] == [(0, SEGMENT_TICKS)]
    rest = line.at(100 * SEGMENT_TICKS + 1).close()
    assert rest.end == 100 * SEGMENT_TICKS + 2
    assert rest.end - rest.begin <= SEGMENT_TICKS + LATEST
    assert len(rest.heard) == 1


def test_a_silence_before_the_end_takes_none_either() -> None:
    line = Line()
    line.at(0).heard(frame(1))
    rest = line.at(50 * SEGMENT_TICKS).close()
    assert [len(each.heard) for each in line.stretches] == [1]
    assert rest.end - rest.begin <= SEGMENT_TICKS + LATEST


def test_nothing_is_taken_after_the_end() -> None:
    line = Line()
    line.at(0).close()
    line.at(1).heard(frame(1))
    line.at(3 * SEGMENT_TICKS).played(frame(1))
    assert line.stretches == []


def test_whoever_is_handed_a_segment_may_close_the_tap() -> None:
    line = Line()
    closed: list[Stretch] = []
    line.tap.on_stretch = lambda stretch: closed.extend((stretch, line.tap.close()))
    line.at(0).heard(frame(1))
    line.at(SEGMENT_TICKS + LATEST).heard(frame(2))
    assert [(each.begin, each.end) for each in closed] == [
        (0, SEGMENT_TICKS),
        (SEGMENT_TICKS, SEGMENT_TICKS + LATEST + 1),
    ]
    assert [len(each.heard) for each in closed] == [1, 0]
