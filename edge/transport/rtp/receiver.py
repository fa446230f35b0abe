"""The way in: RTP packets to frames of exactly 20 ms."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import numpy as np

from edge.media.comfort import ComfortNoise
from edge.media.frames import Samples, frame_samples
from edge.media.opus import MAX_PACKET_MS, OpusFault
from edge.media.reorder import (
    DTX_BYTES,
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
from edge.transport.rtp.codec import Codec, Decoder, make_decoder
from edge.transport.rtp.packet import Reception, RtpPacket
from edge.transport.rtp.plan import Plan, just

PACE = 1.5
"""Seconds of audio that may be heard per second of the clock. A caller cannot speak faster than
time; the rest is for clocks that drift and for what a network held back."""

BURST = 2.0
"""Seconds of audio that may be heard at once, after the network held them back."""


class AudioReceiver:
    """Decodes one caller's audio to frames at ``rate`` Hz, whatever the packets' length.

    ``on_frame`` is called inline, in order; ``on_event`` with each telephone event packet as it
    arrives. The far end may change between the agreed codecs at any packet; each has its decoder. A
    payload that the codec refuses is concealed. Audio beyond :data:`PACE` and :data:`BURST`, the
    gaps that its timestamps claim included, is dropped before it is decoded and counted in
    ``excess``; ``flooded`` says that this has gone on for long.
    """

    def __init__(self, codec: Codec, rate: int, on_frame: Callable[[Samples], None]) -> None:
        self.codec = codec
        """What arrived last, or what is expected first."""
        self.ssrc = 0
        self.reception = Reception(codec.clock_rate)
        self.refused = 0
        self.on_event: Callable[[RtpPacket, float], None] = _ignore
        self._on_frame = on_frame
        self._frame = frame_samples(rate)
        self._rate = rate
        self._plan = just(codec)
        self._codecs = self._plan.receive
        self._decoders: dict[int, Decoder] = {}
        self._decoder = self._decoder_for(codec.payload_type)
        self._order = ReorderBuffer(codec.clock_rate)
        self._noise = ComfortNoise()
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

    def agree(self, plan: Plan) -> None:
        """Take what ``plan`` lists from now on. The stream goes on; a payload type that means
        another codec now gets another decoder. What we send is expected back first."""
        before, self._codecs, self._plan = self._codecs, plan.receive, plan
        if any(plan.receive.get(number) != codec for number, codec in before.items()):
            # What is held back may have lost its meaning.
            self._order.forget()
        for number in [*self._decoders]:
            if plan.receive.get(number) != before.get(number):
                self._decoders.pop(number).close()
        listed = [*plan.receive.values()]
        if self.codec not in listed or self.codec.name != plan.send.name:
            same = (codec for codec in listed if codec.name == plan.send.name)
            self._change(next(same, listed[0]))

    def packet(self, packet: RtpPacket, now: float) -> None:
        """Take a packet; ones of another payload type, and empty ones, are ignored.

        One that is longer than 120 ms is refused: for Opus it cannot be (RFC 6716 section 3.2.5),
        and nobody sends such G.711.
        """
        payload_type, sequence, timestamp, ssrc, payload = packet
        codec = self._codecs.get(payload_type)
        if codec is None:
            self._other(packet, now)
            return
        if not payload:
            return
        try:
            duration = codec.duration(payload)
        except OpusFault:
            self.refused += 1
            return
        if codec is not self.codec:
            self._change(codec)
        if duration > self._longest:
            self.refused += 1
            return
        if ssrc != self.ssrc:
            self.ssrc = ssrc
            self.reception = Reception(codec.clock_rate)
        self.reception.add(sequence, timestamp, now)
        if len(payload) > DTX_BYTES and self._order.in_order(
            ssrc, sequence, timestamp, duration, now
        ):
            if self._pace.take(duration / codec.clock_rate, now):
                self._emit(self._decode(payload, payload_type))
            return
        self._push(Packet(ssrc, sequence, timestamp, payload, duration, payload_type), now)

    def tick(self, now: float) -> None:
        """Let 20 ms pass: silence is heard while nothing arrives."""
        for item in self._order.poll(now):
            self._play(item, now)

    def silence(self) -> None:
        """Let 20 ms pass in which nothing can arrive: a frame of silence is heard."""
        self._emit(np.zeros(self._frame, np.int16))

    def forget(self) -> None:
        """The stream was interrupted: what comes next is heard without the gap before it."""
        self._order.forget()
        self._noise.stop()
        self._decoder.reset()

    def close(self) -> None:
        """Free the decoders. Nothing may be received after that."""
        while self._decoders:
            self._decoders.popitem()[1].close()

    def _other(self, packet: RtpPacket, now: float) -> None:
        event = packet.payload_type in self._plan.events
        if event:
            self.on_event(packet, now)
        # An event of another source has another sequence; noise without speech has no place.
        if packet.ssrc != self.ssrc or not (event or packet.payload_type == self._plan.comfort):
            return
        payload_type, sequence, timestamp, ssrc, payload = packet
        if event:
            self.reception.add_untimed(sequence)
        else:
            self.reception.add(sequence, timestamp, now)
        timed = not event
        self._push(Packet(ssrc, sequence, timestamp, payload, 0, payload_type, timed), now)

    def _change(self, codec: Codec) -> None:
        """The far end speaks another codec from now on."""
        if codec.clock_rate != self.codec.clock_rate:
            # Its timestamps have nothing to do with those before (RFC 7160 section 4.1).
            counts = self._order.counts
            self._order = ReorderBuffer(codec.clock_rate)
            self._order.counts = counts
            self._longest = codec.clock_rate * MAX_PACKET_MS // 1000
            self.reception = Reception(codec.clock_rate)
        self.codec = codec
        self._decoder = self._decoder_for(codec.payload_type)

    def _decoder_for(self, payload_type: int) -> Decoder:
        decoder = self._decoders.get(payload_type)
        if decoder is None:
            decoder = make_decoder(self._codecs[payload_type], self._rate)
            self._decoders[payload_type] = decoder
        return decoder

    def _push(self, packet: Packet, now: float) -> None:
        for item in self._order.push(packet, now):
            self._play(item, now)

    def _play(self, item: Item, now: float) -> None:
        if not self._pace.take(self._seconds(item), now):
            return
        match item:
            case Play(payload, payload_type):
                if payload_type in self._codecs:
                    self._emit(self._decode(payload, payload_type))
                elif payload_type == self._plan.comfort:
                    self._noise.hear(payload)
            case Conceal(units, following):
                self._emit(self._conceal(self._samples(units), following))
            case Silence(units):
                self._emit(self._noise.make(self._samples(units)))
            case Restart():
                self._noise.stop()
                self._decoder.reset()
            case _:
                assert_never(item)

    def _seconds(self, item: Item) -> float:
        match item:
            case Play(payload, payload_type):
                codec = self._codecs.get(payload_type)
                units = 0 if codec is None else codec.duration(payload)
            case Conceal(units, _) | Silence(units):
                pass
            case Restart():
                units = 0
            case _:
                assert_never(item)
        return units / self.codec.clock_rate

    def _decode(self, payload: bytes, payload_type: int) -> Samples:
        if self._noise.on:
            self._noise.stop()
        decoder = self._decoder
        if payload_type != self.codec.payload_type:
            # It was held back while the far end changed over.
            decoder = self._decoder_for(payload_type)
        try:
            return decoder.decode(payload)
        except OpusFault:
            self.refused += 1
            codec = self._codecs[payload_type]
            return self._conceal(self._samples(codec.duration(payload)), None)

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


def _ignore(packet: RtpPacket, now: float) -> None:
    pass
