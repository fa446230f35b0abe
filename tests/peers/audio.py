"""What peers speak: WAV files, and captures of RTP that sipp plays."""

from __future__ import annotations

import struct
import subprocess
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soxr

from edge.media import g711
from edge.media.frames import LISTEN_RATE, Samples
from inland.caller.meter import audible
from inland.caller.recording import CALLER_RATE
from inland.caller.utterances import levelled, load_sound
from tests.peers.program import installed

FRAME = 160
"""Samples of 20 ms at 8 kHz."""

EVENT_TYPE = 101
"""Payload type of telephone events in sipp's scenarios."""

_KEYS = "0123456789*#ABCD"


def tone(hertz: float, seconds: float, rate: int = LISTEN_RATE, level: float = 0.3) -> Samples:
    """A sine."""
    time = np.arange(round(seconds * rate)) / rate
    return (level * 32_767 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def spoken(words: str, folder: Path, rate: int = LISTEN_RATE) -> Samples:
    """``words`` as a caller says them, by the voice that recognisers understand best. Skips the
    test without flite."""
    sound = folder / "words.wav"
    program = installed("flite", "flite")
    subprocess.run([program, "-voice", "rms", "-t", words, "-o", sound], check=True, timeout=60)
    return np.asarray(soxr.resample(levelled(load_sound(sound)), CALLER_RATE, rate), np.int16)


def loud_frames(samples: Samples, rate: int) -> list[bool]:
    """Of each 20 ms whether anything is to be heard in it."""
    frame = rate // 50
    return [audible(piece) for piece in samples[: len(samples) // frame * frame].reshape(-1, frame)]


def silence(seconds: float, rate: int = LISTEN_RATE) -> Samples:
    """Digital silence."""
    return np.zeros(round(seconds * rate), np.int16)


def write_wav(path: Path, samples: Samples, rate: int = LISTEN_RATE) -> Path:
    """Mono, 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> tuple[Samples, int]:
    """The first channel, and its rate in Hz. A file that its writer has not closed yet is read to
    its end, whatever its head says."""
    data = path.read_bytes()
    channels, rate = struct.unpack_from("<HI", data, 22)
    start = data.index(b"data") + 8
    pcm = np.frombuffer(
        data[start : start + (len(data) - start) // (2 * channels) * 2 * channels], "<i2"
    )
    return pcm[::channels].astype(np.int16), int(rate)


def strength(samples: Samples, rate: int, hertz: float) -> float:
    """The share of a signal's energy within 5 Hz of a tone, 0 to 1; 0 for silence."""
    if len(samples) == 0 or not samples.any():
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    near = np.abs(frequencies - hertz) <= 5
    return float(spectrum[near].sum() / spectrum.sum())


def write_ulaw(path: Path, samples: Samples) -> Path:
    """Raw PCMU of 8 kHz, as sipp streams it."""
    path.write_bytes(g711.ulaw_encode(samples))
    return path


def write_capture(path: Path, samples: Samples, keys: str = "", *, after: float = 0.2) -> Path:
    """A capture of PCMU at 8 kHz, then of ``keys`` as telephone events (RFC 4733), 100 ms each."""
    packets = [*_speech(samples), *_presses(keys, len(samples) // FRAME, after)]
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        for when, rtp in packets:
            frame = _ethernet(rtp)
            seconds, rest = divmod(round(when * 1e6), 1_000_000)
            file.write(struct.pack("<IIII", seconds, rest, len(frame), len(frame)) + frame)
    return path


def _speech(samples: Samples) -> Iterator[tuple[float, bytes]]:
    for number in range(len(samples) // FRAME):
        payload = g711.ulaw_encode(samples[number * FRAME : (number + 1) * FRAME])
        yield number * 0.02, _rtp(0, number, number * FRAME, payload, marker=number == 0)


def _presses(keys: Sequence[str], number: int, after: float) -> Iterator[tuple[float, bytes]]:
    start = number * 0.02
    for key in keys:
        start += after
        stamp = round(start * 8_000)
        for step in range(1, 8):
            # Five packets of a growing duration, and the end three times at once.
            over = step >= 5
            when = start + 0.02 * min(step, 5)
            event = struct.pack(
                "!BBH", _KEYS.index(key), 0x8A if over else 10, FRAME * min(step, 5)
            )
            yield when, _rtp(EVENT_TYPE, number, stamp, event, marker=step == 1)
            number += 1
        start += 0.1


def _rtp(kind: int, number: int, stamp: int, payload: bytes, *, marker: bool) -> bytes:
    head = struct.pack("!BBHII", 0x80, kind | (0x80 if marker else 0), number, stamp, 0x51AA)
    return head + payload


def _ethernet(payload: bytes) -> bytes:
    """``payload`` in UDP, IPv4 and Ethernet with addresses that sipp replaces."""
    udp = struct.pack("!HHHH", 6_000, 6_000, 8 + len(payload), 0) + payload
    address = bytes((127, 0, 0, 1))
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + address + address
    return bytes(12) + b"\x08\x00" + ip + udp
