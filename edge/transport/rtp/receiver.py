"""The way in: RTP packets to frames of exactly 20 ms."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import numpy as np

from edge.media.frames import Samples, frame_samples
from edge.media.opus import MAX_PACKET_MS, OpusFault
from edge.media.reorder import (
    Conceal,
    Counts,
    Item,
    Packet,
    Play,
    ReorderBuffer,
    Restart,
    Silence,
)
from edge.transport.rtp.budget import Budget
from edge.transport.rtp.codec import Codec, make_decoder
from edge.transport.rtp.packet import Reception, RtpPacket

PACE = 1.5
"""Seconds of audio that may be heard per second of the clock. A caller cannot speak faster than
time; the rest is for clocks that drift and for what a network held back."""

BURST = 2.0
"""Seconds of audio that may be heard at once, after the network held them back."""


class AudioReceiver:
    """Decodes one caller's audio to frames at ``rate`` Hz, whatever the packets' length.

    ``on_frame`` is called inline, in order. A payload that the codec refuses is concealed. Audio
    beyond :data:`PACE` and :data:`BURST`, the gaps that its timestamps claim included, is dropped
    before it is decoded and counted in ``excess``; ``flooded`` says that this has gone on for long.
    """

    def __init__(self, codec: Codec, rate: int, on_frame: Callable[[Samples], None]) -> None:
        self.codec = codec
        self.ssrc = 0
        self.reception = Reception(codec.clock_rate)
        self.refused = 0
        self._on_frame = on_frame
        self._frame = frame_samples(rate)
        self._rate = rate
        self._decoder = make_decoder(codec, rate)
        self._order = ReorderBuffer(codec.clock_rate)
        self._rest: Samples = np.zeros(0, np.int16)
        self._longest = codec.clock_rate * MAX_PACKET_MS // 1000
        self._pace = Budget(PACE, BURST)

    @property
    def excess(self) -> int:
        """Pieces of audio dropped because they came faster than time."""
        return self._pace.refused

    @property
    def flooded(self) -> bool:
        """Whether the far end keeps sending faster than time: its call should end."""
        return self._pace.flooded

    @property
    def counts(self) -> Counts:
        return self._order.counts

    def packet(self, packet: RtpPacket, now: float) -> None:
        """Take a packet; ones of another payload type, and empty ones, are ignored.

        One that is longer than 120 ms is refused: for Opus it cannot be (RFC 6716 section 3.2.5),
        and nobody sends such PCMU.
        """
        if packet.payload_type != self.codec.payload_type or not packet.payload:
            return
        try:
            duration = self.codec.duration(packet.payload)
        except OpusFault:
            self.refused += 1
            return
        if duration > self._longest:
            self.refused += 1
            return
        if packet.ssrc != self.ssrc:
            self.ssrc = packet.ssrc
            self.reception = Reception(self.codec.clock_rate)
        self.reception.add(packet.sequence, packet.timestamp, now)
        ordered = Packet(packet.ssrc, packet.sequence, packet.timestamp, packet.payload, duration)
        for item in self._order.push(ordered, now):
            self._play(item, now)

    def tick(self, now: float) -> None:
        """Let 20 ms pass: silence is heard while nothing arrives."""
        for item in self._order.poll(now):
            self._play(item, now)

    def close(self) -> None:
        """Free the decoder. Nothing may be received after that."""
        self._decoder.close()

    def _play(self, item: Item, now: float) -> None:
        if not self._pace.take(self._seconds(item), now):
            return
        match item:
            case Play(payload):
                self._emit(self._decode(payload))
            case Conceal(units, following):
                self._emit(self._conceal(self._samples(units), following))
            case Silence(units):
                self._emit(np.zeros(self._samples(units), np.int16))
            case Restart():
                self._decoder.reset()
            case _:
                assert_never(item)

    def _seconds(self, item: Item) -> float:
        match item:
            case Play(payload):
                units = self.codec.duration(payload)
            case Conceal(units, _) | Silence(units):
                pass
            case Restart():
                units = 0
            case _:
                assert_never(item)
        return units / self.codec.clock_rate

    def _decode(self, payload: bytes) -> Samples:
        try:
            return self._decoder.decode(payload)
        except OpusFault:
            self.refused += 1
            return self._conceal(self._samples(self.codec.duration(payload)), None)

    def _conceal(self, samples: int, following: bytes | None) -> Samples:
        try:
            return self._decoder.conceal(samples, following)
        except OpusFault:
            return np.zeros(samples, np.int16)

    def _samples(self, units: int) -> int:
        return units * self._rate // self.codec.clock_rate

    def _emit(self, pcm: Samples) -> None:
        frame = self._frame
        if not len(self._rest) and len(pcm) == frame:
            self._on_frame(pcm)
            return
        whole = np.concatenate((self._rest, pcm)) if len(self._rest) else pcm
        end = len(whole) - len(whole) % frame
        for start in range(0, end, frame):
            self._on_frame(whole[start : start + frame])
        self._rest = whole[end:]
