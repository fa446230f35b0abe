"""The shape of audio inside the house: 16 kHz mono signed 16-bit, in frames of 20 ms."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.int16]
"""Mono PCM, shape ``(n,)``, dtype int16, C-contiguous."""

Band: TypeAlias = Literal["wide", "narrow"]
"""What the audio held before it came to ``LISTEN_RATE``: speech up to 7 kHz and more (Opus, G.722),
or a telephone's 300 to 3,400 Hz (G.711, sampled at 8 kHz)."""

LISTEN_RATE = 16_000
"""Hz: what every recogniser and detector hears."""

FRAME_MS = 20
"""Milliseconds of audio in a frame, on the way in and on the way out."""

LISTEN_FRAME = LISTEN_RATE * FRAME_MS // 1000
"""Samples of one frame on the way in."""


def frame_samples(rate: int) -> int:
    """Samples of one 20 ms frame at ``rate`` Hz."""
    return rate * FRAME_MS // 1000
