"""From one rate to another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge.media.frames import frame_samples
from edge.media.rates import FrameResampler
from tests.edge.media.tones import loudness, pitch, tone

PAIRS = list(itertools.permutations([8_000, 16_000, 24_000], 2))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_tone_keeps_its_pitch_and_loudness(source: int, target: int) -> None:
    resample = FrameResampler(source, target)
    speech = tone(440, source, 0.4)
    size = frame_samples(source)
    frames = [resample(speech[i : i + size]) for i in range(0, len(speech), size)]
    assert {len(frame) for frame in frames} == {frame_samples(target)}
    made = np.concatenate(frames)
    assert made.dtype == np.int16
    assert pitch(made, target) == pytest.approx(440, abs=3)
    assert loudness(made) == pytest.approx(loudness(speech), rel=0.05)
    steepest = np.max(np.abs(np.diff(speech.astype(int)))) * max(1, source / target)
    assert np.max(np.abs(np.diff(made.astype(int)))) < 1.1 * steepest


def test_full_scale_does_not_overflow() -> None:
    frame = np.where(np.arange(480) % 50 < 25, 32_767, -32_768).astype(np.int16)
    for target in (8_000, 16_000):
        made = FrameResampler(24_000, target)(frame)
        assert made.max() <= 32_767 and made.min() >= -32_768
        assert loudness(made) > 25_000
