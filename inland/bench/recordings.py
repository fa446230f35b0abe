"""Recorded people for the hearing bench: who says what, and how it sounds over a telephone."""

from __future__ import annotations

import json
import random
import re
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import soxr

from edge.media import g711
from edge.media.frames import LISTEN_RATE, Band, Samples
from inland.bench.errors import BenchError

Line: TypeAlias = Literal["wide", "ulaw", "alaw"]
"""16 kHz as it is, or 8 kHz through G.711."""
BANDS: dict[Line, Band] = {"wide": "wide", "ulaw": "narrow", "alaw": "narrow"}
QUIET_SECONDS = 0.3
"""Of a quiet line before and after every utterance, as the listener's pre-roll has it."""
STRINGS, STRING_FIGURES = 16, 6
"""Strings of figures made for each speaker out of single ones, and their length."""
_SPEAKERS = re.compile(r"_(fl-[a-z0-9]+|george|jackson|nicolas|nohash_[0-9]+)")
_OTHER = re.compile(r"[^a-z' ]")


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """One utterance of a speaker. ``made`` says that it was put together from single words."""

    speaker: str
    text: str
    rate: int
    samples: Samples
    made: bool = False

    def over(self, line: Line) -> Samples:
        """As the recogniser gets it, 16 kHz. ``wide`` needs a recording at 16 kHz."""
        samples = _between_silence(self.samples, self.rate)
        if line == "wide":
            return samples
        if self.rate != g711.RATE:
            samples = np.asarray(soxr.resample(samples, self.rate, g711.RATE), np.int16)
        codes = g711.ulaw_encode(samples) if line == "ulaw" else g711.alaw_encode(samples)
        return g711.G711Decoder(line, LISTEN_RATE).decode(codes)


def read_recordings(folder: Path) -> list[Said]:
    """What ``manifest.json`` of ``folder`` lists (``path``, ``transcript``), and strings of figures
    made of each speaker's single ones. Raises ``BenchError``."""
    try:
        entries = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        found = [said for entry in entries if (said := _read(folder, entry)) is not None]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{folder}: no recordings with a manifest.json: {error}") from error
    if not found:
        raise BenchError(f"{folder}: no recording in WAV, mono, 8 or 16 kHz")
    return [*found, *_strings(found)]


def _read(folder: Path, entry: dict[str, str]) -> Said | None:
    """None for what is no WAV file of a telephone's or a listener's rate."""
    path = folder / entry["path"]
    try:
        with wave.open(str(path)) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError):
        return None
    if rate not in (g711.RATE, LISTEN_RATE) or (channels, width) != (1, 2):
        return None
    speaker = _SPEAKERS.search(path.stem)
    text = " ".join(_OTHER.sub(" ", entry["transcript"].lower()).split())
    return Said(speaker[1] if speaker else path.stem, text, rate, np.frombuffer(raw, np.int16))


def _strings(found: list[Said]) -> Iterator[Said]:
    """Numbers as each speaker says them, figure by figure with short pauses."""
    figures: dict[str, list[Said]] = {}
    for said in found:
        if len(said.text) > 1 and " " not in said.text and said.speaker[:3] != "fl-":
            figures.setdefault(said.speaker, []).append(said)
    for speaker, single in figures.items():
        if len({said.text for said in single}) < 10:
            continue
        chance = random.Random(speaker)
        for _ in range(STRINGS):
            chosen = [chance.choice(single) for _ in range(STRING_FIGURES)]
            rate = chosen[0].rate
            parts = []
            for said in chosen:
                parts += [said.samples, _hush(round(chance.uniform(0.03, 0.18) * rate))]
            text = " ".join(said.text for said in chosen)
            yield Said(speaker, text, rate, np.concatenate(parts), made=True)


def _between_silence(samples: Samples, rate: int) -> Samples:
    hush = _hush(round(QUIET_SECONDS * rate))
    return np.concatenate((hush, samples, hush))


def _hush(count: int) -> Samples:
    """A quiet line: always the same noise, so that a run can be repeated."""
    return np.random.default_rng(7).normal(0, 4, count).astype(np.int16)
