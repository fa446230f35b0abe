"""RTP headers and the receiver's arithmetic (RFC 3550)."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

_HEADER = Struct("!BBHII")
_VERSION = 0x80


class RtpPacket(NamedTuple):
    """One packet, header extensions and padding removed.

    A tuple, because one is made for every packet: a frozen dataclass takes three times as long.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def pack(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool
) -> bytes:
    """One packet without extensions (RFC 3550 section 5.1)."""
    second = payload_type | 0x80 if marker else payload_type
    return _HEADER.pack(_VERSION, second, sequence, timestamp, ssrc) + payload


def parse(data: bytes) -> RtpPacket | None:
    """The packet, or None when lengths do not add up."""
    if len(data) < _HEADER.size:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first == _VERSION:
        return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[12:])
    start = _HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * (data[start + 2] << 8 | data[start + 3])
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if first & 0xC0 != _VERSION or end < start:
        return None
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[start:end])


class Reception:
    """Loss and jitter of one source, for receiver reports (RFC 3550 A.3 and A.8)."""

    def __init__(self, clock_rate: int) -> None:
        self.received = 0
        self._rate = clock_rate
        self._first = 0
        self._highest = 0
        self._cycles = 0
        self._transit: int | None = None
        self._jitter = 0.0
        self._expected_before = 0
        self._received_before = 0

    def add(self, sequence: int, timestamp: int, now: float) -> None:
        """Count one packet that arrived at ``now`` seconds."""
        self.add_untimed(sequence)
        transit = int(now * self._rate) - timestamp
        if self._transit is not None:
            change = abs((transit - self._transit + 0x80000000 & 0xFFFFFFFF) - 0x80000000)
            self._jitter += (change - self._jitter) / 16
        self._transit = transit

    def add_untimed(self, sequence: int) -> None:
        """Count one packet whose timestamp is not the time it was sent at."""
        if not self.received:
            self._first = self._highest = sequence
        self.received += 1
        ahead = (sequence - self._highest) & 0xFFFF
        if 0 < ahead < 0x8000:
            if sequence < self._highest:
                self._cycles += 1
            self._highest = sequence

    @property
    def highest(self) -> int:
        """Extended highest sequence number."""
        return self._cycles << 16 | self._highest

    @property
    def lost(self) -> int:
        """Packets that never came; negative when duplicates outnumber losses."""
        return self.highest - self._first + 1 - self.received if self.received else 0

    @property
    def jitter(self) -> int:
        """Interarrival jitter in clock units."""
        return int(self._jitter)

    def fraction_lost(self) -> int:
        """Share lost since the last call, in 256ths."""
        expected = self.highest - self._first + 1
        expected_now = expected - self._expected_before
        lost_now = expected_now - (self.received - self._received_before)
        self._expected_before, self._received_before = expected, self.received
        if expected_now <= 0 or lost_now <= 0:
            return 0
        return min(255, (lost_now << 8) // expected_now)
