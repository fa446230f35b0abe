"""The embedded recogniser: pocketsphinx with one grammar per dialog step.

It hears the sentences of the expectation's grammar and nothing else, so a second decoder, a loop
over all phones, hears the same audio: when the grammar's best sentence explains the frames much
worse than free phones do, the caller said something else.

pocketsphinx keeps the interpreter's lock; at about 1 ms per 20 ms of speech it runs on the loop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pocketsphinx

from edge.events import Expectation
from edge.grammar import Grammar
from edge.media.frames import Band, Samples
from edge.speech.channel import Channel
from edge.speech.pronounce import Pronunciations
from edge.speech.recognizer import Recognition, RecognizerError
from edge.speech.sphinx_decoders import Decoders
from edge.speech.sphinx_settings import SphinxSettings


class SphinxRecognizer:
    """A pool of decoders for the utterances of a worker.

    One thread. Decoders are taken when speech starts and go back when the utterance ends, so their
    number follows the callers who speak at the moment, not the calls.
    """

    name = "pocketsphinx"
    free_speech = False

    def __init__(
        self,
        *,
        lexicon: Mapping[str, str] | None = None,
        settings: SphinxSettings | None = None,
    ) -> None:
        """``lexicon``: pronunciations that go before the dictionary's, word to ARPAbet phones.

        Raises ``RecognizerError`` when the model that pocketsphinx ships is missing, or a phone is
        unknown.
        """
        self._settings = settings or SphinxSettings()
        self._model = Path(pocketsphinx.get_model_path()) / "en-us"
        try:
            self._sounds = Pronunciations(self._model / "cmudict-en-us.dict", lexicon)
        except OSError as error:
            raise RecognizerError(f"pocketsphinx has no dictionary at {error.filename}") from error
        except ValueError as error:
            raise RecognizerError(str(error)) from error
        self._idle: list[Decoders] = []
        self._busy = 0
        self._closed = False
        for band in get_args(Band):
            self._give_back(self._make(band))

    def begin(self, expectation: Expectation, channel: Channel) -> SphinxUtterance:
        """Start hearing. Raises ``RecognizerError`` when the grammar cannot be compiled, or when
        more callers speak at once than there may be decoders."""
        decoders = self._take(expectation.grammar, channel.band)
        try:
            decoders.start(expectation.grammar, channel)
        except RecognizerError:
            self._give_back(decoders)
            raise
        self._busy += 1
        return SphinxUtterance(self, decoders, channel, self._settings)

    def prepare(self, expectation: Expectation, channel: Channel) -> None:
        """Compile the grammar in an idle decoder. Raises ``RecognizerError`` like ``begin``."""
        if not self._closed and any(idle.band == channel.band for idle in self._idle):
            decoders = self._take(expectation.grammar, channel.band)
            try:
                decoders.load(expectation.grammar)
            finally:
                self._give_back(decoders)

    async def close(self) -> None:
        """Free the idle decoders; those in use are freed as their utterances end."""
        self._closed = True
        self._idle.clear()
        self._sounds.close()

    def release(self, decoders: Decoders) -> None:
        """An utterance is over. Called by it, once."""
        self._busy -= 1
        self._give_back(decoders)

    def _take(self, grammar: Grammar, band: Band) -> Decoders:
        if self._closed:
            raise RecognizerError("the recogniser is closed")
        fitting = [decoders for decoders in self._idle if decoders.band == band]
        if fitting:
            chosen = next((each for each in fitting if each.knows(grammar)), fitting[0])
            self._idle.remove(chosen)
            return chosen
        if self._busy >= self._settings.most_decoders:
            raise RecognizerError("too many callers speak at the same moment")
        return self._make(band)

    def _give_back(self, decoders: Decoders) -> None:
        idle = sum(each.band == decoders.band for each in self._idle)
        if not self._closed and idle < self._settings.idle_decoders:
            self._idle.append(decoders)

    def _make(self, band: Band) -> Decoders:
        return Decoders(self._model, self._sounds, self._settings, band)


class SphinxUtterance:
    """One utterance in one pair of decoders."""

    def __init__(
        self,
        owner: SphinxRecognizer,
        decoders: Decoders,
        channel: Channel,
        settings: SphinxSettings,
    ) -> None:
        self._owner = owner
        self._decoders: Decoders | None = decoders
        self._channel = channel
        self._settings = settings

    def accept(self, samples: Samples) -> None:
        """Hear the next samples. Raises ``RecognizerError`` when the decoder gives up."""
        self._live.accept(samples)

    def partial(self) -> str:
        """The words so far, or an empty string."""
        return self._live.words()

    async def finish(self) -> Recognition:
        """The final words; ``understood`` when they explain the audio almost as well as phones.

        Raises ``RecognizerError``; the decoders are released in any case.
        """
        decoders = self._live
        try:
            guess = decoders.words()
            words, evidence = decoders.finish()
            self._channel.heard(*decoders.means())
        finally:
            self.discard()
        if not words or evidence is None:
            return Recognition(guess, False, 0.0)
        odds = self._settings.rules[decoders.band].odds(evidence)
        confidence = 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, odds))))
        return Recognition(words, odds >= 0, confidence)

    def discard(self) -> None:
        """Give the decoders back. Idempotent."""
        decoders, self._decoders = self._decoders, None
        if decoders is not None:
            decoders.stop()
            self._owner.release(decoders)

    @property
    def _live(self) -> Decoders:
        if self._decoders is None:
            raise RecognizerError("the utterance is over")
        return self._decoders
