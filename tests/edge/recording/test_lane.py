"""Frames are put where they were heard, whatever the network did to their times."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.media.frames import LISTEN_FRAME
from edge.recording.lane import EARLIEST, LATEST, Lane
from tests.edge.recording.parts import frame


def laid(lane: Lane, arrivals: list[tuple[int, int]], begin: int, end: int) -> list[int]:
    audio = lane.lay([(at, frame(value)) for at, value in arrivals], begin, end)
    assert len(audio) == (end - begin) * LISTEN_FRAME
    return [int(value) for value in audio[::LISTEN_FRAME]]


def test_a_steady_stream_has_no_seam() -> None:
    assert laid(Lane(LISTEN_FRAME, late=2), [(n, 1000 + n) for n in range(5)], 0, 5) == [
        1000,
        1001,
        1002,
        1003,
        1004,
    ]


def test_a_pause_is_silence_and_what_follows_is_in_its_place() -> None:
    assert laid(Lane(LISTEN_FRAME, late=2), [(0, 500), (6, 600)], 0, 8) == [
        500, 0, 0, 0, 0, 0, 600, 0,
    ]  # fmt: skip


def test_frames_that_a_network_held_back_are_put_where_they_belong() -> None:
    held = [(0, 500), (4, 501), (4, 502), (4, 503), (4, 504)]
    assert laid(Lane(LISTEN_FRAME, late=LATEST), held, 0, 5) == [500, 501, 502, 503, 504]


def test_a_burst_at_the_beginning_is_caught_up_with_in_quiet_frames() -> None:
    lane = Lane(LISTEN_FRAME, late=LATEST)
    arrivals = [(0, 500 + n) for n in range(6)]  # five of them early
    arrivals += [(n, 0) for n in range(1, 9)] + [(9, 700)]
    audio = laid(lane, arrivals, 0, 12)
    assert audio[:6] == [500, 501, 502, 503, 504, 505]
    assert 9 <= audio.index(700) <= 9 + 2


def test_loud_frames_are_not_dropped_to_get_back_into_step() -> None:
    lane = Lane(LISTEN_FRAME, late=LATEST)
    arrivals = [(0, 500 + n) for n in range(6)] + [(n, 600 + n) for n in range(1, 5)]
    assert laid(lane, arrivals, 0, 10) == [500, 501, 502, 503, 504, 505, 601, 602, 603, 604]


def test_what_is_far_too_early_is_left_out() -> None:
    lane = Lane(LISTEN_FRAME, late=LATEST)
    audio = laid(lane, [(0, 500)] * (EARLIEST + 50), 0, EARLIEST + 60)
    assert audio.count(500) == EARLIEST + 1


def test_a_segment_begins_with_what_came_before_its_time() -> None:
    lane = Lane(LISTEN_FRAME, late=LATEST)
    assert laid(lane, [(0, 500 + n) for n in range(4)], 0, 2) == [500, 501]
    assert laid(lane, [], 2, 5) == [502, 503, 0]


def test_a_segment_that_is_held_open_long_enough_loses_no_late_frame() -> None:
    lane = Lane(LISTEN_FRAME, late=LATEST)
    assert laid(lane, [(0, 500), (LATEST + 1, 501)], 0, 2) == [500, 501]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(-2000, 2000)), max_size=60),
    st.integers(1, 59),
)
def test_cutting_into_segments_changes_nothing(arrivals: list[tuple[int, int]], cut: int) -> None:
    arrivals.sort(key=lambda arrival: arrival[0])
    whole = laid(Lane(LISTEN_FRAME, late=LATEST), arrivals, 0, 80)
    lane = Lane(LISTEN_FRAME, late=LATEST)
    before = [arrival for arrival in arrivals if arrival[0] < cut + LATEST]
    after = arrivals[len(before) :]
    assert laid(lane, before, 0, cut) + laid(lane, after, cut, 80) == whole


def test_samples_are_copied_as_they_are() -> None:
    noise = np.random.default_rng(1).integers(-3000, 3000, LISTEN_FRAME).astype(np.int16)
    assert np.array_equal(Lane(LISTEN_FRAME, late=2).lay([(3, noise)], 3, 4), noise)
