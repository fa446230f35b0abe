"""What the listener needs of a speech recogniser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge.events import Expectation
from edge.media.frames import Samples
from edge.speech.channel import Channel


@dataclass(frozen=True, slots=True)
class Recognition:
    """The final words of an utterance.

    ``understood`` is False when a grammar recogniser heard speech outside its grammar.
    ``confidence`` is 0..1, comparable only within one engine.
    """

    text: str
    understood: bool
    confidence: float


class Utterance(Protocol):
    """The recognition of one utterance. Calls come from one thread, in order."""

    def accept(self, samples: Samples) -> None:
        """Hear the next samples (16 kHz mono), any number of them."""
        ...

    def partial(self) -> str:
        """The words so far, lower case, or an empty string."""
        ...

    async def finish(self) -> Recognition:
        """The final words. No other method may be called afterwards."""
        ...

    def discard(self) -> None:
        """Give the utterance up without a result. Idempotent, also after ``finish``."""
        ...


class Recognizer(Protocol):
    """An engine, shared by the calls of a worker."""

    name: str
    free_speech: bool
    """True when it hears any sentence, False when only the expectation's grammar."""

    def begin(self, expectation: Expectation, channel: Channel) -> Utterance:
        """Start hearing one utterance of a call, over its channel.

        Raises ``RecognizerError`` when the engine cannot.
        """
        ...

    def prepare(self, expectation: Expectation, channel: Channel) -> None:
        """A hint that this expectation comes next: compile grammars now, not at first speech."""
        ...

    async def close(self) -> None:
        """Free the engine. Idempotent."""
        ...


class RecognizerError(Exception):
    """The engine failed; the same utterance on another engine may succeed."""
