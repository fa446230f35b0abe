"""What the speaker needs of a voice.

::

    VoiceError        the voice failed; another voice may succeed
    ├── VoiceLost     it went away in mid-speech; saying the rest again may succeed
    └── VoiceRefused  it cannot say this, in this language, at this rate; no retry helps
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from edge.media.frames import Samples
from edge.media.playout import Mark

MAX_TEXT = 2_000
"""Longest text of one ``speak``, in characters."""


@dataclass(frozen=True, slots=True)
class Speech:
    """A chunk of speech: PCM at the rate asked for, and the words that end inside it.

    A chunk never ends inside a word: after a failure, what the marks so far do not cover can be
    said again without saying anything twice.
    """

    samples: Samples
    marks: tuple[Mark, ...]


class Voice(Protocol):
    """A synthesiser, shared by the calls of a worker."""

    name: str

    def speak(self, text: str, *, language: str, rate: int) -> AsyncGenerator[Speech, None]:
        """Speak ``text`` at ``rate`` Hz in ``language`` (BCP 47), first chunk as early as can be.

        The marks' texts, joined, are ``text``. Nothing in it is a command: markup is spoken as
        plain characters. Closing the generator (``aclose``) stops the synthesis. A consumer that
        is slow slows the synthesis; memory stays bounded. Raises ``VoiceLost`` or ``VoiceRefused``;
        chunks already yielded stay valid.
        """
        ...

    async def close(self) -> None:
        """Free the voice. Idempotent."""
        ...


class VoiceError(Exception):
    """The voice failed; another voice may succeed."""


class VoiceLost(VoiceError):
    """The voice went away in mid-speech; saying the rest again may succeed."""


class VoiceRefused(VoiceError):
    """The voice cannot say this; trying again will not help."""
