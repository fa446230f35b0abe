"""The codecs a call can speak, behind one pair of protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from edge.media import g711, g722
from edge.media.frames import Samples
from edge.media.g711 import G711Decoder, G711Encoder
from edge.media.g722 import G722Decoder, G722Encoder
from edge.media.opus import OpusDecoder, OpusEncoder, packet_samples

CodecName: TypeAlias = Literal["opus", "g722", "pcmu", "pcma"]

OPUS_CLOCK = 48_000
"""RTP clock of Opus whatever is inside (RFC 7587 section 4.1)."""

OPUS_RATE = 24_000
"""Hz of the audio sent as Opus: the rate of the voices."""

_PLAYOUT_RATES: dict[CodecName, int] = {
    "opus": OPUS_RATE,
    "g722": g722.RATE,
    "pcmu": g711.RATE,
    "pcma": g711.RATE,
}


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec as negotiated."""

    name: CodecName
    payload_type: int

    @property
    def clock_rate(self) -> int:
        """RTP timestamp units per second. But for Opus a byte of payload lasts one unit."""
        return OPUS_CLOCK if self.name == "opus" else g711.RATE

    @property
    def playout_rate(self) -> int:
        """Hz of the PCM that is encoded."""
        return _PLAYOUT_RATES[self.name]

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
    """A decoder to ``rate`` Hz, 16 or 24 kHz. Raises ``ValueError`` for G.722 at 24 kHz."""
    if codec.name == "opus":
        return OpusDecoder(rate)
    if codec.name == "g722":
        if rate != g722.RATE:
            raise ValueError("G.722 is decoded to 16 kHz only")
        return G722Decoder()
    return G711Decoder("ulaw" if codec.name == "pcmu" else "alaw", rate)


def make_encoder(codec: Codec) -> Encoder:
    """An encoder from ``codec.playout_rate`` Hz."""
    if codec.name == "opus":
        return OpusEncoder(OPUS_RATE)
    if codec.name == "g722":
        return G722Encoder()
    return G711Encoder("ulaw" if codec.name == "pcmu" else "alaw")
