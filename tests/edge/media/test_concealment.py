"""What is heard in place of lost speech."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media.concealment import BLEND, FADED, FULL, Concealer
from edge.media.frames import Samples
from tests.edge.media.tones import loudness, tone

RATES = [16_000, 24_000]


def voiced(rate: int, seconds: float, fundamental: float = 130.0) -> Samples:
    """A vowel of sorts: harmonics that fall by half each."""
    parts = [
        tone(fundamental * n, rate, seconds, 8000 / 2**n).astype(np.int32) for n in range(1, 6)
    ]
    return np.asarray(sum(parts), np.int16)


def heard(concealer: Concealer, speech: Samples, size: int) -> None:
    for start in range(0, len(speech), size):
        concealer.heard(speech[start : start + size])


def likeness(one: Samples, other: Samples) -> float:
    return float(np.corrcoef(one.astype(float), other.astype(float))[0, 1])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("milliseconds", [10, 20, 30])
@pytest.mark.parametrize("fundamental", [80.0, 130.0, 220.0, 390.0])
def test_a_vowel_goes_on_in_its_own_pitch_and_phase(
    rate: int, milliseconds: int, fundamental: float
) -> None:
    speech = voiced(rate, 0.2, fundamental)
    lost_at = rate * 12 // 100
    concealer = Concealer(rate)
    heard(concealer, speech[:lost_at], rate * milliseconds // 1000)
    count = round(FULL * rate)
    made = concealer.conceal(count)
    assert likeness(made, speech[lost_at : lost_at + count]) > 0.9


@pytest.mark.parametrize("rate", RATES)
def test_it_fades_and_is_silent_after_60_ms(rate: int) -> None:
    concealer = Concealer(rate)
    heard(concealer, voiced(rate, 0.1), rate // 50)
    made = concealer.conceal(rate * 12 // 100)
    levels = [loudness(made[at : at + rate // 100]) for at in range(0, len(made), rate // 100)]
    assert levels[0] > 3000
    assert all(after < before or not before for before, after in itertools.pairwise(levels))
    assert levels[round(FADED * 100) :] == [0.0] * (12 - round(FADED * 100))


def test_a_loss_in_two_calls_sounds_as_in_one() -> None:
    one, other = Concealer(16_000), Concealer(16_000)
    for concealer in (one, other):
        heard(concealer, voiced(16_000, 0.1), 320)
    parts = [other.conceal(160), other.conceal(480)]
    assert np.array_equal(one.conceal(640), np.concatenate(parts))


def test_neither_the_loss_nor_the_return_clicks() -> None:
    rate = 16_000
    speech = voiced(rate, 0.3)
    steepest = int(np.max(np.abs(np.diff(speech.astype(int)))))
    concealer = Concealer(rate)
    heard(concealer, speech[:1600], 320)
    lost = concealer.conceal(640)
    back = concealer.heard(speech[2240:2560])
    whole = np.concatenate((speech[:1600], lost, back)).astype(int)
    assert np.max(np.abs(np.diff(whole))) < 2 * steepest
    blended = round(BLEND * rate)
    assert np.array_equal(back[blended:], speech[2240 + blended : 2560])
    assert not np.array_equal(back[:blended], speech[2240 : 2240 + blended])


def test_only_the_first_packet_after_a_loss_is_faded_in() -> None:
    concealer = Concealer(16_000)
    speech = voiced(16_000, 0.1)
    heard(concealer, speech, 320)
    concealer.conceal(320)
    concealer.heard(speech[:320])
    assert np.array_equal(concealer.heard(speech[320:640]), speech[320:640])


def test_decoded_samples_are_not_written_to() -> None:
    concealer = Concealer(16_000)
    speech = voiced(16_000, 0.1)
    heard(concealer, speech, 320)
    concealer.conceal(320)
    frame = speech[:320].copy()
    frame.flags.writeable = False
    concealer.heard(frame)


@pytest.mark.parametrize("before", [0, 1, 300])
def test_with_too_little_to_go_by_a_loss_is_silent(before: int) -> None:
    concealer = Concealer(16_000)
    concealer.heard(voiced(16_000, 1.0)[:before])
    assert not concealer.conceal(320).any()


def test_another_stream_is_not_continued_from_the_one_before() -> None:
    concealer = Concealer(16_000)
    heard(concealer, voiced(16_000, 0.1), 320)
    concealer.reset()
    assert not concealer.conceal(320).any()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 2000)), max_size=20),
    st.sampled_from(RATES),
    st.integers(0, 2**32),
)
def test_any_run_of_losses_has_the_length_that_was_asked_for(
    run: list[tuple[bool, int]], rate: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    concealer = Concealer(rate)
    for lost, count in run:
        if lost:
            made = concealer.conceal(count)
        else:
            made = concealer.heard(random.integers(-32768, 32768, count).astype(np.int16))
        assert made.shape == (count,)
        assert made.dtype == np.int16
