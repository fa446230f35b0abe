"""Bytes as audio, and whether it is that of a call: every codec, every rate used inside a node.

Two stretches of the same speech are told by their normalised cross-correlation: for half a second
of the call, sampled at 8 kHz, the cosine between it and what was found, at every offset. It is 1
for the same samples at any gain, close to 1 behind a codec, and near 0 for anything else; see
:data:`SAME` for the figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import soxr

from edge.media.frames import Samples
from edge.media.g711 import alaw_decode, ulaw_decode
from edge.media.g722 import RATE as WIDE
from edge.media.g722 import G722Decoder
from edge.media.opus import OpusDecoder, OpusFault
from edge.transport.rtp import packet as rtp

RATE = 8_000
"""Hz at which sounds are compared: all codecs keep what is below 3.4 kHz."""
WINDOW = RATE // 2
"""Samples of a stretch that is looked for; with half of it between two beginnings, three quarters
of a second of a call is found wherever it begins."""
HOP = WINDOW // 2
SAME = 0.8
"""Correlation from which two sounds are the same. Measured with flite's voices: a call's sound is
at 0.91 behind Opus of 8 kbit/s and at 0.99 or more behind everything else; 24 other sentences of
four voices at 0.72 at most, that one by the same voice; random bytes and a tone below 0.2."""
RATES = (8_000, 16_000, 24_000, 48_000)
"""Hz of PCM somewhere inside a node."""
QUIET = 200.0
"""RMS, in 16-bit units, below which a stretch of a call is not worth looking for."""
LEAST_PACKETS = 10
"""RTP packets of one source that make a stream."""
_BLOCKS = (1 << 13, 1 << 16)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Whose voice a sound is most like, and how much."""

    whose: str
    correlation: float


class Voices:
    """What was heard in a call: sounds by whose they are, 16-bit mono at :data:`RATE`."""

    def __init__(self, sounds: Mapping[str, Samples]) -> None:
        self._windows = [
            (whose, window) for whose, sound in sounds.items() for window in _windows(sound)
        ]
        missing = set(sounds) - {whose for whose, _ in self._windows}
        if missing:
            raise ValueError(f"nothing to be heard of {', '.join(sorted(missing))}")
        self._spectra = cache(self._transformed)

    def likeness(self, sound: Samples) -> Likeness:
        """The greatest correlation of any stretch of theirs with any stretch of ``sound``."""
        best = Likeness("nobody", 0.0)
        for block in _blocks(sound.astype(np.float64)):
            length = next(size for size in _BLOCKS if size >= len(block))
            spectrum = np.fft.rfft(block, length)
            norms = _norms(block)
            for whose, transformed in self._spectra(length):
                product = np.fft.irfft(spectrum * transformed, length)[: len(norms)]
                found = float(np.max(np.abs(product) / norms))
                if found > best.correlation:
                    best = Likeness(whose, found)
        return best

    def _transformed(self, length: int) -> list[tuple[str, npt.NDArray[np.complex128]]]:
        return [(whose, np.conj(np.fft.rfft(one, length))) for whose, one in self._windows]


def _windows(sound: Samples) -> Iterator[Floats]:
    """Audible stretches, each without mean and of length one."""
    for start in range(0, len(sound) - WINDOW + 1, HOP):
        stretch = sound[start : start + WINDOW].astype(np.float64)
        stretch -= stretch.mean()
        if np.sqrt(np.mean(stretch**2)) >= QUIET:
            yield stretch / np.linalg.norm(stretch)


def _blocks(sound: Floats) -> Iterator[Floats]:
    """Overlapping by a window, so that none falls between two."""
    step = _BLOCKS[-1] - WINDOW
    for start in range(0, max(1, len(sound) - WINDOW + 1), step):
        block = sound[start : start + _BLOCKS[-1]]
        if len(block) >= WINDOW:
            yield block


def _norms(block: Floats) -> Floats:
    """The length, without mean, of the stretch at each offset; at least that of one unit."""
    sums = np.concatenate(([0.0], np.cumsum(block)))
    squares = np.concatenate(([0.0], np.cumsum(block**2)))
    mean = (sums[WINDOW:] - sums[:-WINDOW]) ** 2 / WINDOW
    energy = squares[WINDOW:] - squares[:-WINDOW] - mean
    return np.asarray(np.sqrt(np.maximum(energy, WINDOW)), np.float64)


def at_rate(sound: Samples, rate: int) -> Samples:
    """``sound`` of ``rate`` Hz at :data:`RATE`."""
    if rate == RATE or not len(sound):
        return sound
    return np.asarray(soxr.resample(sound, rate, RATE), np.int16)


# --- bytes as sounds ----------------------------------------------------------------------------


def sounds_in(data: bytes) -> Iterator[tuple[str, Samples]]:
    """Everything that ``data`` may be: how it was read, and what is heard then."""
    for order, name in (("<i2", "s16le"), (">i2", "s16be")):
        for shift in (0, 1):
            whole = data[shift : len(data) - (len(data) - shift) % 2]
            pcm = np.frombuffer(whole, order).astype(np.int16)
            for rate in RATES:
                yield f"{name} {rate} Hz", at_rate(pcm, rate)
    yield from _telephone(data)


def _telephone(data: bytes) -> Iterator[tuple[str, Samples]]:
    yield "PCMU", ulaw_decode(data)
    yield "PCMA", alaw_decode(data)
    yield "G722", at_rate(G722Decoder().decode(data), WIDE)


def sounds_of_packets(datagrams: Sequence[bytes]) -> Iterator[tuple[str, Samples]]:
    """Datagrams as RTP of each codec, whatever payload type they say, and as bare Opus."""
    streams: dict[int, dict[int, bytes]] = {}
    for datagram in datagrams:
        packet = rtp.parse(datagram)
        if packet is not None and packet.payload:
            streams.setdefault(packet.ssrc, {}).setdefault(packet.timestamp, packet.payload)
    for payloads in streams.values():
        if len(payloads) < LEAST_PACKETS:
            continue
        in_order = [payloads[at] for at in _by_time(payloads)]
        for codec, sound in (*_telephone(b"".join(in_order)), *_opus(in_order)):
            yield f"{codec} in RTP", sound
        for rate in RATES:  # L16 (RFC 3551, 4.5.11) is in network order
            pcm = np.frombuffer(b"".join(part[: len(part) // 2 * 2] for part in in_order), ">i2")
            yield f"L16 {rate} Hz in RTP", at_rate(pcm.astype(np.int16), rate)
    if len(datagrams) >= LEAST_PACKETS:
        yield from _opus(datagrams)


def _by_time(payloads: Mapping[int, bytes]) -> list[int]:
    """Timestamps in order, from the first that came, over the turn of 32 bits."""
    first = next(iter(payloads))
    return sorted(payloads, key=lambda at: (at - first + 0x80000000) & 0xFFFFFFFF)


def _opus(payloads: Sequence[bytes]) -> Iterator[tuple[str, Samples]]:
    """What libopus makes of them; nothing when it refuses half of them."""
    decoder = OpusDecoder(RATE)
    heard, refused = [], 0
    for payload in payloads:
        try:
            heard.append(decoder.decode(payload))
        except OpusFault:
            refused += 1
    decoder.close()
    if heard and refused < len(payloads) / 2:
        yield "Opus", np.concatenate(heard)
