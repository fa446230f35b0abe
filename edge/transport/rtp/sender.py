"""The way out: one frame of the playout per tick to one RTP packet, or to none."""

from __future__ import annotations

import secrets

import numpy as np

from edge.media.frames import FRAME_MS
from edge.media.playout import Playout
from edge.transport.rtp import packet as rtp
from edge.transport.rtp.codec import Codec, make_encoder

TRAILING_FRAMES = 5
"""Frames of silence after speech, so that the far decoder fades instead of guessing."""


class AudioSender:
    """Encodes what a playout holds; call ``tick`` once per 20 ms.

    When there is nothing to say it sends :data:`TRAILING_FRAMES` of silence and then nothing,
    while the RTP timestamp goes on; the first packet afterwards carries the marker bit (RFC 3551
    section 4.1). With ``continuous`` the silence is sent as well, as browsers do.
    """

    def __init__(self, codec: Codec, playout: Playout, *, continuous: bool = False) -> None:
        self.ssrc = secrets.randbits(32)
        self.packets = 0
        self.octets = 0
        self.timestamp = secrets.randbits(32)
        self._codec = codec
        self._playout = playout
        self._continuous = continuous
        self._encoder = make_encoder(codec)
        self._step = codec.clock_rate * FRAME_MS // 1000
        self._silence = np.zeros(playout.frame, np.int16)
        # The lower half leaves room before the first wrap, which SRTP must not see lost.
        self._sequence = secrets.randbits(15)
        self._trailing = 0
        self._marker = True

    def tick(self) -> bytes | None:
        """The packet of this 20 ms, or None when nothing is to be sent."""
        frame = self._playout.pull()
        timestamp = self.timestamp
        self.timestamp = (timestamp + self._step) & 0xFFFFFFFF
        if frame is not None:
            self._trailing = TRAILING_FRAMES
        elif self._trailing or self._continuous:
            self._trailing = max(0, self._trailing - 1)
            frame = self._silence
        else:
            self._marker = True
            return None
        payload = self._encoder.encode(frame)
        packet = rtp.pack(
            self._codec.payload_type,
            self._sequence,
            timestamp,
            self.ssrc,
            payload,
            marker=self._marker,
        )
        self._marker = False
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return packet

    def close(self) -> None:
        """Free the encoder. No tick may follow."""
        self._encoder.close()
