"""One side of a call on the recording's own clock: frames put where they were heard. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from edge.media.frames import Samples

Arrival: TypeAlias = tuple[int, Samples]
"""A frame of 20 ms, and the tick of the call's clock in which it passed: 50 a second, from 0."""
LATEST = 10
"""Ticks that a segment is held open, for frames that a network held back."""
EARLIEST = 100
"""Ticks of audio that may come before their time; what is beyond is left out."""
NEAR = 2
"""Ticks by which a frame of a steady stream may be off without anybody having paused."""
QUIET = 64
"""Loudest sample of a frame that may be left out, or put off, to get back into step."""


class Lane:
    """Lays frames out one after the other, in segments of whole frames, without a seam.

    A frame follows the one before it unless it comes ``late`` ticks or more after its turn: then
    nobody spoke in between, and there is silence. What a network held back and then brought at once
    is put where it belongs, and a lane that got out of step so is put right in the next quiet
    frame.
    """

    def __init__(self, frame: int, *, late: int) -> None:
        """``frame`` are samples; ``late`` is at most :data:`LATEST`."""
        self._frame = frame
        self._late = late
        self._next: int | None = None
        self._over: list[Arrival] = []

    def lay(self, arrivals: Iterable[Arrival], begin: int, end: int) -> Samples:
        """The ticks from ``begin`` to before ``end``; what belongs later is kept for the next."""
        out = np.zeros((end - begin) * self._frame, np.int16)
        placed, self._over = self._over, []
        for at, samples in arrivals:
            place = self._place(at, samples)
            if place is not None:
                placed.append((place, samples))
        for place, samples in placed:
            if place >= end:
                self._over.append((place, samples))
            elif place >= begin:
                start = (place - begin) * self._frame
                out[start : start + self._frame] = samples
        return out

    def _place(self, at: int, samples: Samples) -> int | None:
        due = self._next
        if due is None or at - due > self._late:
            place = at
        elif due - at > EARLIEST:
            return None
        elif abs(at - due) > NEAR and int(np.abs(samples).max()) <= QUIET:
            if due > at:
                return None
            place = at
        else:
            place = due
        self._next = place + 1
        return place
