"""Both sides of a call as one stereo WAV file: the caller left, the agent right."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from edge.media.frames import Samples

CALLER_RATE = 24_000
"""Hz of everything a caller sends and hears."""

SLACK = CALLER_RATE // 5
"""Samples by which a frame may be late or early and still follow the frame before it seamlessly."""


class Track:
    """One side: pieces of PCM at their places in the call."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, Samples]] = []
        self.end = 0
        """Samples from the start of the call until the end of the last piece."""

    def add(self, seconds: float, samples: Samples) -> None:
        """``samples`` were heard at ``seconds`` into the call.

        A small jitter of the arrival is not heard: the piece then follows the one before it.
        """
        place = round(seconds * CALLER_RATE)
        start = self.end if abs(place - self.end) <= SLACK else max(place, self.end)
        self._pieces.append((start, samples))
        self.end = start + len(samples)

    def mixed_into(self, out: Samples) -> None:
        """Write the track into ``out``, a zeroed array of at least ``end`` samples."""
        for start, samples in self._pieces:
            out[start : start + len(samples)] = samples


class Recording:
    """Collects a call in memory (96 kB a second) and writes it once at the end."""

    def __init__(self) -> None:
        self.caller = Track()
        self.agent = Track()

    def write(self, path: Path) -> None:
        """Write 24 kHz 16-bit stereo. Raises ``OSError`` when the file cannot be written."""
        stereo = np.zeros((max(self.caller.end, self.agent.end), 2), np.int16)
        self.caller.mixed_into(stereo[:, 0])
        self.agent.mixed_into(stereo[:, 1])
        # Opened by us: a wave.open that fails leaves an object behind that complains once more.
        with path.open("wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(CALLER_RATE)
            file.writeframes(stereo.tobytes())
