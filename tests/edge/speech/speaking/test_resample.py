from __future__ import annotations

import numpy as np
import pytest

from edge.media.playout import Mark
from edge.speech.voice import Speech
from edge.speech.voices.engine import Clip
from edge.speech.voices.resample import CHUNK_SECONDS, LONGEST_WORD_SECONDS, chunks, resample


def _tone(count: int, rate: int) -> Clip:
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(count) / rate)
    return Clip(wave.astype(np.int16), rate, (Mark(count // 2, "one "), Mark(count, "two")))


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 22_050, 48_000])
@pytest.mark.parametrize("count", [1, 777, 22_050, 44_237])
def test_the_length_is_exact_and_the_marks_move_along(rate: int, count: int) -> None:
    speech = resample(_tone(count, 22_050), rate)
    assert len(speech.samples) == round(count * rate / 22_050)
    assert [mark.text for mark in speech.marks] == ["one ", "two"]
    assert speech.marks[1].sample == len(speech.samples)
    assert speech.marks[0].sample == round(count // 2 * rate / 22_050)


@pytest.mark.parametrize("rate", [8_000, 24_000])
def test_resampling_delays_nothing(rate: int) -> None:
    speech = resample(_tone(22_050, 22_050), rate)
    wanted = 8000 * np.sin(2 * np.pi * 440 * np.arange(len(speech.samples)) / rate)
    middle = slice(200, -200)
    assert np.abs(speech.samples[middle] - wanted[middle]).max() < 10


def _speech(*words: tuple[int, str]) -> Speech:
    count = words[-1][0]
    samples = np.arange(1, count + 1).astype(np.int16)
    return Speech(samples, tuple(Mark(sample, text) for sample, text in words))


def test_chunks_end_where_words_end_and_lose_nothing() -> None:
    rate = 1000
    speech = _speech((300, "a "), (450, "b "), (800, "c "), (1700, "d "), (1900, "e"))
    parts = list(chunks(speech, 120, rate))
    assert [[mark.text for mark in part.marks] for part in parts] == [
        ["a ", "b "],
        ["c "],
        ["d "],
        ["e"],
    ]
    assert [len(part.samples) for part in parts] == [450, 350, 900, 320]
    for part in parts[:-1]:
        assert part.marks[-1].sample == len(part.samples)
    joined = np.concatenate([part.samples for part in parts])
    np.testing.assert_array_equal(joined[:1900], speech.samples)
    assert not joined[1900:].any()


def test_a_stretch_without_words_is_cut_all_the_same() -> None:
    rate = 1000
    text = "x" * 100
    parts = list(chunks(_speech((9000, text)), 5000, rate))
    bound = int((LONGEST_WORD_SECONDS + CHUNK_SECONDS) * rate)
    assert all(len(part.samples) <= bound for part in parts)
    assert sum(len(part.samples) for part in parts) == 14_000
    assert "".join(mark.text for part in parts for mark in part.marks) == text


def test_silent_text_is_a_mark_without_samples() -> None:
    (part,) = chunks(Speech(np.zeros(0, np.int16), (Mark(0, "... "),)), 0, 8000)
    assert len(part.samples) == 0
    assert part.marks == (Mark(0, "... "),)


def test_nothing_gives_nothing() -> None:
    assert list(chunks(Speech(np.zeros(0, np.int16), ()), 0, 8000)) == []
