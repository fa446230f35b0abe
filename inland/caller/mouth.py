"""Speaks into a leg's playout and knows when the words have left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge.media.frames import Samples
from edge.media.playout import Mark, Playout
from inland.caller.meter import audible_span

TAIL_SECONDS = 0.8
"""Silence after an utterance, as a microphone has it: the edge listens for the end of the turn."""

_BEGAN, _QUIET, _DONE = "began", "quiet", "done"


class Mouth:
    """One caller's voice on one leg.

    ``on_began`` is called as the first audible frame leaves, ``on_quiet`` as the last one does.
    ``busy`` is True from ``say`` until the utterance, without its tail, has left.
    """

    def __init__(
        self, playout: Playout, on_began: Callable[[], None], on_quiet: Callable[[], None]
    ) -> None:
        self._playout = playout
        self._on_began = on_began
        self._on_quiet = on_quiet
        self.busy = False
        playout.on_mark = self._mark

    def say(self, samples: Samples) -> None:
        """Say ``samples`` now; the silence after the last utterance is cut short."""
        if not len(samples):
            return
        self._playout.flush()
        self.busy = True
        span = audible_span(samples, self._playout.frame)
        marks = [Mark(len(samples), _DONE)]
        if span is not None:
            first = Mark(min(span[0] + 1, len(samples)), _BEGAN)
            marks = [first, Mark(span[1], _QUIET), *marks]
        self._playout.push(samples, tuple(marks))
        self._playout.push(np.zeros(round(TAIL_SECONDS * self._playout.rate), np.int16))

    def _mark(self, what: str) -> None:
        if what == _BEGAN:
            self._on_began()
        elif what == _QUIET:
            self._on_quiet()
        else:
            self.busy = False
