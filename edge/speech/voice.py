"""What the speaker needs of a voice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from edge.media.frames import Samples
from edge.media.playout import Mark


@dataclass(frozen=True, slots=True)
class Speech:
    """A chunk of speech: PCM at the rate asked for, and the words that end inside it."""

    samples: Samples
    marks: tuple[Mark, ...]


class Voice(Protocol):
    """A synthesiser, shared by the calls of a worker."""

    name: str

    def speak(self, text: str, *, language: str, rate: int) -> AsyncIterator[Speech]:
        """Speak ``text`` (at most 2,000 characters) at ``rate`` Hz, first chunk as early as can be.

        The marks' texts, joined, are ``text``. Closing the iterator stops the synthesis. Raises
        ``VoiceError`` when the engine fails; chunks already yielded stay valid.
        """
        ...

    async def close(self) -> None:
        """Free the voice. Idempotent."""
        ...


class VoiceError(Exception):
    """The voice failed; another voice may succeed."""
