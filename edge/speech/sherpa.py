"""Free speech: streaming models on sherpa-onnx, decoded in one thread for all calls of a worker.

The engine lets go of the interpreter's lock while it computes, and decodes the streams that are
ready in one batch; the loop only hands audio over and reads the words.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from edge.events import Expectation
from edge.media.frames import LISTEN_RATE, Samples
from edge.speech.channel import Channel
from edge.speech.recognizer import Recognition, RecognizerError
from edge.speech.sherpa_model import SherpaModel, find_model, load_model, rehearse

log = logging.getLogger(__name__)

TAIL_SECONDS = 0.66
"""Silence behind an utterance: what a chunked encoder still wants before it lets go of the last
word."""

MAX_PHRASES = 200
"""Phrases given to an utterance as bias."""

MAX_WAITING = LISTEN_RATE * 30
"""Samples an utterance may be ahead of the decoder; more means that the machine is too slow."""


class SherpaRecognizer:
    """Hears any sentence. Methods belong to the loop's thread; the decoding has its own."""

    name = "sherpa"
    free_speech = True

    def __init__(self, engine: Any, *, biased: bool) -> None:
        """``engine``: a ``sherpa_onnx.OnlineRecognizer``, owned from now on."""
        self._engine = engine
        self._biased = biased
        self._wake = threading.Condition()
        self._live: dict[SherpaUtterance, None] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._decode_all, name="sherpa", daemon=True)
        self._thread.start()

    @classmethod
    async def open(cls, folder: Path) -> SherpaRecognizer:
        """Load the model in ``folder``, first in a child process.

        Raises ``RecognizerError`` that names the folder and what to do.
        """
        model = find_model(folder)
        if model is None:
            raise RecognizerError(
                f"{folder} holds no streaming model (tokens.txt with encoder, decoder and joiner); "
                "run `inland models pull` or `inland models verify`"
            )
        await rehearse(model)
        return await cls._load(model)

    @classmethod
    async def _load(cls, model: SherpaModel) -> SherpaRecognizer:
        engine = await asyncio.to_thread(load_model, model)
        return cls(engine, biased=model.biased)

    def begin(self, expectation: Expectation, channel: Channel) -> SherpaUtterance:
        """Start hearing. Raises ``RecognizerError`` when closed or out of memory."""
        if self._closed:
            raise RecognizerError("the recogniser is closed")
        phrases = expectation.phrases[:MAX_PHRASES] if self._biased else ()
        try:
            stream = self._engine.create_stream("/".join(p.upper() for p in phrases) or None)
        except RuntimeError as error:
            raise RecognizerError("sherpa-onnx cannot begin an utterance") from error
        utterance = SherpaUtterance(self, stream)
        with self._wake:
            self._live[utterance] = None
        return utterance

    def prepare(self, expectation: Expectation, channel: Channel) -> None:
        """Nothing to do: the model hears everything already."""

    async def close(self) -> None:
        """Stop decoding; utterances in progress fail. Idempotent."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)

    # --- called by utterances -----------------------------------------------------------------

    def hand_over(self, utterance: SherpaUtterance, samples: Samples, *, last: bool) -> None:
        """Queue audio of a live utterance. Raises ``RecognizerError`` when it failed."""
        with self._wake:
            if utterance not in self._live:
                raise RecognizerError("the utterance is over")
            if utterance.waiting_samples > MAX_WAITING:
                raise RecognizerError("the recogniser is too slow for this machine")
            utterance.waiting.append(samples)
            utterance.waiting_samples += len(samples)
            utterance.ending = last
            self._wake.notify()

    def drop(self, utterance: SherpaUtterance) -> None:
        """Forget an utterance. Idempotent."""
        with self._wake:
            self._live.pop(utterance, None)

    # --- the decoding thread ------------------------------------------------------------------

    def _decode_all(self) -> None:
        while True:
            with self._wake:
                while not self._closed and not any(u.waiting for u in self._live):
                    self._wake.wait()
                if self._closed:
                    left = list(self._live)
                    self._live.clear()
                    break
                work = [(u, u.take(), u.ending) for u in self._live if u.waiting]
            try:
                self._decode(work)
            except RuntimeError as error:
                log.warning("decoding failed", extra={"engine": self.name})
                for utterance, _, _ in work:
                    self.drop(utterance)
                    utterance.fail(error)
        for utterance in left:
            utterance.fail(RuntimeError("the recogniser was closed"))

    def _decode(self, work: list[tuple[SherpaUtterance, Samples, bool]]) -> None:
        for utterance, samples, last in work:
            utterance.stream.accept_waveform(LISTEN_RATE, samples.astype(np.float32) / 32768.0)
            if last:
                tail = np.zeros(round(TAIL_SECONDS * LISTEN_RATE), np.float32)
                utterance.stream.accept_waveform(LISTEN_RATE, tail)
                utterance.stream.input_finished()
        streams = [utterance.stream for utterance, _, _ in work]
        while ready := [stream for stream in streams if self._engine.is_ready(stream)]:
            self._engine.decode_streams(ready)
        for utterance, _, last in work:
            utterance.text = " ".join(self._engine.get_result(utterance.stream).lower().split())
            if last:
                self.drop(utterance)
                utterance.complete(self._confidence(utterance.stream, utterance.text))

    def _confidence(self, stream: Any, text: str) -> float:
        """The mean probability of the tokens, where the model tells; else 1 for any words."""
        logs = self._engine.ys_probs(stream)
        if not text or not logs:
            return 1.0 if text else 0.0
        return math.exp(min(0.0, sum(logs) / len(logs)))


class SherpaUtterance:
    """One utterance: a stream of the engine.

    ``stream`` belongs to the decoding thread; ``waiting``, ``waiting_samples`` and ``ending`` are
    guarded by the recogniser's condition; ``text`` is replaced whole.
    """

    def __init__(self, owner: SherpaRecognizer, stream: Any) -> None:
        self._owner = owner
        self.stream = stream
        self.waiting: deque[Samples] = deque()
        self.waiting_samples = 0
        self.ending = False
        self.text = ""
        self._loop = asyncio.get_running_loop()
        self._final: asyncio.Future[Recognition] = self._loop.create_future()

    def accept(self, samples: Samples) -> None:
        """Hand the next samples over. Raises ``RecognizerError`` after a failure."""
        self._owner.hand_over(self, samples, last=False)

    def partial(self) -> str:
        """The words decoded so far."""
        return self.text

    async def finish(self) -> Recognition:
        """The final words, once the decoder has seen everything. Raises ``RecognizerError``."""
        self._owner.hand_over(self, np.zeros(0, np.int16), last=True)
        try:
            return await self._final
        finally:
            self.discard()

    def discard(self) -> None:
        """Give up. Idempotent."""
        self._owner.drop(self)
        self._final.cancel()

    # --- called from the decoding thread ------------------------------------------------------

    def take(self) -> Samples:
        """All audio that waits; the condition is held."""
        samples = np.concatenate(self.waiting)
        self.waiting.clear()
        self.waiting_samples = 0
        return samples

    def complete(self, confidence: float) -> None:
        """Report the final words to the loop."""
        result = Recognition(self.text, bool(self.text), confidence)
        self._settle(lambda: self._final.set_result(result))

    def fail(self, cause: RuntimeError) -> None:
        """Report a failure to the loop."""
        error = RecognizerError("sherpa-onnx failed in the middle of an utterance")
        error.__cause__ = cause
        self._settle(lambda: self._final.set_exception(error))

    def _settle(self, settle: Any) -> None:
        def unless_done() -> None:
            if not self._final.done():
                settle()
                # Nobody may be waiting yet, or ever: an unread failure is no news then.
                if not self._final.cancelled():
                    self._final.exception()

        try:
            self._loop.call_soon_threadsafe(unless_done)
        except RuntimeError:
            return  # the loop is closed, and with it everybody who could wait
