"""What is heard in place of lost speech, for codecs that bring no concealment of their own.

The idea of ITU-T G.711 Appendix I: voiced speech repeats itself, so the last period of the pitch is
repeated, fading, and the first good samples after the loss are faded in over it.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from edge.media.frames import Samples

FULL = 0.010
"""Seconds at full loudness."""

FADED = 0.060
"""Seconds after which nothing is left."""

SHORTEST = 0.0025
LONGEST = 0.015
"""Periods that are looked for, in seconds: 400 Hz to 66 Hz."""

WINDOW = 0.020
"""Seconds that are compared with what came before them."""

BLEND = 0.005
"""Seconds over which speech fades in after a loss."""

_SEARCH_RATE = 8_000
"""Hz at which the period is looked for: a quarter of the work of 16 kHz, and fine enough."""


class Concealer:
    """Remembers the speech of one stream at ``rate`` Hz, a multiple of 8,000."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        # Enough for the window and the longest period even when packets are 10 ms long.
        self._recent: deque[Samples] = deque(maxlen=4)
        self._period: npt.NDArray[np.float32] = np.zeros(1, np.float32)
        self._made = 0

    def heard(self, pcm: Samples) -> Samples:
        """Take decoded speech; after a loss it comes back with its start faded in."""
        if self._made:
            pcm = self._blend(pcm)
            self._made = 0
        self._recent.append(pcm)
        return pcm

    def conceal(self, samples: int) -> Samples:
        """The next ``samples`` of a loss, as one or several calls."""
        if not self._made:
            self._period = self._last_period()
        made = self._continue(samples)
        self._made += samples
        return made.astype(np.int16)

    def reset(self) -> None:
        """Forget what was heard: another stream begins."""
        self._recent.clear()
        self._made = 0

    def _continue(self, samples: int) -> npt.NDArray[np.float32]:
        at = np.arange(self._made, self._made + samples)
        seconds = at / self._rate
        gain = np.clip((FADED - seconds) / (FADED - FULL), 0, 1).astype(np.float32)
        return self._period[at % len(self._period)] * gain

    def _blend(self, pcm: Samples) -> Samples:
        count = min(len(pcm), round(BLEND * self._rate))
        share = np.arange(1, count + 1, dtype=np.float32) / (count + 1)
        mixed = pcm.copy()
        mixed[:count] = pcm[:count] * share + self._continue(count) * (1 - share)
        return mixed

    def _last_period(self) -> npt.NDArray[np.float32]:
        recent = np.concatenate(self._recent) if self._recent else np.zeros(0, np.int16)
        longest = round(LONGEST * self._rate)
        window = min(round(WINDOW * self._rate), len(recent) - longest)
        if window < longest or not recent[-window:].any():
            return np.zeros(1, np.float32)
        heard = recent[-window - longest :].astype(np.float32)
        step = self._rate // _SEARCH_RATE
        period = _lag(heard[::-step][::-1], longest // step, round(SHORTEST * _SEARCH_RATE)) * step
        wave = heard[-period:].copy()
        # The end of the period flows into its start as the sample before the period does.
        overlap = period // 4
        share = np.arange(1, overlap + 1, dtype=np.float32) / (overlap + 1)
        before = heard[-period - overlap : -period]
        wave[-overlap:] = wave[-overlap:] * (1 - share) + before * share
        return wave


def _lag(heard: npt.NDArray[np.float32], longest: int, shortest: int) -> int:
    """How many samples back the end of ``heard`` looks most like itself."""
    window = len(heard) - longest
    tail = heard[longest:]
    # Row n is the window as it was ``longest - n`` samples ago.
    past = np.lib.stride_tricks.sliding_window_view(heard, window)[: longest - shortest + 1]
    likeness = past @ tail
    energy = np.einsum("ij,ij->i", past, past)
    score = likeness / np.sqrt(np.maximum(energy, 1.0))
    return longest - int(np.argmax(score))
