"""What is learnt of a call's line, and that it stays with the call."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.speech.channel import FORGET_FRAMES, Channel

USUAL = (40.0, 0.0)


def test_first_utterance_of_a_call_is_heard_with_what_is_usual() -> None:
    assert Channel().means(USUAL, 150) == USUAL


def test_line_is_learnt_the_more_of_it_was_heard() -> None:
    channel = Channel()
    channel.heard((50.0, 6.0), 150)
    assert channel.means(USUAL, 150) == (45.0, 3.0)
    channel.heard((50.0, 6.0), 300)
    assert channel.means(USUAL, 150) == pytest.approx((47.5, 4.5))


def test_line_that_changes_is_forgotten() -> None:
    channel = Channel("narrow")
    channel.heard((50.0, 6.0), 1000)
    channel.band = "narrow"
    assert channel.means(USUAL, 150) != USUAL
    channel.band = "wide"
    assert channel.means(USUAL, 150) == USUAL


def test_what_was_long_ago_gives_way() -> None:
    channel = Channel()
    channel.heard((90.0, 0.0), 100 * FORGET_FRAMES)
    for _ in range(5):
        channel.heard((40.0, 0.0), FORGET_FRAMES)
    assert channel.means(USUAL, 150)[0] < 42.0


def test_utterance_without_a_frame_teaches_nothing() -> None:
    channel = Channel()
    channel.heard((0.0, 0.0), 0)
    assert channel.means(USUAL, 150) == USUAL


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.floats(-50, 50), st.integers(0, 3000)), max_size=20))
def test_means_stay_between_the_smallest_and_the_largest(heard: list[tuple[float, int]]) -> None:
    channel = Channel()
    for mean, frames in heard:
        channel.heard((mean,), frames)
    least = min([0.0, *(mean for mean, _ in heard)])
    most = max([0.0, *(mean for mean, _ in heard)])
    assert least - 1e-6 <= channel.means((0.0,), 150)[0] <= most + 1e-6
