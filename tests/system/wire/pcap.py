"""What tcpdump wrote: Ethernet frames, and the IPv4 packets in them with fragments put together."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

IPV4, ARP = 0x0800, 0x0806
MARK = 0x88B5
"""For local experiments (IEEE 802): the frames by which a test tells how far a capture has come."""
ICMP, TCP, UDP = 1, 6, 17
_ETHERNET = 1
"""LINKTYPE_ETHERNET."""
_MAGIC = {0xA1B2C3D4: 1e-6, 0xA1B23C4D: 1e-9}


class NotACapture(Exception):
    """The file is not what tcpdump writes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One Ethernet frame. ``at`` is seconds since the epoch."""

    at: float
    data: bytes

    @property
    def source(self) -> bytes:
        """The sender's address on the wire, six bytes."""
        return self.data[6:12]

    @property
    def kind(self) -> int:
        """EtherType."""
        return int.from_bytes(self.data[12:14])

    @property
    def payload(self) -> bytes:
        return self.data[14:]


@dataclass(frozen=True, slots=True)
class Packet:
    """One IPv4 packet. ``size`` is what it took on the wire: every fragment with its header."""

    at: float
    leaving: bool
    source: IPv4Address
    target: IPv4Address
    protocol: int
    payload: bytes
    size: int

    @property
    def ports(self) -> tuple[int, int]:
        """Source and destination of TCP or UDP; zeros for anything else."""
        if self.protocol not in (TCP, UDP) or len(self.payload) < 4:
            return (0, 0)
        return int.from_bytes(self.payload[:2]), int.from_bytes(self.payload[2:4])


def read_frames(path: Path) -> list[Frame]:
    """All whole frames; what tcpdump is in the middle of writing is left out.

    Raises ``NotACapture``, also for a frame that was not captured whole.
    """
    data = path.read_bytes()
    if len(data) < 24:
        return []
    order, unit = _header(data, path)
    at, found = 24, []
    while at + 16 <= len(data):
        seconds, fraction, kept, length = struct.unpack_from(f"{order}IIII", data, at)
        if kept != length:
            raise NotACapture(f"{path}: a frame of {length} bytes was cut to {kept}")
        if at + 16 + kept > len(data):
            break
        found.append(Frame(seconds + fraction * unit, data[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return found


def _header(data: bytes, path: Path) -> tuple[str, float]:
    for order in ("<", ">"):
        magic, *_, link = struct.unpack_from(f"{order}IHHiIII", data)
        if magic in _MAGIC:
            if link != _ETHERNET:
                raise NotACapture(f"{path}: link type {link} is not Ethernet")
            return order, _MAGIC[magic]
    raise NotACapture(f"{path}: not a pcap file")


def packets(frames: Iterable[Frame], own: bytes) -> Iterator[Packet]:
    """The IPv4 packets; those from the address ``own`` leave. A fragment whose others are missing
    comes last, alone, so that nothing of it is passed over."""
    waiting: dict[tuple[bytes, bytes], list[tuple[Frame, int, bool]]] = {}
    for frame in frames:
        if frame.kind != IPV4 or len(frame.payload) < 20:
            continue
        header = frame.payload
        flags = int.from_bytes(header[6:8])
        offset, more = (flags & 0x1FFF) * 8, bool(flags & 0x2000)
        if not offset and not more:
            yield _packet(frame, own, _body(header), len(_whole(header)))
            continue
        key = (frame.source, header[4:6] + header[9:10] + header[12:20])
        waiting.setdefault(key, []).append((frame, offset, more))
        parts = waiting[key]
        if (together := _together(parts)) is not None:
            del waiting[key]
            size = sum(len(_whole(part.payload)) for part, _, _ in parts)
            yield _packet(parts[0][0], own, together, size)
    for parts in waiting.values():
        for frame, _, _ in parts:
            yield _packet(frame, own, _body(frame.payload), len(_whole(frame.payload)))


def _packet(frame: Frame, own: bytes, body: bytes, size: int) -> Packet:
    header = frame.payload
    source, target = IPv4Address(header[12:16]), IPv4Address(header[16:20])
    return Packet(frame.at, frame.source == own, source, target, header[9], body, size)


def _whole(header: bytes) -> bytes:
    """Without the padding of short Ethernet frames. A length of 0 is a frame beyond 64 KiB that the
    sender's interface was to cut (TSO)."""
    length = int.from_bytes(header[2:4])
    return header[:length] if length else header


def _body(header: bytes) -> bytes:
    return _whole(header)[(header[0] & 0x0F) * 4 :]


def _together(parts: list[tuple[Frame, int, bool]]) -> bytes | None:
    """The payload when no part of it is missing (RFC 791, 3.2)."""
    body = b""
    for frame, offset, more in sorted(parts, key=lambda part: part[1]):
        if offset > len(body):
            return None
        body = body[:offset] + _body(frame.payload)
        if not more:
            return body
    return None
