"""From one rate to another, frame by frame, where the pace of a call was set before its codec."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.media.frames import Samples, frame_samples


class FrameResampler:
    """20 ms frames from ``source`` to ``target`` Hz (multiples of 4,000), continuous over frames.

    By linear interpolation, on the way down after an average over what is left out: enough for the
    rare call that changes its codec, and it delays nothing.
    """

    def __init__(self, source: int, target: int) -> None:
        self._in = frame_samples(source)
        self._out = frame_samples(target)
        self._width = max(1, round(source / target))
        self._at = (np.arange(self._out) + 1) * source / target
        self._before: npt.NDArray[np.float64] = np.zeros(self._width)

    def __call__(self, frame: Samples) -> Samples:
        """One frame; it must have exactly 20 ms."""
        width = self._width
        joined: npt.NDArray[np.float64] = np.concatenate((self._before, frame))
        sums = np.concatenate(([0.0], np.cumsum(joined)))
        # Entry n is the average that ends with sample n - 1 of the frame; entry 0 is of the last.
        smooth = (sums[width:] - sums[:-width]) / width
        self._before = joined[-width:]
        return np.interp(self._at, np.arange(self._in + 1), smooth).astype(np.int16)
