"""What callers and agents of a bench say: speech, made once and given to the children as files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.media.frames import Samples, frame_samples
from edge.media.opus import OpusEncoder
from inland.bench.errors import BenchError
from inland.caller.errors import SpeechError
from inland.caller.utterances import resampled, utterances

AGENT_RATE = 24_000
"""Hz of what a voice makes."""
CALLER_RATE = 48_000
"""Hz of a browser's microphone."""
CALLER_BITRATE = 32_000
"""bit/s of a browser that was not asked for less."""

SENTENCES = (
    "You can book an appointment, cancel one, or ask for our opening hours. How can I help?",
    "We are open from Monday to Friday, from eight in the morning until five in the afternoon.",
    "General practice, next Tuesday, at half past nine. Shall I book it?",
    "It is booked. Your reference is four, two, nine, one, seven, three.",
)


@dataclass(frozen=True, slots=True)
class SpeechFiles:
    """Raw 16-bit mono; ``voice`` says who speaks."""

    agent: Path
    """At :data:`AGENT_RATE`."""
    caller: Path
    """At :data:`CALLER_RATE`."""
    voice: str


async def write_speech(folder: Path) -> SpeechFiles:
    """Speak the sentences. Raises :class:`BenchError` when nobody can."""
    try:
        async with utterances() as voice:
            parts = [await voice.words(sentence) for sentence in SENTENCES]
            name = voice.synthesiser.name
    except SpeechError as error:
        raise BenchError(str(error)) from error
    speech = np.concatenate(parts)
    agent, caller = folder / "agent.raw", folder / "caller.raw"
    wide = await asyncio.to_thread(resampled, speech, CALLER_RATE)
    agent.write_bytes(speech.tobytes())
    caller.write_bytes(wide.tobytes())
    return SpeechFiles(agent, caller, name)


def load(path: str, rate: int) -> Samples:
    """A file's samples, cut to whole frames of 20 ms."""
    samples = np.frombuffer(Path(path).read_bytes(), np.int16)
    return samples[: len(samples) // frame_samples(rate) * frame_samples(rate)]


def opus_packets(path: str) -> list[bytes]:
    """A caller's file as the packets of a browser, 20 ms each."""
    samples, frame = load(path, CALLER_RATE), frame_samples(CALLER_RATE)
    encoder = OpusEncoder(CALLER_RATE, bitrate=CALLER_BITRATE)
    try:
        return [
            encoder.encode(samples[start : start + frame])
            for start in range(0, len(samples), frame)
        ]
    finally:
        encoder.close()
