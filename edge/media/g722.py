"""G.722 (ITU-T, 09/2012) at 64 kbit/s by the package of that name: 16 kHz audio, 7 kHz wide.

Its RTP clock runs at 8,000 Hz by an old mistake that everybody keeps (RFC 3551 section 4.5.2), and
a byte holds two samples: so a clock unit is a byte, as with G.711.
"""

from __future__ import annotations

import numpy as np
from G722 import G722

from edge.media.concealment import Concealer
from edge.media.frames import Samples

RATE = 16_000
"""Hz of the audio."""

CLOCK = 8_000
"""Hz of the RTP timestamps."""

_BIT_RATE = 64_000


class G722Decoder:
    """Packets of one stream to 16 kHz."""

    def __init__(self) -> None:
        self._codec = G722(RATE, _BIT_RATE)
        self._concealer = Concealer(RATE)

    def decode(self, payload: bytes) -> Samples:
        """Two samples per byte."""
        return self._concealer.heard(np.frombuffer(self._codec.decode(payload), np.int16))

    def conceal(self, samples: int, following: bytes | None = None) -> Samples:
        """``samples`` in place of a lost packet."""
        return self._concealer.conceal(samples)

    def reset(self) -> None:
        """Forget what was heard: another stream begins."""
        self._codec = G722(RATE, _BIT_RATE)
        self._concealer.reset()

    def close(self) -> None:
        """Nothing is held."""


class G722Encoder:
    """Samples at 16 kHz, an even number of them, to bytes."""

    def __init__(self) -> None:
        self._codec = G722(RATE, _BIT_RATE)

    def encode(self, samples: Samples) -> bytes:
        """One byte per two samples."""
        return bytes(self._codec.encode(samples))

    def close(self) -> None:
        """Nothing is held."""
