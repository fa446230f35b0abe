"""Whether a sentence explains what was heard, or was only the nearest thing the grammar allows.

A loop over all phones hears the same audio and explains any speech: a sentence that was said scores
nearly as well, per frame, as the free phones do. One bad word is enough to make a sentence wrong,
and speech that the sentence leaves out is another sign, so three features are weighed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Segment:
    """A word or phone and the frames it took, ``start`` to before ``end``; ``score`` is the
    acoustic log score of all of them."""

    word: str
    start: int
    end: int
    score: float

    @property
    def silent(self) -> bool:
        """Whether it is silence, breath or noise (``<sil>``, ``SIL``, ``+NSN+``)."""
        return self.word.startswith(("<", "+")) or self.word == "SIL"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Log scores per frame, relative to free phones: about 0 when the words were said."""

    mean: float
    """Over the frames of all words."""
    worst: float
    """Of the word that explains its frames worst."""
    missed: float
    """Frames in which free phones hear speech and the sentence none, per frame of its words."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A linear rule: what it gives is the log-odds that the sentence was said."""

    mean: float
    worst: float
    missed: float
    bias: float

    def odds(self, evidence: Evidence) -> float:
        return (
            self.mean * evidence.mean
            + self.worst * evidence.worst
            + self.missed * evidence.missed
            + self.bias
        )


def weigh(sentence: Sequence[Segment], phones: Sequence[Segment]) -> Evidence | None:
    """What speaks for ``sentence`` where ``phones`` were heard; None when it has no word."""
    words = [segment for segment in sentence if not segment.silent and segment.end > segment.start]
    if not words:
        return None
    frames = max(segment.end for segment in (*sentence, *phones))
    difference, speech = np.zeros(frames), np.zeros(frames, bool)
    for segment in sentence:
        difference[segment.start : segment.end] = _per_frame(segment)
    for segment in phones:
        difference[segment.start : segment.end] -= _per_frame(segment)
        speech[segment.start : segment.end] = not segment.silent
    spoken = np.zeros(frames, bool)
    for word in words:
        spoken[word.start : word.end] = True
    return Evidence(
        mean=float(difference[spoken].mean()),
        worst=min(float(difference[word.start : word.end].mean()) for word in words),
        missed=float((speech & ~spoken).sum() / spoken.sum()),
    )


def _per_frame(segment: Segment) -> float:
    return segment.score / max(1, segment.end - segment.start)
