"""What a caller says, as audio: synthesised words and sound files, 24 kHz mono."""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import soxr

from edge.media.frames import Samples, frame_samples
from inland.caller.errors import SpeechError
from inland.caller.meter import AUDIBLE_RMS
from inland.caller.options import Codec
from inland.caller.recording import CALLER_RATE

FLITE_VOICES = ("rms", "slt", "awb", "kal16")
"""In the order in which grammar recognisers understand them; ``rms`` best."""
EMBEDDED = "embedded"
SPEECH_RMS = 1642.0
"""Level of synthesised speech: -26 dB of full scale, the nominal active level of telephone speech
(ITU-T P.56, G.191). Synthesisers differ by 10 dB, and a loud one is recognised badly."""
RAW_RATE = 16_000
"""Hz of ``.raw`` files, which cannot say it themselves: signed 16-bit little-endian mono."""
SEND_RATES: dict[Codec, int] = {"opus": CALLER_RATE, "pcmu": 8_000}
"""Hz of a leg's playout."""
MAX_SECONDS = 600
"""Longest sound file."""
FLITE_SECONDS = 30.0
"""Longest that flite may take for one utterance."""


class Synthesiser(Protocol):
    """Something that speaks for the caller."""

    name: str
    note: str | None
    """What a reader of the results should know about it."""

    async def speak(self, text: str) -> Samples:
        """``text`` at 24 kHz mono. Raises :class:`SpeechError`."""
        ...

    async def close(self) -> None:
        """Free what speaking needed. Idempotent."""
        ...


class FliteVoice:
    """CMU Flite as a program: one process per utterance, which `Utterances` caches."""

    note: str | None = None

    def __init__(self, voice: str) -> None:
        self.name = f"flite {voice}"
        self._voice = voice

    async def speak(self, text: str) -> Samples:
        with tempfile.TemporaryDirectory(prefix="inland-call-") as folder:
            sound = Path(folder, "words.wav")
            process = await asyncio.create_subprocess_exec(
                "flite", "-voice", self._voice, "-t", text, "-o", str(sound),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                async with asyncio.timeout(FLITE_SECONDS):
                    status = await process.wait()
            except TimeoutError:
                raise SpeechError("flite did not finish speaking in time") from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            if status != 0:
                raise SpeechError(f"flite failed with status {status}")
            return await asyncio.to_thread(load_sound, sound)

    async def close(self) -> None:
        pass


class Utterances:
    """Audio for words and files, made once each; share one between the calls of a process."""

    def __init__(self, synthesiser: Synthesiser) -> None:
        self.synthesiser = synthesiser
        self._words: dict[str, Samples] = {}
        self._files: dict[Path, Samples] = {}
        self._lock = asyncio.Lock()

    async def words(self, text: str) -> Samples:
        """``text`` spoken. Raises :class:`SpeechError`."""
        async with self._lock:
            if text not in self._words:
                self._words[text] = levelled(await self.synthesiser.speak(text))
            return self._words[text]

    async def file(self, path: Path) -> Samples:
        """A sound file. Raises :class:`SpeechError`."""
        async with self._lock:
            if path not in self._files:
                self._files[path] = await asyncio.to_thread(load_sound, path)
            return self._files[path]


@asynccontextmanager
async def utterances(voice: str | None = None) -> AsyncIterator[Utterances]:
    """Speech by flite (``voice`` is one of :data:`FLITE_VOICES`), else by the embedded voice.

    ``voice`` may also be ``embedded``. Raises :class:`SpeechError` for a voice nobody has.
    """
    synthesiser: Synthesiser | None = None if voice == EMBEDDED else flite_voice(voice)
    if synthesiser is None:
        from inland.caller.embedded import EmbeddedVoice

        synthesiser = EmbeddedVoice(chosen=voice == EMBEDDED)
    try:
        yield Utterances(synthesiser)
    finally:
        await synthesiser.close()


def flite_voice(name: str | None) -> FliteVoice | None:
    """Flite with the voice ``name`` (default ``rms``), or None when it is not installed.

    Raises :class:`SpeechError` for a voice that flite does not have.
    """
    if name is not None and name not in FLITE_VOICES:
        raise SpeechError(
            f"{name!r} is no voice; there are {', '.join(FLITE_VOICES)} and {EMBEDDED}"
        )
    if shutil.which("flite") is None:
        return None
    return FliteVoice(name or FLITE_VOICES[0])


def levelled(samples: Samples) -> Samples:
    """``samples`` at :data:`SPEECH_RMS`, measured where they are audible."""
    wide = samples.astype(np.float64)
    frame = frame_samples(CALLER_RATE)
    whole = wide[: len(wide) // frame * frame].reshape(-1, frame)
    power = np.mean(whole**2, axis=1)
    active = power[power > AUDIBLE_RMS**2]
    if not len(active):
        return samples
    gain = SPEECH_RMS / math.sqrt(float(np.mean(active)))
    return np.clip(wide * gain, -32768, 32767).astype(np.int16)


def resampled(samples: Samples, rate: int) -> Samples:
    """24 kHz ``samples`` at ``rate`` Hz."""
    if rate == CALLER_RATE:
        return samples
    return np.asarray(soxr.resample(samples, CALLER_RATE, rate), np.int16)


def load_sound(path: Path) -> Samples:
    """A sound file of any rate, width and channels (``.raw``: 16 kHz s16le) at 24 kHz mono.

    Raises :class:`SpeechError` that names the file.
    """
    try:
        if path.suffix.lower() == ".raw":
            return _load_raw(path)
        return _load_with_av(path)
    except OSError as error:
        raise SpeechError(f"{path}: {error.strerror or error}") from error


def _load_raw(path: Path) -> Samples:
    with path.open("rb") as file:
        data = file.read(MAX_SECONDS * RAW_RATE * 2)
    samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
    if not len(samples):
        raise SpeechError(f"{path}: there is no audio in it")
    return np.asarray(soxr.resample(samples, RAW_RATE, CALLER_RATE), np.int16)


def _load_with_av(path: Path) -> Samples:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=CALLER_RATE)
    chunks: list[Samples] = []
    total = 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise SpeechError(f"{path}: there is no audio in it")
            for frame in container.decode(audio=0):
                for piece in resampler.resample(frame):
                    chunks.append(piece.to_ndarray()[0])
                    total += len(chunks[-1])
                if total > MAX_SECONDS * CALLER_RATE:
                    raise SpeechError(f"{path}: longer than {MAX_SECONDS} seconds")
            chunks.extend(piece.to_ndarray()[0] for piece in resampler.resample(None))
    except av.error.FFmpegError as error:
        raise SpeechError(f"{path}: not a sound file that can be read: {error.strerror}") from error
    if not total:
        raise SpeechError(f"{path}: there is no audio in it")
    return np.ascontiguousarray(np.concatenate(chunks), np.int16)
