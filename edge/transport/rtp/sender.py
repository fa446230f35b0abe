"""The way out: one frame of the playout per tick to RTP packets, or to none."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from edge.media import comfort
from edge.media.frames import FRAME_MS, frame_samples
from edge.media.playout import Playout
from edge.media.rates import FrameResampler
from edge.transport.rtp import packet as rtp
from edge.transport.rtp.codec import Codec, make_encoder
from edge.transport.rtp.plan import Plan, just

TRAILING_FRAMES = 5
"""Frames of silence after speech, so that the far decoder fades instead of guessing."""

COMFORT_TICKS = 50
"""Ticks between two comfort noise packets of one silence: they also keep a NAT's mapping."""

_PTIMES = range(10, 61, 10)


class EventPacket(NamedTuple):
    """One telephone event packet (RFC 4733): ``timestamp`` is that of the event's start."""

    payload_type: int
    timestamp: int
    payload: bytes
    marker: bool


class Events(Protocol):
    """Telephone events that wait to be sent; while one is, the playout waits."""

    @property
    def active(self) -> bool:
        """Whether this tick belongs to an event, or to the pause after it."""
        ...

    def tick(self, timestamp: int) -> EventPacket | None:
        """The packet of this 20 ms, which begins at ``timestamp`` of the RTP clock."""
        ...


class AudioSender:
    """Encodes what a playout holds; call ``tick`` once per 20 ms.

    When there is nothing to say it sends :data:`TRAILING_FRAMES` of silence and then nothing,
    while the RTP timestamp goes on; the first packet afterwards carries the marker bit (RFC 3551
    section 4.1). With ``continuous`` the silence is sent as well, as browsers and telephones do,
    or as comfort noise when the plan has it.

    Packets hold 20 ms. With another ``ptime`` the codecs whose payloads can be cut anywhere (all
    but Opus, whose receivers take any length) are cut to it: 10 ms go out in pairs, 30 ms in turns
    of 20 and 40 ms, 40 and 60 ms at every second and third tick.
    """

    def __init__(self, codec: Codec, playout: Playout, *, continuous: bool = False) -> None:
        self.ssrc = secrets.randbits(32)
        self.packets = 0
        self.octets = 0
        self.timestamp = secrets.randbits(32)
        """When the next frame begins, in clock units."""
        self.events: Events | None = None
        self._playout = playout
        self._continuous = continuous
        # The lower half leaves room before the first wrap, which SRTP must not see lost.
        self._sequence = secrets.randbits(15)
        self._trailing = 0
        self._quiet_ticks = 0
        self._marker = True
        self._pending = b""
        self._plan = just(codec)
        self._encoder = make_encoder(codec)
        self._begin(self._plan)

    def agree(self, plan: Plan) -> None:
        """Send as ``plan`` says from the next tick on; sequence, time and source go on."""
        if plan.send.name != self._plan.send.name:
            self._encoder.close()
            self._encoder = make_encoder(plan.send)
        self._begin(plan)

    def tick(self) -> Sequence[bytes]:
        """The packets of this 20 ms; most often one, and none when nothing is to be sent."""
        timestamp = self.timestamp
        self.timestamp = (timestamp + self._step) & 0xFFFFFFFF
        if self.events is not None and self.events.active:
            return self._event(self.events, timestamp)
        frame = self._playout.pull()
        if frame is not None:
            self._trailing = TRAILING_FRAMES
        elif self._trailing or (self._continuous and self._plan.comfort_out is None):
            self._trailing = max(0, self._trailing - 1)
            frame = self._silence
        else:
            return self._quiet(timestamp)
        self._quiet_ticks = 0
        payload = self._encoder.encode(self._resample(frame) if self._resample else frame)
        if not self._cut:
            return (self._pack(payload, timestamp),)
        return self._cut_up(payload, timestamp)

    def skip(self) -> None:
        """Let 20 ms pass in which nothing may be sent; the playout waits."""
        self.timestamp = (self.timestamp + self._step) & 0xFFFFFFFF
        self._pending = b""
        self._marker = True

    def close(self) -> None:
        """Free the encoder. No tick may follow."""
        self._encoder.close()

    def _begin(self, plan: Plan) -> None:
        self._plan = plan
        codec = plan.send
        self._payload_type = codec.payload_type
        self._step = codec.clock_rate * FRAME_MS // 1000
        self._cut = 0
        if codec.name != "opus" and plan.ptime != FRAME_MS and plan.ptime in _PTIMES:
            self._cut = codec.clock_rate * plan.ptime // 1000
        self._pending = b""
        self._silence = np.zeros(self._playout.frame, np.int16)
        self._resample: FrameResampler | None = None
        if self._playout.frame != frame_samples(codec.playout_rate):
            self._resample = FrameResampler(self._playout.rate, codec.playout_rate)

    def _event(self, events: Events, timestamp: int) -> Sequence[bytes]:
        before = self._flush()
        self._marker = True
        event = events.tick(timestamp)
        if event is None:
            return before
        packet = self._number(event.payload_type, event.timestamp, event.payload, event.marker)
        return (*before, packet)

    def _quiet(self, timestamp: int) -> Sequence[bytes]:
        before = self._flush()
        self._marker = True
        noise = self._plan.comfort_out
        due = self._quiet_ticks % COMFORT_TICKS == 0
        self._quiet_ticks += 1
        if noise is None or not self._continuous or not due:
            return before
        return (*before, self._number(noise, timestamp, comfort.packet(), False))

    def _cut_up(self, payload: bytes, timestamp: int) -> Sequence[bytes]:
        """A byte is a clock unit, whichever codec it is."""
        start = timestamp - len(self._pending)
        waiting = self._pending + payload
        whole = len(waiting) - len(waiting) % self._cut
        self._pending = waiting[whole:]
        return [
            self._pack(waiting[at : at + self._cut], start + at & 0xFFFFFFFF)
            for at in range(0, whole, self._cut)
        ]

    def _flush(self) -> Sequence[bytes]:
        """What waits for a packet to be full; nothing more comes to fill it."""
        if not self._pending:
            return ()
        start = self.timestamp - self._step - len(self._pending)
        waiting, self._pending = self._pending, b""
        return (self._pack(waiting, start & 0xFFFFFFFF),)

    def _pack(self, payload: bytes, timestamp: int) -> bytes:
        marker = self._marker
        self._marker = False
        return self._number(self._payload_type, timestamp, payload, marker)

    def _number(self, payload_type: int, timestamp: int, payload: bytes, marker: bool) -> bytes:
        sequence = self._sequence
        self._sequence = (sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return rtp.pack(payload_type, sequence, timestamp, self.ssrc, payload, marker=marker)
