"""From the engine's rate to the call's, in chunks that end where a word ends."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np

from edge.media.playout import Mark
from edge.speech.voice import Speech
from edge.speech.voices.engine import Clip

CHUNK_SECONDS = 0.5
"""A chunk is cut at the last word that ends within this."""
LONGEST_WORD_SECONDS = 2.0


def resample(clip: Clip, rate: int) -> Speech:
    """All of ``clip`` at ``rate`` Hz: exactly ``round(n * rate / clip.rate)`` samples."""
    wanted = round(len(clip.samples) * rate / clip.rate)
    marks = tuple(
        Mark(min(wanted, round(mark.sample * rate / clip.rate)), mark.text) for mark in clip.marks
    )
    if rate == clip.rate or wanted == 0:
        return Speech(clip.samples[:wanted], marks)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    frame = av.AudioFrame.from_ndarray(clip.samples[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = clip.rate
    # libswresample has no delay at the start, and is off by a sample or two at the end.
    out = np.zeros(wanted, np.int16)
    filled = 0
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        samples = part.to_ndarray()[0][: wanted - filled]
        out[filled : filled + len(samples)] = samples
        filled += len(samples)
    return Speech(out, marks)


def chunks(speech: Speech, pause: int, rate: int) -> Iterator[Speech]:
    """``speech``, then ``pause`` samples of silence, in chunks that end at a word's end.

    A chunk holds the words that end within ``CHUNK_SECONDS``, or the one next word. A stretch
    without a mark that is longer than ``LONGEST_WORD_SECONDS`` is cut all the same, its text in
    proportion.
    """
    target = int(CHUNK_SECONDS * rate)
    marks = _dense(speech, int(LONGEST_WORD_SECONDS * rate))
    samples = np.concatenate([speech.samples, np.zeros(pause, np.int16)])
    start = 0
    while marks:
        count = max(1, sum(1 for mark in marks if mark.sample - start <= target))
        end = marks[count - 1].sample if count < len(marks) else len(samples)
        end = min(end, marks[count - 1].sample + target)
        here = tuple(Mark(mark.sample - start, mark.text) for mark in marks[:count])
        yield Speech(samples[start:end], here)
        marks = marks[count:]
        start = end
    for begin in range(start, len(samples), target):
        yield Speech(samples[begin : begin + target], ())


def _dense(speech: Speech, longest: int) -> list[Mark]:
    """The marks, with more of them in stretches that are longer than ``longest``."""
    dense: list[Mark] = []
    before = 0
    for mark in speech.marks:
        gap = mark.sample - before
        pieces = max(1, -(-gap // longest))
        size = len(mark.text)
        for piece in range(1, pieces + 1):
            text = mark.text[size * (piece - 1) // pieces : size * piece // pieces]
            dense.append(Mark(before + gap * piece // pieces, text))
        before = mark.sample
    return dense
