"""Keeps the voice process running."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from edge.clock import Clock, SystemClock
from edge.speech.voice import VoiceLost, VoiceRefused
from edge.speech.voices.protocol import READY

logger = logging.getLogger(__name__)

READY_SECONDS = 10.0
STOP_SECONDS = 2.0
FIRST_BACKOFF = 0.1
LONGEST_BACKOFF = 5.0
STEADY_SECONDS = 30.0
"""A process that ran this long did not crash because of how it was started."""
GIVE_UP_PIPER = 3
"""After so many quick crashes ``auto`` starts without piper: a bad model can end the process."""
_SOCKET_PATH = 107
"""Longest unix socket path on Linux (unix(7))."""


class VoiceProcess:
    """The voice worker of a node: started, watched, restarted, stopped.

    ``start``, then ``run`` in a task group; ``stop`` ends both. The worker ends by itself when this
    process does, however it ends.
    """

    def __init__(
        self,
        socket: Path,
        *,
        voice: str = "auto",
        models: Path | None = None,
        languages: tuple[str, ...] = ("en",),
        clock: Clock | None = None,
    ) -> None:
        self.restarts = 0
        self._socket = socket
        self._voice = voice
        self._models = models
        self._languages = languages
        self._clock = clock or SystemClock()
        self._process: Process | None = None
        self._started_at = 0.0
        self._quick_crashes = 0
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start the worker and return when it can be connected to.

        Raises ``VoiceRefused`` when it says that it cannot (its words are on standard error), and
        ``VoiceLost`` when it is not ready in ``READY_SECONDS``.
        """
        if len(str(self._socket).encode()) > _SOCKET_PATH:
            raise VoiceRefused(f"{self._socket}: a socket path has at most {_SOCKET_PATH} bytes")
        self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._started_at = self._clock.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *self._arguments(), stdin=PIPE, stdout=PIPE
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            await self._end()
            raise VoiceLost(f"the voice process is not ready after {READY_SECONDS:g} s") from None
        except asyncio.CancelledError:
            await self._end()
            raise
        if line != READY:
            await self._end()
            code = await self._process.wait()
            raise VoiceRefused(f"the voice process ended with status {code}")

    async def run(self) -> None:
        """Watch the worker and start it again when it ends, until ``stop``."""
        try:
            while not self._stopping.is_set():
                if self._process is not None:
                    code = await self._process.wait()
                    if self._stopping.is_set():
                        return
                    self._account(code)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._backoff())
                if not self._stopping.is_set():
                    await self._restart()
        finally:
            await self._end()

    async def stop(self) -> None:
        """End the worker, by force after ``STOP_SECONDS``; ``run`` returns. Idempotent."""
        self._stopping.set()
        await self._end()

    async def _restart(self) -> None:
        self.restarts += 1
        try:
            await self.start()
        except (VoiceLost, VoiceRefused, OSError) as error:
            if not self._stopping.is_set():
                reason = type(error).__name__
                logger.error("the voice process cannot start", extra={"reason": reason})
        if self._stopping.is_set():
            await self._end()

    def _account(self, code: int) -> None:
        quick = self._clock.monotonic() - self._started_at < STEADY_SECONDS
        self._quick_crashes = self._quick_crashes + 1 if quick else 0
        logger.error("the voice process ended", extra={"code": code, "count": self._quick_crashes})

    def _backoff(self) -> float:
        return float(min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** max(0, self._quick_crashes - 1)))

    def _arguments(self) -> list[str]:
        voice = self._voice
        if voice == "auto" and self._quick_crashes >= GIVE_UP_PIPER:
            voice = "espeak"
        arguments = ["-m", "edge.speech.voices.worker"]
        arguments += ["--socket", str(self._socket), "--voice", voice]
        if self._models is not None:
            arguments += ["--models", str(self._models)]
        for language in self._languages:
            arguments += ["--language", language]
        return arguments

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
