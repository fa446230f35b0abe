"""From RTP packets as they arrive to what the listener hears, in order and in time.

Pure: packets and the time go in, items come out. Lengths are in units of the RTP clock. The
listener's timeline follows the RTP timestamps: a pause in which the sender transmitted nothing
(DTX) becomes silence of the same length, a loss becomes concealment, and while nothing arrives at
all silence is made as time passes, so that the end of a turn is noticed during it and not after.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

DEPTH = 3
"""Packets held back while an earlier one is missing, before that one is given up."""

HOLD = 0.06
"""Seconds the held packets wait when no more arrive."""

GRACE_DTX = 0.05
"""Seconds past its due time that a packet may be missing when the one before announced a pause."""

GRACE = 0.12
"""The same when it did not: jitter, a stall, or a sender that stops without notice."""

MAX_CONCEAL = 0.12
"""Longest loss that is concealed, in seconds; the rest of it is silence."""

MAX_FILL = 1.0
"""Longest gap that is filled at once, in seconds; beyond that the timeline starts anew."""

MAX_DROPOUT = 3000
"""Largest jump ahead in sequence numbers that is a loss and not a restart (RFC 3550 A.1)."""

MAX_MISORDER = 100
"""Largest jump back that is a late packet and not a restart (RFC 3550 A.1)."""

DTX_BYTES = 2
"""An Opus packet this short says that a pause begins (RFC 7587 section 3.1.3)."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What the buffer needs of an RTP packet. ``duration`` is in RTP clock units.

    A ``duration`` of 0 is comfort noise: a pause begins. With ``timed`` False the packet has its
    place among the sequence numbers and nothing to be heard, as a telephone event, whose timestamp
    is that of its start (RFC 4733 section 2.3.2).
    """

    ssrc: int
    sequence: int
    timestamp: int
    payload: bytes
    duration: int
    payload_type: int = 0
    timed: bool = True


@dataclass(frozen=True, slots=True)
class Play:
    """Decode this packet."""

    payload: bytes
    payload_type: int = 0


@dataclass(frozen=True, slots=True)
class Conceal:
    """``units`` were lost; ``following`` is the next packet if the loss ends right before it and
    it is audio."""

    units: int
    following: bytes | None


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody spoke for ``units``."""

    units: int


@dataclass(frozen=True, slots=True)
class Restart:
    """Another stream begins: forget the decoder's state."""


Item: TypeAlias = Play | Conceal | Silence | Restart


@dataclass(slots=True)
class Counts:
    """What happened to the packets of a call."""

    received: int = 0
    lost: int = 0
    late: int = 0
    duplicate: int = 0
    restarts: int = 0


class ReorderBuffer:
    """Order, loss and time of one RTP stream with a clock of ``clock_rate`` Hz.

    ``push`` and ``poll`` take the time in seconds of any monotonic clock. Between two calls of
    ``poll`` at most 20 ms should pass.
    """

    def __init__(self, clock_rate: int, *, depth: int = DEPTH) -> None:
        self.counts = Counts()
        self._rate = clock_rate
        self._depth = depth
        self._frame = clock_rate // 50
        self._longest_gap = round(MAX_FILL * clock_rate)
        self._held: dict[int, tuple[Packet, float]] = {}
        self._ssrc: int | None = None
        self._next_sequence = 0
        self._position = 0
        self._due = 0.0
        self._pausing = False
        self._suspect: int | None = None

    def in_order(self, ssrc: int, sequence: int, timestamp: int, duration: int, now: float) -> bool:
        """Take note of a packet if it can be heard at once and nothing else can; it must be audio
        that announces no pause.

        A short cut for nearly all packets of a good network; after False the packet is to be given
        to ``push``, after True not.
        """
        if sequence != self._next_sequence or ssrc != self._ssrc or self._held:
            return False
        gap = (timestamp - self._position + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        if not -self._longest_gap <= gap <= 0:
            return False
        self.counts.received += 1
        self._suspect = None
        self._next_sequence = (sequence + 1) & 0xFFFF
        self._position = (self._position + duration) & 0xFFFFFFFF
        self._due = now + duration / self._rate
        self._pausing = False
        return True

    def forget(self) -> None:
        """Begin anew with the next packet, as if it were the first; the counts stay."""
        self._ssrc = None
        self._held.clear()

    def push(self, packet: Packet, now: float) -> list[Item]:
        """Take one packet; returns what can be heard now."""
        self.counts.received += 1
        if self._ssrc is None or packet.ssrc != self._ssrc:
            return self._restart(packet, now)
        ahead = (packet.sequence - self._next_sequence) & 0xFFFF
        if ahead == 0:
            self._suspect = None
            return [*self._take(packet, now, lost=0), *self._release(now)]
        if ahead < MAX_DROPOUT:
            self._suspect = None
            return self._hold(packet, now)
        if ahead >= 0x10000 - MAX_MISORDER:
            self.counts.late += 1
            return []
        if packet.sequence == self._suspect:
            return self._restart(packet, now)
        # One odd packet proves nothing; two in a row are a sender that began again (RFC 3550 A.1).
        self._suspect = (packet.sequence + 1) & 0xFFFF
        return []

    def poll(self, now: float) -> list[Item]:
        """Let time pass; returns what can be heard without another packet."""
        if self._ssrc is None:
            return []
        overdue: list[Item] = []
        while self._held and now - min(since for _, since in self._held.values()) >= HOLD:
            overdue += self._skip(now)
        if overdue:
            return overdue
        grace = GRACE_DTX if self._pausing else GRACE
        if self._held or now < self._due + grace:
            return []
        units = min(int((now - grace - self._due) * self._rate) + 1, self._frame * 5)
        frames = max(1, units // self._frame)
        self._position = (self._position + frames * self._frame) & 0xFFFFFFFF
        self._due = max(self._due + frames * 0.02, now - grace - MAX_FILL)
        # Once silence has begun there is nothing more to wait for.
        self._pausing = True
        return [Silence(frames * self._frame)]

    def _restart(self, packet: Packet, now: float) -> list[Item]:
        first = self._ssrc is None
        flushed = [] if first else list(self._drain(now))
        self._ssrc = packet.ssrc
        self._suspect = None
        self._next_sequence = packet.sequence
        self._position = packet.timestamp
        if first:
            return list(self._take(packet, now, lost=0))
        self.counts.restarts += 1
        return [*flushed, Restart(), *self._take(packet, now, lost=0)]

    def _hold(self, packet: Packet, now: float) -> list[Item]:
        if packet.sequence in self._held:
            self.counts.duplicate += 1
            return []
        self._held[packet.sequence] = (packet, now)
        return list(self._skip(now)) if len(self._held) >= self._depth else []

    def _drain(self, now: float) -> Iterator[Item]:
        while self._held:
            yield from self._skip(now)

    def _skip(self, now: float) -> Iterator[Item]:
        """Give up the packets before the first held one, then release what follows it."""
        sequence = min(self._held, key=lambda held: (held - self._next_sequence) & 0xFFFF)
        lost = (sequence - self._next_sequence) & 0xFFFF
        self.counts.lost += lost
        packet, _ = self._held.pop(sequence)
        yield from self._take(packet, now, lost=lost)
        yield from self._release(now)

    def _release(self, now: float) -> Iterator[Item]:
        while (held := self._held.pop(self._next_sequence, None)) is not None:
            yield from self._take(held[0], now, lost=0)

    def _take(self, packet: Packet, now: float, *, lost: int) -> Iterator[Item]:
        self._next_sequence = (packet.sequence + 1) & 0xFFFF
        if not packet.timed:
            self._pausing = True
            return
        gap = (packet.timestamp - self._position + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        if abs(gap) > self._longest_gap:
            gap = 0
            self._position = packet.timestamp
        if gap > 0:
            yield from self._fill(gap, packet, lost)
            self._position = packet.timestamp
        # With a negative gap more silence was made than the sender paused: the packet is played
        # all the same, and the next pause is shorter by that much.
        yield Play(packet.payload, packet.payload_type)
        self._position = (self._position + packet.duration) & 0xFFFFFFFF
        self._due = now + packet.duration / self._rate
        self._pausing = not packet.duration or len(packet.payload) <= DTX_BYTES

    def _fill(self, gap: int, packet: Packet, lost: int) -> Iterator[Item]:
        if not lost:
            yield Silence(gap)
            return
        unit = packet.duration or self._frame
        concealed = min(gap // unit, lost, int(MAX_CONCEAL * self._rate) // unit)
        # What is recovered from the packet after a loss is the speech right before that packet.
        silence = gap - concealed * unit
        if concealed > 1:
            yield Conceal((concealed - 1) * unit, None)
        if silence:
            yield Silence(silence)
        if concealed:
            yield Conceal(unit, packet.payload if packet.duration else None)
