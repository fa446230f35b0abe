"""One pair of pocketsphinx decoders: a grammar, and a loop over all phones beside it.

Both score every senone of every frame (``compallsen``): the scores are relative to the best senone
*computed*, so only then do two searches, or speech and silence, compare.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pocketsphinx

from edge.grammar import Grammar
from edge.media.frames import Band, Samples
from edge.speech.channel import Channel
from edge.speech.evidence import Evidence, Segment, weigh
from edge.speech.pronounce import Pronunciations
from edge.speech.recognizer import RecognizerError
from edge.speech.sphinx_settings import TRANSFORMS, USUAL_MEANS, SphinxSettings

SPELT_LETTERS = 10
"""A grammar with this many single letters is one in which the caller spells."""

_SPELT_A = "a~"
"""The letter A in a spelling grammar: a decoder has one dictionary for all its grammars, and
elsewhere "a" is an article."""

_A = re.compile(r"(?<![^\s()\[\]|])a(?![^\s()\[\]|;])")

_SCORE_SCALE = 1024 / 10
"""Segment scores come as ``exp`` of a log score shifted by ten bits; this brings them to nats
times an arbitrary factor, the same for both decoders."""


_ENGINE_WEIGHT = 500
"""Frames that the engine counts ``set_cmn`` for (CMN_WIN in its ``cmn.c``)."""


class Decoders:
    """The grammar's decoder and the phone loop beside it, with the grammars compiled so far."""

    def __init__(
        self, model: Path, sounds: Pronunciations, settings: SphinxSettings, band: Band
    ) -> None:
        self.band = band
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
        self._start_means: tuple[float, ...] = ()

    def _decoder(self, model: Path, **more: object) -> Any:
        if self.band in TRANSFORMS:
            more["mllr"] = str(TRANSFORMS[self.band])
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

    def start(self, grammar: Grammar, channel: Channel) -> None:
        self.load(grammar)
        self._start_means = channel.means(USUAL_MEANS[self.band], self._settings.adapt_frames)
        text = ",".join(f"{mean:.2f}" for mean in self._start_means)
        for decoder in (self._grammar, self._phones):
            decoder.set_cmn(text)
            decoder.start_utt()
        self._running = True

    def means(self) -> tuple[list[float], int]:
        """The cepstral means of the utterance that has ended, and how many frames it had."""
        frames = self._phones.n_frames()
        after = [float(mean) for mean in self._phones.get_cmn().split(",")]
        # The engine has moved its start towards them, as if it had heard _ENGINE_WEIGHT frames.
        return [
            start + (mean - start) * (_ENGINE_WEIGHT + frames) / max(1, frames)
            for start, mean in zip(self._start_means, after, strict=True)
        ], frames

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

    def finish(self) -> tuple[str, Evidence | None]:
        """The sentence, and how well it explains what was heard, if there is one."""
        self.stop()
        words = self.words()
        return words, weigh(_segments(self._grammar), _segments(self._phones)) if words else None

    def stop(self) -> None:
        if self._running:
            self._running = False
            self._grammar.end_utt()
            self._phones.end_utt()


def _segments(decoder: Any) -> list[Segment]:
    """The best path, in order, with acoustic log scores."""
    if decoder.hyp() is None:
        return []
    return [
        Segment(
            found.word,
            found.start_frame,
            found.end_frame + 1,
            math.log(max(found.ascore, 1e-300)) * _SCORE_SCALE,
        )
        for found in decoder.seg() or ()
        if found.word != "(NULL)"
    ]
