"""The two codecs a call can speak, behind one pair of protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np

from edge.media import g711
from edge.media.frames import Samples, frame_samples
from edge.media.opus import OpusDecoder, OpusEncoder, packet_samples

CodecName: TypeAlias = Literal["opus", "pcmu"]

OPUS_CLOCK = 48_000
"""RTP clock of Opus whatever is inside (RFC 7587 section 4.1)."""

OPUS_RATE = 24_000
"""Hz of the audio sent as Opus: the rate of the voices."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec as negotiated."""

    name: CodecName
    payload_type: int

    @property
    def clock_rate(self) -> int:
        """RTP timestamp units per second."""
        return OPUS_CLOCK if self.name == "opus" else g711.RATE

    @property
    def playout_rate(self) -> int:
        """Hz of the PCM that is encoded."""
        return OPUS_RATE if self.name == "opus" else g711.RATE

    def duration(self, payload: bytes) -> int:
        """Clock units of a payload. Raises ``OpusFault`` when it is not of this codec."""
        if self.name == "opus":
            return packet_samples(payload, OPUS_CLOCK)
        return len(payload)


class Decoder(Protocol):
    """Payloads of one stream to PCM; ``close`` frees it."""

    def decode(self, payload: bytes) -> Samples: ...

    def conceal(self, samples: int, following: bytes | None = None) -> Samples: ...

    def reset(self) -> None: ...

    def close(self) -> None: ...


class Encoder(Protocol):
    """One 20 ms frame of PCM to one payload; ``close`` frees it."""

    def encode(self, samples: Samples) -> bytes: ...

    def close(self) -> None: ...


def make_decoder(codec: Codec, rate: int) -> Decoder:
    """A decoder to ``rate`` Hz, 16 or 24 kHz."""
    return OpusDecoder(rate) if codec.name == "opus" else UlawDecoder(rate)


def make_encoder(codec: Codec) -> Encoder:
    """An encoder from ``codec.playout_rate`` Hz."""
    return OpusEncoder(OPUS_RATE) if codec.name == "opus" else UlawEncoder()


class UlawDecoder:
    """Mu-law to ``rate`` Hz; a loss repeats the last frame, fading out within two."""

    def __init__(self, rate: int) -> None:
        self._factor = rate // g711.RATE
        self._frame = frame_samples(rate)
        self._upsample = g711.Upsampler(self._factor)
        self._last: Samples = np.zeros(0, np.int16)

    def decode(self, payload: bytes) -> Samples:
        pcm = self._upsample(g711.ulaw_decode(payload))
        self._last = pcm[-self._frame :]
        return pcm

    def conceal(self, samples: int, following: bytes | None = None) -> Samples:
        filled = np.zeros(samples, np.int16)
        copies = np.concatenate((self._last // 2, self._last // 4))[:samples]
        filled[: len(copies)] = copies
        self._last = self._last[:0]
        return filled

    def reset(self) -> None:
        self._upsample = g711.Upsampler(self._factor)
        self._last = np.zeros(0, np.int16)

    def close(self) -> None:
        pass


class UlawEncoder:
    """8 kHz to mu-law."""

    def encode(self, samples: Samples) -> bytes:
        return g711.ulaw_encode(samples)

    def close(self) -> None:
        pass
