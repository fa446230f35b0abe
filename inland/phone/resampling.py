"""One stream of audio at another rate."""

from __future__ import annotations

import numpy as np
import soxr

from edge.media.frames import Samples


class Resampler:
    """From ``source`` to ``target`` Hz, piece by piece and without seams; pieces come out a little
    late, and of uneven length."""

    def __init__(self, source: int, target: int) -> None:
        self._stream = soxr.ResampleStream(source, target, 1, dtype="int16", quality="MQ")

    def more(self, samples: Samples) -> Samples:
        """The next piece."""
        return np.asarray(self._stream.resample_chunk(samples), np.int16)
