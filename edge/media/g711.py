"""G.711 (ITU-T, 11/1988): mu-law and A-law by table, and the way up to the rates used inside.

A byte of code has 256 values, two have 65,536, and so has a 16-bit sample: every direction is one
table look-up, also the one that doubles the rate.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.media.concealment import Concealer
from edge.media.frames import Samples

Law: TypeAlias = Literal["ulaw", "alaw"]
"""Mu-law in North America and Japan, A-law elsewhere."""

RATE = 8_000
"""Hz: the rate of G.711."""

ULAW_SILENCE = 0xFF
"""The mu-law code of zero."""

ALAW_SILENCE = 0xD5
"""The A-law code of the smallest positive step; A-law has no zero."""

SILENCE: dict[Law, int] = {"ulaw": ULAW_SILENCE, "alaw": ALAW_SILENCE}

_ULAW_BIAS = 33
_ULAW_CLIP = 8158


def _ulaw_values() -> Samples:
    """Sample (16-bit scale) of each mu-law code: G.711 table 2, 14-bit values times four."""
    code = ~np.arange(256) & 0xFF
    exponent = code >> 4 & 7
    magnitude = (((code & 15) * 2 + _ULAW_BIAS) << exponent) - _ULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16) * np.int16(4)


def _alaw_values() -> Samples:
    """Sample (16-bit scale) of each A-law code: G.711 table 1, 13-bit values times eight."""
    code = np.arange(256) ^ 0x55
    exponent = code >> 4 & 7
    step = (code & 15) * 2 + 1
    magnitude = np.where(exponent == 0, step, (step + 32) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16) * np.int16(8)


def _ulaw_codes() -> npt.NDArray[np.uint8]:
    """Mu-law code of each sample, indexed by the sample as uint16."""
    sample = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    # Ones' complement for the negative half, as the reference code of ITU-T G.191 has it.
    magnitude = np.minimum(np.where(sample >= 0, sample, ~sample) >> 2, _ULAW_CLIP) + _ULAW_BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    mantissa = magnitude >> (exponent + 1) & 15
    code = exponent << 4 | mantissa | np.where(sample < 0, 0x80, 0)
    return np.asarray(~code & 0xFF, np.uint8)


def _alaw_codes() -> npt.NDArray[np.uint8]:
    """A-law code of each sample, indexed by the sample as uint16."""
    sample = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    # The negative half is mirrored at -1 (in 13 bits), not at zero: A-law has no code for zero.
    magnitude = np.where(sample >= 0, sample >> 3, ~sample >> 3)
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    mantissa = magnitude >> np.maximum(exponent, 1) & 15
    code = exponent << 4 | mantissa | np.where(sample >= 0, 0x80, 0)
    return np.asarray(code ^ 0x55, np.uint8)


_FROM_ULAW = _ulaw_values()
_FROM_ALAW = _alaw_values()
_TO_ULAW = _ulaw_codes()
_TO_ALAW = _alaw_codes()


def ulaw_decode(payload: bytes) -> Samples:
    """Samples at 8 kHz of mu-law bytes."""
    return _FROM_ULAW[np.frombuffer(payload, np.uint8)]


def ulaw_encode(samples: Samples) -> bytes:
    """Mu-law bytes of samples at 8 kHz."""
    return _TO_ULAW[samples.view(np.uint16)].tobytes()


def alaw_decode(payload: bytes) -> Samples:
    """Samples at 8 kHz of A-law bytes."""
    return _FROM_ALAW[np.frombuffer(payload, np.uint8)]


def alaw_encode(samples: Samples) -> bytes:
    """A-law bytes of samples at 8 kHz."""
    return _TO_ALAW[samples.view(np.uint16)].tobytes()


class G711Decoder:
    """Codes to ``rate`` Hz (16 or 24 kHz) by linear interpolation, continuous over packets.

    The recogniser was measured to hear telephone speech better this way than through a good
    resampler: the mirrored energy above 4 kHz looks more like wide-band speech than none.
    """

    def __init__(self, law: Law, rate: int) -> None:
        self._steps = _steps(law, rate // RATE)
        self._silence = bytes([SILENCE[law]])
        self._last = self._silence
        self._concealer = Concealer(rate)

    def decode(self, payload: bytes) -> Samples:
        """Samples of a packet, late by less than one of 8 kHz."""
        if not payload:
            return np.zeros(0, np.int16)
        # Every byte with the one before it, as overlapping 16-bit numbers: one look-up does all.
        pairs = np.ndarray((len(payload),), "<u2", self._last + payload, 0, (1,))
        self._last = payload[-1:]
        return self._concealer.heard(self._steps.take(pairs, axis=0).reshape(-1))

    def conceal(self, samples: int, following: bytes | None = None) -> Samples:
        """``samples`` in place of a lost packet."""
        return self._concealer.conceal(samples)

    def reset(self) -> None:
        """Forget what was heard: another stream begins."""
        self._last = self._silence
        self._concealer.reset()

    def close(self) -> None:
        """Nothing is held."""


class G711Encoder:
    """Samples at 8 kHz to codes."""

    def __init__(self, law: Law) -> None:
        self._codes = _TO_ULAW if law == "ulaw" else _TO_ALAW

    def encode(self, samples: Samples) -> bytes:
        """One byte per sample."""
        return self._codes.take(samples.view(np.uint16)).tobytes()

    def close(self) -> None:
        """Nothing is held."""


@cache
def _steps(law: Law, factor: int) -> Samples:
    """From each code to the next in ``factor`` steps: row ``next << 8 | code``."""
    values = (_FROM_ULAW if law == "ulaw" else _FROM_ALAW).astype(np.int32)
    pair = np.arange(1 << 16)
    before, after = values[pair & 0xFF], values[pair >> 8]
    steps = [(before * (factor - step) + after * step) // factor for step in range(1, factor + 1)]
    return np.stack(steps, axis=1).astype(np.int16)
