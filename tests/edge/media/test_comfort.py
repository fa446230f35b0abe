"""Comfort noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.media import comfort
from edge.media.comfort import ComfortNoise
from tests.edge.media.tones import loudness


@pytest.mark.parametrize("level", [30, 50, 70])
def test_noise_is_as_loud_as_its_packet_says(level: int) -> None:
    noise = ComfortNoise()
    noise.hear(comfort.packet(level))
    made = noise.make(16_000)
    # 0 dBov is the square wave of the largest mu-law values (RFC 3389 section 3.1).
    assert 20 * np.log10(loudness(made) / 32_124) == pytest.approx(-level, abs=0.5)


def test_before_any_packet_and_at_the_lowest_level_there_is_silence() -> None:
    noise = ComfortNoise()
    assert not noise.on and not noise.make(320).any()
    noise.hear(comfort.packet(60))
    noise.hear(comfort.packet(comfort.QUIETEST))
    assert not noise.on and not noise.make(320).any()


def test_speech_ends_it_and_an_empty_packet_changes_nothing() -> None:
    noise = ComfortNoise()
    noise.hear(comfort.packet(50))
    noise.hear(b"")
    assert noise.on
    noise.stop()
    assert not noise.make(320).any()


def test_noise_as_loud_as_speech_is_turned_down() -> None:
    noise = ComfortNoise()
    noise.hear(b"\x00")
    assert loudness(noise.make(16_000)) < 1100


@given(st.binary(max_size=64), st.integers(0, 2000))
def test_any_packet_makes_frames_of_the_length_asked_for(payload: bytes, count: int) -> None:
    noise = ComfortNoise()
    noise.hear(payload)
    made = noise.make(count)
    assert made.shape == (count,) and made.dtype == np.int16
