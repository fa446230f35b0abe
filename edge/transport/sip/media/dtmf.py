"""Keys as telephone events in RTP (RFC 4733), both ways. Sans-IO."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable

from edge.media.frames import FRAME_MS
from edge.transport.rtp.budget import Budget
from edge.transport.rtp.packet import RtpPacket
from edge.transport.rtp.sender import EventPacket

DIGITS = "0123456789*#ABCD"
"""In the order of their event codes (RFC 4733 section 3.2). Code 16 is a flash hook, which says
nothing to an agent; higher ones are tones of machines."""

MISSING_END = 0.2
"""Seconds without another packet after which a key counts as released: four lost updates of the
slowest usual sender."""

DIGITS_PER_SECOND = 10
DIGITS_BURST = 32
"""Keys that are reported. Nobody presses faster; a dialler that sends a number at once may."""

_UPDATES = 5
"""Ticks that a key of ours is held: 100 ms."""

_PAUSE = 3
"""Ticks between two of them, beside those that repeat the end: 120 ms in all."""

MAX_QUEUED = 64
"""Keys of ours that wait."""

_END = 0x80
_ENDS = 3
"""How often the last packet is sent, for it must not be lost (RFC 4733 section 2.5.1.4)."""

_VOLUME = 10
"""-10 dBm0, the usual loudness of a key."""

_LONGEST = 0xFFFF
"""Clock units of one event; a longer one goes on as another (RFC 4733 section 2.5.1.3)."""

_REMEMBERED = 16
_BODY = struct.Struct("!BBH")


class DigitReceiver:
    """Event packets of one far end to keys.

    ``on_digit`` is called once per key with the key and its length in seconds, when it is released:
    at its end packet, when another key follows, or :data:`MISSING_END` after its last packet. So a
    key is known when any one of its packets arrives.
    """

    def __init__(self, on_digit: Callable[[str, float], None]) -> None:
        self.refused = 0
        """Packets that are no key's, and keys that came too fast."""
        self._on_digit = on_digit
        self._clock_rate = 8_000
        self._pressed: tuple[int, int] | None = None
        """Source and timestamp of the key that is held."""
        self._code = 0
        self._duration = 0
        self._before = 0
        """Clock units of the segments before this one."""
        self._heard_at = 0.0
        self._done: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        self._budget = Budget(DIGITS_PER_SECOND, DIGITS_BURST)

    def agree(self, clock_rate: int) -> None:
        """Durations count in units of ``clock_rate`` Hz."""
        self._clock_rate = clock_rate

    def packet(self, packet: RtpPacket, now: float) -> None:
        """Take one event packet. Only its first event is read: nobody sends several in one."""
        if len(packet.payload) < _BODY.size:
            self.refused += 1
            return
        code, flags, duration = _BODY.unpack_from(packet.payload)
        if code >= len(DIGITS):
            self.refused += 1
            return
        event = (packet.ssrc, packet.timestamp)
        if event in self._done:
            return
        if self._pressed is not None and event != self._pressed:
            if self._older(event):
                return
            if self._continues(event, code):
                self._before += _LONGEST
                self._duration = 0
                self._done.append(self._pressed)
                self._pressed = event
            else:
                self._release(now)
        if self._pressed is None:
            self._pressed, self._code = event, code
            self._duration = self._before = 0
        self._duration = max(self._duration, duration)
        self._heard_at = now
        if flags & _END:
            self._release(now)

    def tick(self, now: float) -> None:
        """Let time pass; call it every 20 ms or so."""
        if self._pressed is not None and now - self._heard_at >= MISSING_END:
            self._release(now)

    def _older(self, event: tuple[int, int]) -> bool:
        assert self._pressed is not None
        return event[0] == self._pressed[0] and (event[1] - self._pressed[1]) & 0x80000000 != 0

    def _continues(self, event: tuple[int, int], code: int) -> bool:
        assert self._pressed is not None
        passed = (event[1] - self._pressed[1]) & 0xFFFFFFFF
        return code == self._code and event[0] == self._pressed[0] and passed == _LONGEST

    def _release(self, now: float) -> None:
        if self._pressed is None:
            return
        self._done.append(self._pressed)
        self._pressed = None
        if self._budget.take(1, now):
            self._on_digit(DIGITS[self._code], (self._before + self._duration) / self._clock_rate)
        else:
            self.refused += 1


class DigitSender:
    """Keys of ours, one after the other; implements ``edge.transport.rtp.sender.Events``.

    Each has one timestamp, a marker on its first packet, an update every 20 ms with the duration so
    far, and its last packet three times.
    """

    def __init__(self) -> None:
        self._payload_type: int | None = None
        self._step = 160
        self._queue: deque[int] = deque()
        self._ticks = 0
        self._start = 0

    def agree(self, payload_type: int | None, clock_rate: int) -> None:
        """Send as ``payload_type`` with durations in units of ``clock_rate`` Hz; None: do not."""
        self._payload_type = payload_type
        self._step = clock_rate * FRAME_MS // 1000
        if payload_type is None:
            self._queue.clear()
            self._ticks = 0

    @property
    def agreed(self) -> bool:
        """Whether the far end takes keys."""
        return self._payload_type is not None

    def press(self, digits: str) -> None:
        """Queue keys. Raises ``ValueError`` for what is no key, for too many, and when the far end
        takes none; then none of them is sent."""
        codes = [DIGITS.find(digit) for digit in digits.upper()]
        if -1 in codes:
            raise ValueError("only 0 to 9, *, # and A to D are keys")
        if self._payload_type is None:
            raise ValueError("the far end takes no keys")
        if len(self._queue) + len(codes) > MAX_QUEUED:
            raise ValueError(f"more than {MAX_QUEUED} keys wait")
        self._queue += codes

    @property
    def active(self) -> bool:
        """See ``Events``."""
        return bool(self._queue)

    def tick(self, timestamp: int) -> EventPacket | None:
        """See ``Events``."""
        if not self._queue or self._payload_type is None:
            return None
        number = self._ticks
        self._ticks += 1
        if number == 0:
            self._start = timestamp
        if number >= _UPDATES + _ENDS:
            if number == _UPDATES + _ENDS + _PAUSE - 1:
                self._queue.popleft()
                self._ticks = 0
            return None
        flags = _VOLUME if number < _UPDATES else _VOLUME | _END
        duration = min(number + 1, _UPDATES) * self._step
        payload = _BODY.pack(self._queue[0], flags, duration)
        return EventPacket(self._payload_type, self._start, payload, number == 0)
