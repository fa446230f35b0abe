"""How one caller sounds on one line, learnt from utterance to utterance."""

from __future__ import annotations

from collections.abc import Sequence

from edge.media.frames import Band

FORGET_FRAMES = 1_500
"""Frames (10 ms each) that count at most: what was long ago gives way to what is now."""


class Channel:
    """The line of one call, for whatever engine hears it.

    Cepstral means hold what is the same in all speech of a call: the microphone, the line, the
    level, the length of the vocal tract. A call's own are kept with the call, so that no caller's
    line leaks into another's utterances.
    """

    def __init__(self, band: Band = "wide") -> None:
        self._band = band
        self._sums: list[float] = []
        self._frames = 0.0

    @property
    def band(self) -> Band:
        """What the audio holds; setting another one forgets the line."""
        return self._band

    @band.setter
    def band(self, band: Band) -> None:
        if band != self._band:
            self._band = band
            self._sums, self._frames = [], 0.0

    def means(self, usual: Sequence[float], weight: float) -> tuple[float, ...]:
        """The best guess before an utterance: what is ``usual``, counted as ``weight`` frames, and
        what was heard so far."""
        if not self._sums:
            return tuple(usual)
        total = weight + self._frames
        return tuple((weight * u + s) / total for u, s in zip(usual, self._sums, strict=True))

    def heard(self, means: Sequence[float], frames: int) -> None:
        """An utterance of ``frames`` frames had these means."""
        if not self._sums:
            self._sums = [0.0] * len(means)
        self._sums = [s + frames * m for s, m in zip(self._sums, means, strict=True)]
        self._frames += frames
        if self._frames > FORGET_FRAMES:
            kept = FORGET_FRAMES / self._frames
            self._sums = [s * kept for s in self._sums]
            self._frames = FORGET_FRAMES
