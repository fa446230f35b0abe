"""What the embedded recogniser was tuned to, by band; ``docs/benchmarks.md`` says how well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.media.frames import Band
from edge.speech.evidence import Weights

USUAL_MEANS: Mapping[Band, tuple[float, ...]] = {
    "wide": (41.0, -1.4, -1.1, 7.0, -8.0, -1.2, -4.4, -3.5, -2.3, -1.5, 1.2, 0.4, 0.6),
    "narrow": (41.0, 2.8, -3.5, 5.9, -4.4, -3.7, -4.2, -2.9, -6.7, 4.1, -6.2, 4.0, -0.6),
}
"""Where cepstral mean normalisation starts the first utterance of a call: the mean over the
speakers that the recogniser was tuned on."""

TRANSFORMS: Mapping[Band, Path] = {"narrow": Path(__file__).with_name("narrow_band.mllr")}
"""How the model's means, learnt at 16 kHz, look over G.711: a matrix for the cepstra and their two
differences, by least squares from the same speech at 16 kHz and through mu-law
(``python -m inland.bench.narrowing``). The format is that of ``mllr_solve`` of SphinxTrain."""

RULES: Mapping[Band, Weights] = {
    "wide": Weights(mean=20.0, worst=2.9, missed=-1.4, bias=5.0),
    "narrow": Weights(mean=19.2, worst=4.5, missed=-3.0, bias=6.8),
}
"""When a sentence counts as heard. By logistic regression; the biases are half a nat higher than it
says, because a caller who is refused has to repeat, and what is wrongly taken is asked back."""


@dataclass(frozen=True, slots=True)
class SphinxSettings:
    """The recogniser's own settings."""

    adapt_frames: float = 150.0
    """How many frames of 10 ms the usual cepstral means of a band count for, against those that
    were heard in the call so far."""
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
    rules: Mapping[Band, Weights] = field(default_factory=lambda: RULES)
    idle_decoders: int = 4
    """Pairs of decoders of each band kept for the next utterances; about 6 MB each."""
    most_decoders: int = 64
    """Utterances heard at the same moment."""
    grammars: int = 12
    """Compiled grammars kept per decoder."""
