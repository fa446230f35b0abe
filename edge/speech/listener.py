"""The ears of one call: voice activity, end of turn and recognition, joined.

``feed`` and the detector's tick run on the loop's thread and never block; whatever must be awaited
(the final words) happens in :meth:`Listener.run`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from edge.clock import Clock
from edge.events import CallerEvent, Expectation, Heard, Partial, SpeechStarted
from edge.media.frames import LISTEN_RATE, Band, Samples
from edge.speech.activity import SpeechDetector
from edge.speech.channel import Channel
from edge.speech.endpointing import (
    Decision,
    Ended,
    Endpointer,
    EndpointSettings,
    EndReason,
    Paused,
    Resumed,
    Started,
    loudness,
)
from edge.speech.recognizer import Recognition, Recognizer, RecognizerError, Utterance

log = logging.getLogger(__name__)

_NOTHING = Recognition("", False, 0.0)


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """How a call is heard; times in milliseconds of audio unless a name says otherwise."""

    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    pre_roll_ms: float = 300.0
    """Audio before the first voiced chunk that the recogniser hears too: soft consonants start
    before the detector notices, and the decoder wants some silence first."""
    partial_ms: float = 100.0
    """Between two looks at the words so far while the caller speaks; in a pause every frame."""
    catch_up: int = 5
    """Frames given to the recogniser per frame that arrives, while it is behind (after the
    pre-roll): spreads the work over several ticks."""
    rehear_ms: float = 2_000.0
    """An utterance younger than this is heard again when the expectation changes inside it."""
    finish_seconds: float = 5.0
    """Wall-clock limit for the final words of an utterance."""


@dataclass(slots=True)
class _Hearing:
    """The utterance in progress."""

    expectation: Expectation | None
    utterance: Utterance | None
    onset: int
    waiting: deque[Samples]
    kept: list[Samples] | None
    """All of its audio, or None once it is older than can be heard again."""
    text: str = ""
    looked_at: int = 0
    paused: bool = False


@dataclass(frozen=True, slots=True)
class _Finished:
    utterance: Utterance | None
    reason: EndReason
    began_at: float
    ended_at: float
    decided_at: float


class Listener:
    """Hears one call.

    Events come in order: ``SpeechStarted`` once per utterance, then ``Partial`` whenever the words
    changed, then ``Heard`` exactly once, unless the listener is closed before. ``Heard`` of one
    utterance may come after ``SpeechStarted`` of the next. A recogniser that fails costs the words
    of that utterance (``understood`` is False), never the call. What ``on_event`` raises ends
    :meth:`run`, and so this call, but no other.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        detector: SpeechDetector,
        clock: Clock,
        on_event: Callable[[CallerEvent], None],
        settings: ListenSettings,
    ) -> None:
        self.on_event = on_event
        self.band: Callable[[], Band] = lambda: "wide"
        """What the call's audio holds; asked when an utterance begins."""
        self._channel = Channel()
        self._recognizer = recognizer
        self._clock = clock
        self._settings = settings
        self._endpointer = Endpointer(settings.endpoint)
        self._expectation: Expectation | None = None
        self._recent: deque[tuple[int, Samples]] = deque()
        self._hearing: _Hearing | None = None
        self._finished: asyncio.Queue[_Finished | BaseException | None] = asyncio.Queue()
        self._closed = False
        self._fed_at = clock.monotonic()
        self._track = detector.track(self._on_probability)

    @property
    def agent_speaking(self) -> bool:
        """While True, more is asked of a sound before it counts as the caller's speech."""
        return self._endpointer.agent_speaking

    @agent_speaking.setter
    def agent_speaking(self, speaking: bool) -> None:
        self._endpointer.agent_speaking = speaking

    def expect(self, expectation: Expectation) -> None:
        """Listen for this from now on.

        An utterance that began less than ``rehear_ms`` ago is heard again from its start with the
        new grammar: the caller was quicker than the dialog. An older one keeps the grammar it
        began with; most of it was said before anybody could have expected something new.
        """
        if self._closed or expectation == self._expectation:
            return
        self._expectation = expectation
        try:
            self._recognizer.prepare(expectation, self._line())
        except RecognizerError:
            log.warning("grammar could not be prepared", extra={"engine": self._recognizer.name})
        hearing = self._hearing
        if hearing is not None and hearing.kept is not None:
            if hearing.utterance is not None:
                hearing.utterance.discard()
            hearing.utterance = self._begin()
            hearing.expectation = expectation
            hearing.waiting = deque(hearing.kept)
            hearing.text = ""
            self._endpointer.completeness = None

    def feed(self, samples: Samples) -> None:
        """The caller's next 20 ms, 320 samples at 16 kHz, in order and without gaps."""
        if self._closed:
            return
        self._fed_at = self._clock.monotonic()
        hearing = self._hearing
        if hearing is not None:
            self._keep(hearing, samples)
            self._drain(hearing, self._settings.catch_up)
            self._look(hearing)
        self._act(self._endpointer.frame(len(samples), loudness(samples)))
        self._remember(samples)
        self._track.feed(samples)

    async def run(self) -> None:
        """Report finished utterances, in order, until :meth:`close`. Belongs in a task group."""
        while (item := await self._finished.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            recognition = await self._final_words(item.utterance)
            if self._closed:
                return
            self.on_event(
                Heard(
                    text=recognition.text,
                    understood=recognition.understood,
                    confidence=recognition.confidence,
                    began_at=item.began_at,
                    ended_at=item.ended_at,
                    decided_at=item.decided_at,
                    recognised_at=self._clock.monotonic(),
                )
            )

    def close(self) -> None:
        """Stop listening; no event follows. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._track.close()
        if self._hearing is not None and self._hearing.utterance is not None:
            self._hearing.utterance.discard()
        self._hearing = None
        while not self._finished.empty():
            item = self._finished.get_nowait()
            if isinstance(item, _Finished) and item.utterance is not None:
                item.utterance.discard()
        self._finished.put_nowait(None)

    # --- what the endpointer decides ----------------------------------------------------------

    def _on_probability(self, probability: float) -> None:
        # The detector serves every call of the worker: an error of this one goes to its own task.
        try:
            self._act(self._endpointer.probability(probability))
        except Exception as error:
            self._track.close()
            self._finished.put_nowait(error)

    def _act(self, decision: Decision | None) -> None:
        if decision is None or self._closed:
            return
        hearing = self._hearing
        match decision:
            case Started(onset):
                self._start(onset)
            case Paused() | Resumed():
                if hearing is not None:
                    hearing.paused = isinstance(decision, Paused)
            case Ended():
                if hearing is not None:
                    self._hearing = None
                    self._end(hearing, decision)
            case _:
                assert_never(decision)

    def _start(self, onset: int) -> None:
        first = onset - round(self._settings.pre_roll_ms * LISTEN_RATE / 1000)
        audio = [samples for end, samples in self._recent if end > first]
        self._hearing = _Hearing(
            expectation=self._expectation,
            utterance=self._begin(),
            onset=onset,
            waiting=deque(audio),
            kept=audio,
        )
        self.on_event(SpeechStarted(at=self._clock.monotonic()))

    def _end(self, hearing: _Hearing, ended: Ended) -> None:
        self._drain(hearing, len(hearing.waiting))
        while self._recent and self._recent[0][0] <= ended.last_audible:
            self._recent.popleft()
        log.debug("turn ended", extra={"reason": ended.reason.name})
        self._finished.put_nowait(
            _Finished(
                utterance=hearing.utterance,
                reason=ended.reason,
                began_at=self._time_of(hearing.onset),
                ended_at=self._time_of(ended.last_audible),
                decided_at=self._clock.monotonic(),
            )
        )

    def _time_of(self, sample: int) -> float:
        """When this sample was fed, on the clock: the newest one was fed just now."""
        return self._fed_at - (self._endpointer.heard - sample) / LISTEN_RATE

    # --- audio and words ----------------------------------------------------------------------

    def _remember(self, samples: Samples) -> None:
        """Keep the pre-roll, and what the detector needs to make up its mind."""
        self._recent.append((self._endpointer.heard, samples))
        endpoint = self._settings.endpoint
        needed = self._settings.pre_roll_ms + max(endpoint.start_ms, endpoint.barge_in_ms) + 100
        oldest = self._endpointer.heard - round(needed * LISTEN_RATE / 1000)
        while self._recent[0][0] <= oldest:
            self._recent.popleft()

    def _keep(self, hearing: _Hearing, samples: Samples) -> None:
        hearing.waiting.append(samples)
        if hearing.kept is not None:
            hearing.kept.append(samples)
            if sum(map(len, hearing.kept)) > self._settings.rehear_ms * LISTEN_RATE / 1000:
                hearing.kept = None

    def _begin(self) -> Utterance | None:
        if self._expectation is None:
            return None
        try:
            return self._recognizer.begin(self._expectation, self._line())
        except RecognizerError:
            log.warning("recogniser could not begin", extra={"engine": self._recognizer.name})
            return None

    def _line(self) -> Channel:
        self._channel.band = self.band()
        return self._channel

    def _drain(self, hearing: _Hearing, most: int) -> None:
        """Give the recogniser up to ``most`` of the frames that wait."""
        for _ in range(min(most, len(hearing.waiting))):
            samples = hearing.waiting.popleft()
            if hearing.utterance is None:
                continue
            try:
                hearing.utterance.accept(samples)
            except RecognizerError:
                self._lose(hearing)

    def _look(self, hearing: _Hearing) -> None:
        """See whether the words changed."""
        interval = self._settings.partial_ms * LISTEN_RATE / 1000
        heard = self._endpointer.heard
        if hearing.utterance is None or hearing.expectation is None:
            return
        if not hearing.paused and heard - hearing.looked_at < interval:
            return
        hearing.looked_at = heard
        try:
            text = hearing.utterance.partial()
        except RecognizerError:
            self._lose(hearing)
            return
        if text and text != hearing.text:
            hearing.text = text
            grammar = hearing.expectation.grammar
            self._endpointer.completeness = grammar.completeness(text.split())
            self.on_event(Partial(text))

    def _lose(self, hearing: _Hearing) -> None:
        log.warning("recogniser failed", extra={"engine": self._recognizer.name})
        if hearing.utterance is not None:
            hearing.utterance.discard()
        hearing.utterance = None
        self._endpointer.completeness = None

    async def _final_words(self, utterance: Utterance | None) -> Recognition:
        if utterance is None:
            return _NOTHING
        try:
            async with asyncio.timeout(self._settings.finish_seconds):
                return await utterance.finish()
        except (RecognizerError, TimeoutError) as error:
            log.warning(
                "recogniser failed",
                extra={"engine": self._recognizer.name, "reason": type(error).__name__},
            )
            return _NOTHING
        finally:
            utterance.discard()
