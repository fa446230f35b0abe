"""Recorded and synthetic callers, for tests that skip when they are absent."""

from __future__ import annotations

import json
import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from edge.media.frames import LISTEN_RATE, Samples

FOLDER = Path(__file__).parents[3] / "shared" / "speech"
"""Lies beside the checkout; never part of it."""


def transcripts(folder: str) -> list[tuple[Path, str]]:
    """Every recording of a folder with what is said in it; skips the test when there is none."""
    manifest = FOLDER / "manifest.json"
    if not manifest.is_file():
        pytest.skip("no recordings in ../shared/speech")
    entries = json.loads(manifest.read_text())
    found = [
        (FOLDER / entry["path"], str(entry["transcript"]))
        for entry in entries
        if entry["path"].startswith(f"{folder}/") and (FOLDER / entry["path"]).is_file()
    ]
    if not found:
        pytest.skip(f"no recordings in ../shared/speech/{folder}")
    return sorted(found)


def load(path: Path) -> Samples:
    """A WAV file at 16 kHz; 8 kHz is interpolated linearly, as a telephone leg does."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        if file.getframerate() == LISTEN_RATE:
            return samples
        assert file.getframerate() * 2 == LISTEN_RATE
    doubled = np.interp(np.arange(2 * len(samples)) / 2, np.arange(len(samples)), samples)
    return doubled.astype(np.int16)


def flite(text: str, folder: Path, voice: str = "rms") -> Samples:
    """``text`` spoken by Debian's flite; skips the test when it is not installed."""
    program = shutil.which("flite")
    if program is None:
        pytest.skip("flite is not installed")
    target = folder / "flite.wav"
    subprocess.run([program, "-voice", voice, "-t", text, "-o", target], check=True, timeout=60)
    return load(target)


def with_silence(samples: Samples, before: float = 0.3, after: float = 0.25) -> Samples:
    """The samples between seconds of a quiet line, always the same noise."""
    noise = np.random.default_rng(7)

    def quiet(seconds: float) -> Samples:
        return noise.normal(0, 8, round(seconds * LISTEN_RATE)).astype(np.int16)

    return np.concatenate((quiet(before), samples, quiet(after)))
