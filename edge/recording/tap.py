"""Where a call's audio is picked up: in the media path, so it only keeps references."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.clock import Clock
from edge.media.frames import FRAME_MS, Samples
from edge.recording.lane import LATEST, Arrival

SEGMENT_TICKS = 500
"""Ten seconds: what is lost when a worker dies, and the pace of requests to a bucket."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What passed from tick ``begin`` to before ``end``, or a little later.

    ``heard`` are the caller's frames at 16 kHz, ``played`` the agent's at ``rate`` Hz.
    """

    begin: int
    end: int
    heard: list[Arrival]
    played: list[Arrival]
    rate: int


class Tap:
    """Collects both sides of one leg by one clock, which begins with the tap.

    ``on_stretch`` is called inline, in order, whenever a segment's time is over. A frame costs a
    look at the clock and an entry in a list; nothing is copied, so what is collected is bounded by
    what passes in :data:`SEGMENT_TICKS` and :data:`LATEST` ticks.
    """

    def __init__(self, clock: Clock, rate: Callable[[], int]) -> None:
        self.on_stretch: Callable[[Stretch], None] = _ignore
        self.caller_may_be_heard = False
        """Until it is True the caller's side stays silent."""
        self._clock = clock
        self._rate = rate
        self._began = clock.monotonic()
        self._begin = 0
        self._due = SEGMENT_TICKS + LATEST
        self._heard: list[Arrival] = []
        self._played: list[Arrival] = []
        self._closed = False

    def heard(self, samples: Samples) -> None:
        """The caller said this."""
        tick = self._tick()
        if self.caller_may_be_heard and not self._closed:
            self._heard.append((tick, samples))

    def played(self, samples: Samples) -> None:
        """The agent said this: it is on its way to the caller."""
        tick = self._tick()
        if not self._closed:
            self._played.append((tick, samples))

    def close(self) -> Stretch:
        """What was not handed over yet; nothing is taken any more."""
        self._tick()
        rest = self._take(max(self._now() + 1, self._begin))
        self._closed = True
        return rest

    def _tick(self) -> int:
        tick = self._now()
        if tick >= self._due and not self._closed:
            stretch = self._take(self._begin + SEGMENT_TICKS)
            # Nothing at all may have passed for long: that time needs no segment of its own.
            whole = (tick - LATEST - self._begin) // SEGMENT_TICKS
            self._begin += max(0, whole) * SEGMENT_TICKS
            self._due = self._begin + SEGMENT_TICKS + LATEST
            self.on_stretch(stretch)
        return tick

    def _now(self) -> int:
        return int((self._clock.monotonic() - self._began) * 1000) // FRAME_MS

    def _take(self, end: int) -> Stretch:
        stretch = Stretch(self._begin, end, self._heard, self._played, self._rate())
        self._begin, self._heard, self._played = end, [], []
        return stretch


def _ignore(_: object) -> None:
    pass
