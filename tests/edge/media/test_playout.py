"""What the caller is about to hear, and what they heard."""

from __future__ import annotations

import numpy as np
import pytest

from edge.media.frames import Samples, frame_samples
from edge.media.playout import Mark, Playout


def ramp(count: int, start: int = 1) -> Samples:
    return np.arange(start, start + count, dtype=np.int16)


@pytest.fixture
def playout() -> Playout:
    return Playout(24_000)


def test_pushed_samples_come_out_in_order_in_whole_frames(playout: Playout) -> None:
    for size, start in ((100, 1), (700, 101), (480, 801), (5, 1281)):
        playout.push(ramp(size, start))
    frames = []
    while (frame := playout.pull()) is not None:
        frames.append(frame)
    assert {len(frame) for frame in frames} == {480}
    whole = np.concatenate(frames)
    assert np.array_equal(whole[:1285], ramp(1285))
    assert not whole[1285:].any()
    assert playout.played == 1285


@pytest.mark.parametrize(("rate", "size"), [(8000, 160), (16_000, 320), (24_000, 480)])
def test_a_frame_is_20_ms(rate: int, size: int) -> None:
    assert frame_samples(rate) == Playout(rate).frame == size


def test_a_mark_is_reported_in_the_tick_that_sends_its_last_sample(playout: Playout) -> None:
    heard: list[str] = []
    playout.on_mark = heard.append
    playout.push(ramp(960), (Mark(0, "a"), Mark(480, "b"), Mark(481, "c"), Mark(960, "d")))
    playout.pull()
    assert heard == ["a", "b"]
    playout.pull()
    assert heard == ["a", "b", "c", "d"]


def test_marks_of_a_later_chunk_count_from_that_chunk(playout: Playout) -> None:
    heard: list[str] = []
    playout.on_mark = heard.append
    playout.push(ramp(480))
    playout.pull()
    playout.push(ramp(480), (Mark(480, "second"),))
    assert heard == []
    playout.pull()
    assert heard == ["second"]


def test_a_flush_leaves_nothing_to_hear_and_no_mark_to_report(playout: Playout) -> None:
    heard: list[str] = []
    playout.on_mark = heard.append
    playout.push(ramp(4800), (Mark(480, "a"), Mark(4800, "b")))
    playout.pull()
    assert playout.flush() == 4320
    assert playout.pull() is None
    assert heard == ["a"]
    assert (playout.queued, playout.seconds, playout.played) == (0, 0.0, 480)


def test_what_is_said_after_a_flush_has_its_own_marks(playout: Playout) -> None:
    heard: list[str] = []
    playout.on_mark = heard.append
    playout.push(ramp(4800), (Mark(4800, "never"),))
    playout.pull()
    playout.flush()
    playout.push(ramp(480), (Mark(480, "after"),))
    playout.pull()
    assert heard == ["after"]


def test_first_and_drained_are_called_once_per_burst(playout: Playout) -> None:
    calls: list[str] = []
    playout.on_first = lambda: calls.append("first")
    playout.on_drained = lambda: calls.append("drained")
    for _ in range(2):
        playout.push(ramp(960))
        for _ in range(4):
            playout.pull()
    assert calls == ["first", "drained"] * 2


def test_a_flush_is_not_a_drain(playout: Playout) -> None:
    calls: list[str] = []
    playout.on_drained = lambda: calls.append("drained")
    playout.push(ramp(960))
    playout.pull()
    playout.flush()
    playout.pull()
    assert calls == []


def test_the_rate_can_change_until_audio_was_queued() -> None:
    playout = Playout(8_000)
    playout.retune(16_000)
    assert (playout.rate, playout.frame) == (16_000, 320)
    playout.push(np.ones(320, np.int16))
    playout.retune(24_000)
    assert playout.rate == 16_000
    assert playout.pull() is not None
    playout.retune(24_000)
    assert (playout.rate, playout.frame) == (16_000, 320)
