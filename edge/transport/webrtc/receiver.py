"""The way in: RTP packets to frames of exactly 20 ms."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import numpy as np

from edge.media.frames import Samples, frame_samples
from edge.media.opus import OpusFault
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
from edge.transport.webrtc.codec import Codec, make_decoder
from edge.transport.webrtc.rtp import Reception, RtpPacket


class AudioReceiver:
    """Decodes one caller's audio to frames at ``rate`` Hz, whatever the packets' length.

    ``on_frame`` is called inline, in order. A payload that the codec refuses is concealed.
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

    @property
    def counts(self) -> Counts:
        return self._order.counts

    def packet(self, packet: RtpPacket, now: float) -> None:
        """Take a packet; ones of another payload type, and empty ones, are ignored."""
        if packet.payload_type != self.codec.payload_type or not packet.payload:
            return
        try:
            duration = self.codec.duration(packet.payload)
        except OpusFault:
            self.refused += 1
            return
        if packet.ssrc != self.ssrc:
            self.ssrc = packet.ssrc
            self.reception = Reception(self.codec.clock_rate)
        self.reception.add(packet.sequence, packet.timestamp, now)
        ordered = Packet(packet.ssrc, packet.sequence, packet.timestamp, packet.payload, duration)
        for item in self._order.push(ordered, now):
            self._play(item)

    def tick(self, now: float) -> None:
        """Let 20 ms pass: silence is heard while nothing arrives."""
        for item in self._order.poll(now):
            self._play(item)

    def close(self) -> None:
        """Free the decoder. Nothing may be received after that."""
        self._decoder.close()

    def _play(self, item: Item) -> None:
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
