"""The product's own voice speaks for the caller where flite is not installed."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np

from edge.media.frames import Samples
from edge.speech.voice import Voice, VoiceError
from edge.speech.voices.client import VoiceClient
from edge.speech.voices.process import VoiceProcess
from inland.caller.errors import SpeechError
from inland.caller.recording import CALLER_RATE

_MISSING = "flite is not installed, so the embedded voice speaks for the caller"
_BAD = "recognisers understand the embedded voice badly"


class EmbeddedVoice:
    """A voice process of the caller's own, started with the first word."""

    name = "embedded"

    def __init__(self, *, chosen: bool) -> None:
        self.note: str | None = (
            _BAD if chosen else f"{_MISSING}, and {_BAD} (Debian: apt install flite)"
        )
        self._stack = AsyncExitStack()
        self._voice: Voice | None = None

    async def speak(self, text: str) -> Samples:
        try:
            if self._voice is None:
                self._voice = await self._start()
            chunks = [
                speech.samples
                async for speech in self._voice.speak(text, language="en", rate=CALLER_RATE)
            ]
        except VoiceError as error:
            raise SpeechError(f"the embedded voice failed: {error}") from error
        if not chunks:
            raise SpeechError("the embedded voice had nothing to say")
        return np.concatenate(chunks)

    async def _start(self) -> Voice:
        folder = tempfile.TemporaryDirectory(prefix="inland-call-")
        self._stack.callback(folder.cleanup)
        socket = Path(folder.name, "voice.sock")
        process = VoiceProcess(socket, voice="espeak")
        self._stack.push_async_callback(process.stop)
        await process.start()
        client = VoiceClient(socket, name=self.name)
        self._stack.push_async_callback(client.close)
        return client

    async def close(self) -> None:
        self._voice = None
        await self._stack.aclose()
