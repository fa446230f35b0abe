"""Speaks the answers of a call: text in, audio into the playout, and what was really heard out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import aclosing

from edge.clock import Clock
from edge.media.playout import Mark, Playout
from edge.speech.segment import Segmenter
from edge.speech.voice import Speech, Voice, VoiceError, VoiceLost

AHEAD_SECONDS = 2.0
"""Audio that may wait in the playout: what a barge-in throws away, and what memory it takes."""
LOW_SECONDS = 0.25
"""With less than this waiting, a sentence that may be whole is spoken rather than held back."""


class Speaker:
    """The voice of one call. One answer at a time owns the playout.

    The playout's ``on_mark`` belongs to the speaker from the first answer on.
    """

    def __init__(self, voice: Voice, playout: Playout, *, language: str, clock: Clock) -> None:
        self._voice = voice
        self._playout = playout
        self._language = language
        self._clock = clock
        self._answer: Answer | None = None

    def begin(self) -> Answer:
        """A new answer. Raises ``RuntimeError`` unless the one before is done or cut."""
        if self._answer is not None and not self._answer.over:
            raise RuntimeError("the answer before is still being spoken")
        self._answer = Answer(self._voice, self._playout, self._language, self._clock)
        self._playout.on_mark = self._answer.report
        return self._answer


class Answer:
    """One answer: ``say`` and ``finish`` from anywhere, ``run`` in a task, ``cut`` to end it.

    The callbacks run inside the sender's tick: they must be quick and must not raise.
    """

    def __init__(self, voice: Voice, playout: Playout, language: str, clock: Clock) -> None:
        self.first_audio_at: float | None = None
        """Clock time when the voice gave its first audio."""
        self.first_played_at: float | None = None
        """Clock time when the first frame left."""
        self.on_words: Callable[[str], None] = _ignore_words
        """Called with each piece of the text once it was played."""
        self.on_first_played: Callable[[], None] = _ignore
        self.on_played: Callable[[], None] = _ignore
        """Called when everything was played; not after ``cut``."""
        self._voice = voice
        self._playout = playout
        self._language = language
        self._clock = clock
        self._segmenter = Segmenter()
        self._segments: deque[str] = deque()
        self._said = 0
        self._heard: list[str] = []
        self._heard_length = 0
        self._marks_out = 0
        self._played_before = 0
        self._finished = False
        self._made = False
        self._cut = False
        self._failure: VoiceError | None = None
        self._over = asyncio.Event()
        self._stirred = asyncio.Event()

    @property
    def heard(self) -> str:
        """The words that were played, white space evened out: what the caller heard."""
        return " ".join("".join(self._heard).split())

    @property
    def complete(self) -> bool:
        """Whether every word was heard. True a moment before the last silence has been played."""
        return self._finished and self._heard_length == self._said

    @property
    def over(self) -> bool:
        """Whether it was played to its end, cut, or failed."""
        return self._over.is_set()

    def say(self, text: str, *, more: bool = False) -> None:
        """Queue words; never blocks. Ignored after ``cut``.

        ``text`` is whole words, to be spoken now; with ``more`` it is a piece of a stream, cut
        anywhere, and waits for its clause to be complete. Raises ``RuntimeError`` after ``finish``.
        """
        if self._finished:
            raise RuntimeError("the answer was finished")
        if self._cut or not text:
            return
        if not more and not text[-1].isspace():
            text += " "
        self._said += len(text)
        self._segments.extend(self._segmenter.feed(text))
        if not more:
            self._segments.extend(self._segmenter.finish())
        self._stirred.set()

    def finish(self) -> None:
        """No more words will come. Idempotent."""
        if not self._finished:
            self._finished = True
            self._segments.extend(self._segmenter.finish())
            self._stirred.set()

    async def run(self) -> None:
        """Speak, in order; returns when all was played, or at once after ``cut``.

        Raises the voice's ``VoiceError`` when a segment failed, and failed again where a retry can
        help, once what was made by then has been played. Cancelling it cuts the answer.
        """
        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(self._perform())
                await self._over.wait()
                task.cancel()
        finally:
            if not self._over.is_set():
                self.cut()
        if self._failure is not None:
            raise self._failure

    def cut(self) -> None:
        """Barge-in: what waits is dropped, the synthesis stops. Idempotent, no-op once over."""
        if not self._over.is_set():
            self._cut = True
            self._segments.clear()
            self._playout.flush()
            self._over.set()

    def report(self, text: str) -> None:
        """A mark of this answer was played; called by the playout."""
        if self._cut:
            return
        self._marks_out -= 1
        if self.first_played_at is None and self._playout.played > self._played_before:
            self.first_played_at = self._clock.monotonic()
            self.on_first_played()
        if text:
            self._heard.append(text)
            self._heard_length += len(text)
            self.on_words(text)
        self._stirred.set()
        self._settle()

    async def _perform(self) -> None:
        try:
            while (segment := await self._next()) is not None:
                await self._speak(segment)
        except VoiceError as error:
            self._failure = error
        self._made = True
        self._settle()

    async def _next(self) -> str | None:
        while True:
            if self._segments:
                return self._segments.popleft()
            if self._finished:
                return None
            if self._playout.seconds < LOW_SECONDS and (ripe := self._segmenter.ripe()) is not None:
                return ripe
            await self._stir()

    async def _speak(self, segment: str) -> None:
        """Speak ``segment``; after a loss, once more what of it is not in the playout yet."""
        for again in (True, False):
            speech = self._voice.speak(segment, language=self._language, rate=self._playout.rate)
            try:
                async with aclosing(speech) as chunks:
                    async for chunk in chunks:
                        self._push(chunk)
                        segment = segment[sum(len(mark.text) for mark in chunk.marks) :]
                        while self._playout.seconds >= AHEAD_SECONDS:
                            await self._stir()
                return
            except VoiceLost:
                if not again:
                    raise
                if not segment:
                    return

    def _push(self, speech: Speech) -> None:
        # The empty marks tell when the first frame left and when a chunk has been played.
        marks = (*speech.marks, Mark(len(speech.samples), ""))
        if self.first_audio_at is None and len(speech.samples):
            self.first_audio_at = self._clock.monotonic()
            self._played_before = self._playout.played
            marks = (Mark(1, ""), *marks)
        self._marks_out += len(marks)
        self._playout.push(speech.samples, marks)

    def _settle(self) -> None:
        if self._made and not self._marks_out and not self._over.is_set():
            self._over.set()
            if self._failure is None:
                self.on_played()

    async def _stir(self) -> None:
        self._stirred.clear()
        await self._stirred.wait()


def _ignore() -> None:
    pass


def _ignore_words(words: str) -> None:
    pass
