"""What the voice worker needs of an engine, and what every engine is given to say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.media.frames import Samples
from edge.media.playout import Mark

_LOUD = 200
"""Amplitude (of 32,767) below which audio is taken for silence when looking for a word's end."""
_JOINERS = "\u200c\u200d"
"""Zero-width joiners spell words in Persian and Indic scripts; they are no control characters."""
_PICTURES = re.compile("[\u2600-\u27bf\ufe0e\ufe0f\U0001f000-\U0001faff]")


@dataclass(frozen=True, slots=True)
class Clip:
    """One piece of text, spoken: PCM at the engine's own ``rate``, and where its words end."""

    samples: Samples
    rate: int
    marks: tuple[Mark, ...]


class Engine(Protocol):
    """A synthesiser. Called from one thread at a time; it may block."""

    name: str
    piece: int
    """Longest text of one ``synthesize``, in characters: what bounds how long it blocks."""
    eager: bool
    """Whether synthesis takes so long that the first clause should be made alone."""

    def speaks(self, language: str) -> bool:
        """Whether there is a voice for the BCP 47 tag ``language``."""
        ...

    def warm(self, language: str) -> None:
        """Load now what ``language`` needs. Raises ``EngineError``."""
        ...

    def synthesize(self, text: str, language: str, cancelled: Callable[[], bool]) -> Clip:
        """Speak ``text``; the marks' texts, joined, are ``text``.

        ``cancelled`` is asked now and then; once it is True the result no longer matters. Raises
        ``EngineError``.
        """
        ...


class EngineError(Exception):
    """The engine cannot say this; trying again will not help."""


def plain(text: str) -> str:
    """``text`` as an engine may see it, of the same length so that positions still hold.

    Control characters can carry commands (espeak-ng reads 0x01 as one), double brackets are
    phonemes to piper, pictures would be read out by name: all become spaces or plain brackets.
    """
    return _PICTURES.sub(" ", "".join(map(_plain, text))).replace("[[", "((").replace("]]", "))")


def speakable(text: str) -> bool:
    """Whether there is anything to pronounce; engines read a lone "!!!" out by name."""
    return any(character.isalnum() for character in text)


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] != "C" or character in _JOINERS:
        return character
    return "\n" if character == "\n" else " "


def speech_end(samples: Samples, start: int, end: int) -> int:
    """The sample after the last audible one in ``start:end``, or ``end`` if none is audible."""
    loud = np.flatnonzero(np.abs(samples[start:end].astype(np.int32)) > _LOUD)
    return end if len(loud) == 0 else start + int(loud[-1]) + 1


def languages_of(language: str) -> tuple[str, ...]:
    """A BCP 47 tag and the shorter tags that may stand for it, most specific first (RFC 4647)."""
    parts = language.lower().replace("_", "-").split("-")
    return tuple("-".join(parts[:length]) for length in range(len(parts), 0, -1))
