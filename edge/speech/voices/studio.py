"""The engines of a voice process: which one speaks, and how a text becomes chunks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from edge.media.playout import Mark
from edge.speech.segment import pause_after, split
from edge.speech.voice import Speech
from edge.speech.voices.engine import Engine, EngineError, speakable
from edge.speech.voices.protocol import Speak
from edge.speech.voices.resample import chunks, resample

logger = logging.getLogger(__name__)


class Studio:
    """Engines in order of preference, each with one thread of its own.

    The first engine that has a voice for the language speaks; when it fails, the next one says the
    piece. A request asks for one piece at a time, so the threads serve requests in turn.
    """

    def __init__(self, engines: list[Engine]) -> None:
        self._engines = [
            (engine, ThreadPoolExecutor(1, f"voice-{engine.name}")) for engine in engines
        ]
        self.name = "+".join(engine.name for engine in engines)

    def warm(self, language: str) -> None:
        """Load what ``language`` needs. Raises ``EngineError`` when no engine can speak it."""
        for engine, _ in self._speaking(language):
            try:
                engine.warm(language)
            except EngineError as error:
                logger.warning("a voice cannot be used", extra=_fields(engine, error))
            else:
                return
        raise EngineError(f"no voice for {language!r}")

    async def speak(
        self,
        request: Speak,
        cancelled: Callable[[], bool],
        send: Callable[[Speech], Awaitable[None]],
    ) -> None:
        """Synthesise piece by piece and ``send`` every chunk. Raises ``EngineError``."""
        able = self._speaking(request.language)
        if not able:
            raise EngineError(f"no voice for {request.language!r}")
        first, _ = able[0]
        for piece in split(request.text, first.piece, eager=first.eager):
            for speech in await self._piece(piece, request, cancelled):
                await send(speech)

    def close(self) -> None:
        """End the threads; a synthesis that runs is given up."""
        for _, executor in self._engines:
            executor.shutdown(wait=False, cancel_futures=True)

    def _speaking(self, language: str) -> list[tuple[Engine, ThreadPoolExecutor]]:
        return [pair for pair in self._engines if pair[0].speaks(language)]

    async def _piece(
        self, text: str, request: Speak, cancelled: Callable[[], bool]
    ) -> list[Speech]:
        loop = asyncio.get_running_loop()
        failure: EngineError | None = None
        for engine, executor in self._speaking(request.language):
            try:
                return await loop.run_in_executor(
                    executor, _perform, engine, text, request, cancelled
                )
            except EngineError as error:
                logger.warning("a voice failed", extra=_fields(engine, error))
                failure = error
        raise failure or EngineError(f"no voice for {request.language!r}")


def _perform(
    engine: Engine, text: str, request: Speak, cancelled: Callable[[], bool]
) -> list[Speech]:
    if cancelled():
        return []
    pause = int(pause_after(text) * request.rate)
    if not speakable(text):
        silence = Speech(np.zeros(0, np.int16), (Mark(0, text),))
        return list(chunks(silence, pause, request.rate))
    clip = engine.synthesize(text, request.language, cancelled)
    return list(chunks(resample(clip, request.rate), pause, request.rate))


def _fields(engine: Engine, error: EngineError) -> dict[str, str]:
    return {"engine": engine.name, "reason": type(error.__cause__ or error).__name__}
