"""Comfort noise (RFC 3389): a hiss as loud as the far end's room while nobody speaks there.

Only the level is used. The spectrum that may follow it pleases an ear; a listener for speech needs
no more than that silence is as loud as the speech's own background.
"""

from __future__ import annotations

import numpy as np

from edge.media.frames import Samples

QUIETEST = 127
"""-127 dBov: nothing at all."""

LEVEL = 75
"""What is sent for our own silence, -dBov: a quiet room."""

_OVERLOAD = 8_031 * 4
"""0 dBov: the square wave of the largest mu-law values (RFC 3389 section 3.1), on the 16-bit
scale."""

_LOUDEST = 30
"""-dBov. Background louder than this is a fault of whoever measured it, and would be speech to a
listener."""


def packet(level: int = LEVEL) -> bytes:
    """The payload for a level in -dBov."""
    return bytes([level])


class ComfortNoise:
    """White noise of a level, continuous for one stream."""

    def __init__(self) -> None:
        # A fixed seed: noise needs no secrecy, and a test wants the same twice.
        self._random = np.random.default_rng(1)
        self._amplitude = 0.0

    @property
    def on(self) -> bool:
        """Whether there is any."""
        return self._amplitude > 0

    def hear(self, payload: bytes) -> None:
        """Take what a comfort noise packet says; an empty one says nothing."""
        if payload:
            level = max(_LOUDEST, payload[0] & 0x7F)
            self._amplitude = 0.0 if level == QUIETEST else _OVERLOAD * 10 ** (-level / 20)

    def stop(self) -> None:
        """Somebody speaks: silence is silence again."""
        self._amplitude = 0.0

    def make(self, samples: int) -> Samples:
        """The next ``samples``."""
        if not self._amplitude:
            return np.zeros(samples, np.int16)
        noise = self._random.standard_normal(samples, np.float32) * np.float32(self._amplitude)
        # At the loudest that is made, clipping lies 30 standard deviations away.
        made: Samples = noise.astype(np.int16)
        return made
