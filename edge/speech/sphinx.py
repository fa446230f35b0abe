"""The embedded recogniser: pocketsphinx with one grammar per dialog step.

It hears the sentences of the expectation's grammar and nothing else, so a second decoder, a loop
over all phones, hears the same audio: when the grammar's best sentence explains the frames much
worse than free phones do, the caller said something else. Both decoders score every senone of
every frame (``compallsen``): the scores are relative to the best senone *computed*, so only then do
two searches, or speech and silence, compare.

pocketsphinx keeps the interpreter's lock; at about 1 ms per 20 ms of speech it runs on the loop.
"""

from __future__ import annotations

import logging
import math
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pocketsphinx

from edge.events import Expectation
from edge.grammar import Grammar
from edge.media.frames import Samples
from edge.speech.pronounce import Pronunciations
from edge.speech.recognizer import Recognition, RecognizerError

log = logging.getLogger(__name__)

SPELT_LETTERS = 10
"""A grammar with this many single letters is one in which the caller spells."""

_SPELT_A = "a~"
"""The letter A in a spelling grammar: a decoder has one dictionary for all its grammars, and
elsewhere "a" is an article."""

_A = re.compile(r"(?<![^\s()\[\]|])a(?![^\s()\[\]|;])")

_SCORE_SCALE = 1024 / 10
"""Segment scores come as ``exp`` of a log score shifted by ten bits; this brings them to nats
times an arbitrary factor, the same for both decoders."""


@dataclass(frozen=True, slots=True)
class SphinxSettings:
    """What the recogniser was tuned to."""

    cepstral_means: str = "40.5,-4,1,10,1,-3,0,-3.5,-4,-3.2,-1.5,-1,0.5"
    """Where cepstral mean normalisation starts each utterance, so that no caller's channel leaks
    into the next utterance. Rounded by hand from means seen on synthetic callers at 16 kHz, not a
    calibration; the decoder adapts from here within the utterance."""
    densities: int = 2
    """Gaussians per frame and codebook that are scored (``topn``); the engine's four cost a third
    more and heard about as well."""
    beam: float = 1e-60
    """How much worse than the best a path may be and still be followed (``beam``, ``pbeam``). With
    the engine's own 1e-48 a quiet first word, or one cut short by the detector, sometimes lost the
    right sentence for good, and another came out with a very bad score; 1e-60 costs 5 % more."""
    word_beam: float = 1e-40
    """The same at the end of a word (``wbeam``)."""
    word_penalty: float = 0.05
    """``wip``: without a penalty, one spelt letter is heard as two."""
    threshold: float = -0.2
    """Least log-score per frame, relative to free phones, of a sentence that counts as heard. On
    the recordings it was chosen on, 98 % of right sentences at 16 kHz score above -0.12 and people
    who read a book to a booking grammar below -0.20. Telephone audio scores lower: right figures
    at 8 kHz have their median near -0.15, so this threshold refuses more than half of them."""
    spread: float = 0.03
    """Distance from the threshold at which the confidence is 0.73."""
    idle_decoders: int = 4
    """Pairs of decoders kept for the next utterances; about 6 MB each."""
    most_decoders: int = 64
    """Utterances heard at the same moment."""
    grammars: int = 12
    """Compiled grammars kept per decoder."""


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
        self._idle: list[_Decoders] = []
        self._busy = 0
        self._closed = False
        self._give_back(self._make())

    def begin(self, expectation: Expectation) -> SphinxUtterance:
        """Start hearing. Raises ``RecognizerError`` when the grammar cannot be compiled, or when
        more callers speak at once than there may be decoders."""
        decoders = self._take(expectation.grammar)
        try:
            decoders.start(expectation.grammar)
        except RecognizerError:
            self._give_back(decoders)
            raise
        self._busy += 1
        return SphinxUtterance(self, decoders, self._settings)

    def prepare(self, expectation: Expectation) -> None:
        """Compile the grammar in an idle decoder. Raises ``RecognizerError`` like ``begin``."""
        if not self._closed and self._idle:
            decoders = self._take(expectation.grammar)
            try:
                decoders.load(expectation.grammar)
            finally:
                self._give_back(decoders)

    async def close(self) -> None:
        """Free the idle decoders; those in use are freed as their utterances end."""
        self._closed = True
        self._idle.clear()
        self._sounds.close()

    def release(self, decoders: _Decoders) -> None:
        """An utterance is over. Called by it, once."""
        self._busy -= 1
        self._give_back(decoders)

    def _take(self, grammar: Grammar) -> _Decoders:
        if self._closed:
            raise RecognizerError("the recogniser is closed")
        for index, decoders in enumerate(self._idle):
            if decoders.knows(grammar):
                return self._idle.pop(index)
        if self._idle:
            return self._idle.pop(0)
        if self._busy >= self._settings.most_decoders:
            raise RecognizerError("too many callers speak at the same moment")
        return self._make()

    def _give_back(self, decoders: _Decoders) -> None:
        if not self._closed and len(self._idle) < self._settings.idle_decoders:
            self._idle.append(decoders)

    def _make(self) -> _Decoders:
        return _Decoders(self._model, self._sounds, self._settings)


class SphinxUtterance:
    """One utterance in one pair of decoders."""

    def __init__(
        self, owner: SphinxRecognizer, decoders: _Decoders, settings: SphinxSettings
    ) -> None:
        self._owner = owner
        self._decoders: _Decoders | None = decoders
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
            words, score = decoders.finish()
        finally:
            self.discard()
        if not words or score is None:
            return Recognition(guess, False, 0.0)
        distance = (score - self._settings.threshold) / self._settings.spread
        confidence = 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, distance))))
        return Recognition(words, score >= self._settings.threshold, confidence)

    def discard(self) -> None:
        """Give the decoders back. Idempotent."""
        decoders, self._decoders = self._decoders, None
        if decoders is not None:
            decoders.stop()
            self._owner.release(decoders)

    @property
    def _live(self) -> _Decoders:
        if self._decoders is None:
            raise RecognizerError("the utterance is over")
        return self._decoders


class _Decoders:
    """The grammar's decoder and the phone loop beside it, with the grammars compiled so far."""

    def __init__(self, model: Path, sounds: Pronunciations, settings: SphinxSettings) -> None:
        self._sounds = sounds
        self._settings = settings
        self._grammar = self._decoder(
            model,
            wip=settings.word_penalty,
            beam=settings.beam,
            pbeam=settings.beam,
            wbeam=settings.word_beam,
        )
        self._phones = self._decoder(model, allphone_ci=True)
        self._phones.add_allphone_file("phones", None)
        self._phones.activate_search("phones")
        self._compiled: OrderedDict[str, str] = OrderedDict()
        self._words: set[str] = set()
        self._number = 0
        self._running = False

    def _decoder(self, model: Path, **more: object) -> Any:
        try:
            return pocketsphinx.Decoder(
                hmm=str(model / "en-us"),
                lm=None,
                dict=None,
                bestpath=False,
                compallsen=True,
                topn=self._settings.densities,
                loglevel="FATAL",
                **more,
            )
        except RuntimeError as error:
            raise RecognizerError(f"pocketsphinx cannot load its model in {model}") from error

    def knows(self, grammar: Grammar) -> bool:
        return grammar.jsgf in self._compiled

    def load(self, grammar: Grammar) -> None:
        """Compile the grammar unless it is known, and make it the one that is heard."""
        text = grammar.jsgf
        name = self._compiled.get(text)
        try:
            if name is None:
                name = self._compile(grammar)
            self._grammar.activate_search(name)
        except (RuntimeError, ValueError, KeyError) as error:
            raise RecognizerError(
                f"the grammar {grammar.name!r} cannot be heard: {error}"
            ) from error
        self._compiled[text] = name
        self._compiled.move_to_end(text)
        if len(self._compiled) > self._settings.grammars:
            self._grammar.remove_search(self._compiled.popitem(last=False)[1])

    def _compile(self, grammar: Grammar) -> str:
        spelling = sum(len(word) == 1 for word in grammar.vocabulary) >= SPELT_LETTERS
        for word in sorted(grammar.vocabulary):
            self._learn(_SPELT_A if spelling and word == "a" else word, word, spelling)
        self._number += 1
        name = f"g{self._number}"
        text = _A.sub(_SPELT_A, grammar.jsgf) if spelling else grammar.jsgf
        self._grammar.add_jsgf_string(name, text)
        return name

    def _learn(self, token: str, word: str, spelling: bool) -> None:
        if token in self._words:
            return
        for number, phones in enumerate(self._sounds.of(word, spelling=spelling), 1):
            entry = token if number == 1 else f"{token}({number})"
            self._grammar.add_word(entry, phones, False)
        self._words.add(token)

    def start(self, grammar: Grammar) -> None:
        self.load(grammar)
        for decoder in (self._grammar, self._phones):
            decoder.set_cmn(self._settings.cepstral_means)
            decoder.start_utt()
        self._running = True

    def accept(self, samples: Samples) -> None:
        pcm = samples.tobytes()
        try:
            self._grammar.process_raw(pcm, False, False)
            self._phones.process_raw(pcm, False, False)
        except RuntimeError as error:
            raise RecognizerError("pocketsphinx failed in the middle of an utterance") from error

    def words(self) -> str:
        best = self._grammar.hyp()
        return "" if best is None else best.hypstr.replace(_SPELT_A, "a")

    def finish(self) -> tuple[str, float | None]:
        """The sentence and its log score per frame relative to free phones, if there is one."""
        self.stop()
        words = self.words()
        ours, frames = _score(self._grammar)
        free, _ = _score(self._phones)
        return words, (ours - free) / frames if words and frames else None

    def stop(self) -> None:
        if self._running:
            self._running = False
            self._grammar.end_utt()
            self._phones.end_utt()


def _score(decoder: Any) -> tuple[float, int]:
    """Acoustic log score and number of frames of the best path."""
    score, frames = 0.0, 0
    if decoder.hyp() is None:
        return score, frames
    for segment in decoder.seg() or ():
        if segment.word == "(NULL)":
            continue
        score += math.log(max(segment.ascore, 1e-300)) * _SCORE_SCALE
        frames += segment.end_frame - segment.start_frame + 1
    return score, frames
