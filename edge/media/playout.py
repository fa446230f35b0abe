"""What the caller is about to hear, and how much of it they have heard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge.media.frames import Samples, frame_samples


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in the audio: ``text`` has been spoken once ``sample`` samples were played.

    ``sample`` counts from the start of the chunk the mark came with; ``text`` is the piece of text
    since the mark before it.
    """

    sample: int
    text: str


class Playout:
    """A queue of PCM that is pulled one 20 ms frame at a time by the leg's sender.

    ``push`` never blocks and keeps order. ``pull`` returns None when there is nothing to say, so
    that the sender can stop transmitting. A mark is reported in the tick that hands its last
    sample to the network; what lies behind a ``flush`` is never reported.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.frame = frame_samples(rate)
        self.on_mark: Callable[[str], None] = _ignore_mark
        self.on_first: Callable[[], None] = _ignore
        """Called once per burst of audio, as its first frame leaves."""
        self.on_frame: Callable[[Samples], None] = _ignore_frame
        """Called with each frame as it leaves; nobody may change it."""
        self.on_drained: Callable[[], None] = _ignore
        """Called when the last queued sample left (not on ``flush``)."""
        self._chunks: deque[Samples] = deque()
        self._marks: deque[tuple[int, str]] = deque()
        self._queued = 0
        self._played = 0
        self._speaking = False

    def retune(self, rate: int) -> None:
        """Hold audio of another rate from now on, if nothing was queued or played yet.

        Else nothing happens: whoever pulls has to look at ``rate``.
        """
        if not self._queued and not self._played:
            self.rate = rate
            self.frame = frame_samples(rate)

    @property
    def queued(self) -> int:
        """Samples waiting."""
        return self._queued

    @property
    def seconds(self) -> float:
        """Seconds of audio waiting."""
        return self._queued / self.rate

    @property
    def played(self) -> int:
        """Samples handed to the network since the start of the call."""
        return self._played

    def push(self, samples: Samples, marks: tuple[Mark, ...] = ()) -> None:
        """Queue ``samples`` (at ``rate``); ``marks`` are relative to their start, in order."""
        start = self._played + self._queued
        for mark in marks:
            self._marks.append((start + mark.sample, mark.text))
        if len(samples):
            self._chunks.append(samples)
            self._queued += len(samples)

    def flush(self) -> int:
        """Drop everything that waits, marks too; returns the number of samples dropped."""
        dropped = self._queued
        self._chunks.clear()
        self._marks.clear()
        self._queued = 0
        self._speaking = False
        return dropped

    def pull(self) -> Samples | None:
        """The next frame, its tail padded with silence if the queue ends inside it, or None."""
        if not self._queued:
            self._report_marks()
            if self._speaking:
                self._speaking = False
                self.on_drained()
            return None
        frame = self._take()
        self.on_frame(frame)
        if not self._speaking:
            self._speaking = True
            self.on_first()
        self._report_marks()
        return frame

    def _take(self) -> Samples:
        if len(self._chunks[0]) == self.frame:
            frame = self._chunks.popleft()
            self._queued -= self.frame
            self._played += self.frame
            return frame
        frame = np.zeros(self.frame, np.int16)
        filled = 0
        while filled < self.frame and self._chunks:
            chunk = self._chunks[0]
            take = min(len(chunk), self.frame - filled)
            frame[filled : filled + take] = chunk[:take]
            if take == len(chunk):
                self._chunks.popleft()
            else:
                self._chunks[0] = chunk[take:]
            filled += take
        self._queued -= filled
        self._played += filled
        return frame

    def _report_marks(self) -> None:
        while self._marks and self._marks[0][0] <= self._played:
            self.on_mark(self._marks.popleft()[1])


def _ignore() -> None:
    pass


def _ignore_frame(frame: Samples) -> None:
    pass


def _ignore_mark(text: str) -> None:
    pass
