"""When the caller began to speak, and when their turn is over.

A pure state machine: it is told how loud each frame was, what the voice activity detector thought
of each chunk and how complete the words so far are; time is the count of samples heard. It returns
decisions with their reasons.

The end of a turn is a bet: waiting longer makes every answer late, waiting less cuts callers who
think in the middle of a date. The grammar tells how good the bet is: after "yes" nothing can
follow, after "the twenty third of" something must.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np

from edge.grammar import Completeness
from edge.media.frames import LISTEN_RATE, Samples

CHUNK = 512
"""Samples that one probability speaks for."""

SILENCE_DB = -90.0
"""The loudness of digital silence, dBFS; nothing is quieter."""


def _samples(milliseconds: float) -> int:
    return round(milliseconds * LISTEN_RATE / 1000)


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """The numbers of turn taking; times in milliseconds, levels in dB."""

    speech_on: float = 0.5
    """Probability at which a chunk counts as speech: Silero's own default."""
    speech_off: float = 0.35
    """Below this a voice has stopped; between the two nothing changes."""
    start_ms: float = 64.0
    """Speech before a turn starts: two chunks, so that one click is not a turn."""
    barge_in_on: float = 0.6
    """``speech_on`` while the agent speaks: what is left of its echo must not interrupt it."""
    barge_in_ms: float = 96.0
    """``start_ms`` while the agent speaks: three chunks."""
    closed_ms: float = 180.0
    """Silence after words that nothing can follow. Meant to outlast the closure of a stop inside a
    word, so that "eight" is not ended before its t."""
    complete_ms: float = 400.0
    """Silence after a sentence that may go on: "at three" ... "thirty"."""
    open_ms: float = 900.0
    """Silence after words that must go on: a caller who reads a number from a card."""
    dead_ms: float = 650.0
    """Silence after words that no sentence starts with: there is nothing to wait for, and no
    reason to believe that they were understood in full."""
    unheard_ms: float = 650.0
    """Silence after speech without any word yet."""
    longest_ms: float = 20_000.0
    """A turn is ended here, whatever happens: it bounds memory and the decoder's work."""
    below_peak_db: float = 30.0
    """A frame this far below the loudest of the turn is not audible speech."""
    above_noise_db: float = 8.0
    """Nor is one that stands out less than this from the line's noise."""

    def __post_init__(self) -> None:
        if not 0 < self.speech_off <= self.speech_on <= self.barge_in_on < 1:
            raise ValueError("0 < speech_off <= speech_on <= barge_in_on < 1 does not hold")
        if not 0 < self.closed_ms <= self.complete_ms <= self.open_ms < self.longest_ms:
            raise ValueError("0 < closed_ms <= complete_ms <= open_ms < longest_ms does not hold")


class EndReason(Enum):
    """Why a turn is over."""

    CLOSED = "nothing can follow these words"
    COMPLETE = "a sentence, and the caller left it there"
    OPEN = "more had to follow, and did not come"
    DEAD = "the words fit nothing that is expected"
    UNHEARD = "the caller stopped and no word was recognised"
    TOO_LONG = "the longest turn was reached"


@dataclass(frozen=True, slots=True)
class Started:
    """A turn started; ``onset`` is the first sample of its first voiced chunk."""

    onset: int


@dataclass(frozen=True, slots=True)
class Paused:
    """The voice stopped: the end of the turn, or a pause inside it."""

    last_audible: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The voice is back: it was a pause."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The turn is over; ``last_audible`` is the sample after its last audible frame."""

    last_audible: int
    reason: EndReason


Decision: TypeAlias = Started | Paused | Resumed | Ended


def silence_to_wait(
    completeness: Completeness | None, settings: EndpointSettings
) -> tuple[float, EndReason]:
    """Milliseconds of silence that end a turn whose words are this complete (None: no words)."""
    match completeness:
        case None:
            return settings.unheard_ms, EndReason.UNHEARD
        case Completeness.CLOSED:
            return settings.closed_ms, EndReason.CLOSED
        case Completeness.COMPLETE:
            return settings.complete_ms, EndReason.COMPLETE
        case Completeness.OPEN:
            return settings.open_ms, EndReason.OPEN
        case Completeness.DEAD:
            return settings.dead_ms, EndReason.DEAD


def loudness(samples: Samples) -> float:
    """The level of a frame in dB of full scale, ``SILENCE_DB`` at least."""
    if not len(samples):
        return SILENCE_DB
    wide = samples.astype(np.float32)
    power = float(np.dot(wide, wide)) / len(samples) / 32768.0**2
    return max(SILENCE_DB, 10.0 * float(np.log10(power + 1e-12)))


class Endpointer:
    """Decides for one call. Samples count from 0 at its making.

    Tell it every frame by :meth:`frame` and every probability by :meth:`probability`, in order;
    a chunk's probability comes after the frames that it covers.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self.agent_speaking = False
        self.completeness: Completeness | None = None
        """How complete the words of this turn are; None while there are none."""
        self.heard = 0
        """Samples told so far."""
        self._classified = 0
        self._levels: deque[tuple[int, float]] = deque()
        self._noise_db: float | None = None
        self._onset: int | None = None
        self._speaking = False
        self._paused = False
        self._peak_db = SILENCE_DB
        self._last_audible = 0

    @property
    def speaking(self) -> bool:
        """True from ``Started`` to ``Ended``."""
        return self._speaking

    def frame(self, samples: int, level_db: float) -> Decision | None:
        """The next ``samples`` samples were this loud; may end the turn."""
        self.heard += samples
        self._levels.append((self.heard, level_db))
        return self._end() if self._speaking else None

    def probability(self, speech: float) -> Decision | None:
        """What the detector thought of the next chunk; may start, pause, resume or end a turn."""
        start = self._classified
        self._classified += CHUNK
        levels = self._levels_until(self._classified)
        if not self._speaking:
            return self._wait_for_speech(speech, start, levels)
        if speech >= (self._settings.speech_on if self._paused else self._settings.speech_off):
            self._voiced(levels)
            if self._paused:
                self._paused = False
                return Resumed()
            return self._end()
        if not self._paused:
            self._paused = True
            return self._end() or Paused(self._last_audible)
        return self._end()

    def _levels_until(self, sample: int) -> list[tuple[int, float]]:
        """The frames whose end lies in the chunk that ends at ``sample``."""
        taken = []
        while self._levels and self._levels[0][0] <= sample:
            taken.append(self._levels.popleft())
        return taken

    def _wait_for_speech(
        self, speech: float, start: int, levels: list[tuple[int, float]]
    ) -> Decision | None:
        settings = self._settings
        on, need = (
            (settings.barge_in_on, settings.barge_in_ms)
            if self.agent_speaking
            else (settings.speech_on, settings.start_ms)
        )
        if speech < (on if self._onset is None else settings.speech_off):
            self._onset = None
            self._learn_noise(levels)
            return None
        if self._onset is None:
            self._onset = start
            self._peak_db = SILENCE_DB
            self._last_audible = self._classified
        self._voiced(levels)
        if self._classified - self._onset < _samples(need):
            return None
        self._speaking = True
        self._paused = False
        self.completeness = None
        return Started(self._onset)

    def _learn_noise(self, levels: list[tuple[int, float]]) -> None:
        """Follow the line's noise: down at once, up by 25 dB per second."""
        for _, level in levels:
            if self._noise_db is None or level < self._noise_db:
                self._noise_db = level
            else:
                self._noise_db = min(level, self._noise_db + 0.5)

    def _voiced(self, levels: list[tuple[int, float]]) -> None:
        for end, level in levels:
            self._peak_db = max(self._peak_db, level)
            if self._audible(level):
                self._last_audible = end

    def _audible(self, level: float) -> bool:
        floor = self._peak_db - self._settings.below_peak_db
        if self._noise_db is not None:
            floor = max(floor, self._noise_db + self._settings.above_noise_db)
        return level >= floor

    def _end(self) -> Ended | None:
        assert self._onset is not None
        wait, reason = silence_to_wait(self.completeness, self._settings)
        if self.heard - self._onset >= _samples(self._settings.longest_ms):
            return self._finish(EndReason.TOO_LONG)
        if not self._paused or self.heard - self._last_audible < _samples(wait):
            return None
        if any(self._audible(level) for _, level in self._levels):
            return None  # something came after the last chunk: let the detector say what it was
        return self._finish(reason)

    def _finish(self, reason: EndReason) -> Ended:
        self._speaking = False
        self._paused = False
        self._onset = None
        return Ended(self._last_audible, reason)
