"""Tones to send, and how to recognise them."""

from __future__ import annotations

import numpy as np

from edge.media.frames import Samples


def tone(frequency: float, rate: int, seconds: float, amplitude: float = 9000.0) -> Samples:
    """A sine wave."""
    at = np.arange(round(rate * seconds)) / rate
    return (np.sin(2 * np.pi * frequency * at) * amplitude).astype(np.int16)


def pitch(samples: Samples, rate: int) -> float:
    """The strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(samples.astype(float) * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


def loudness(samples: Samples) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(samples.astype(float) ** 2))) if len(samples) else 0.0
