"""Frames as a wire has them, made by hand: for tests of what reads them."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from pathlib import Path

from tests.system.wire.pcap import IPV4, TCP, UDP, Frame, Packet, packets

OWN, OTHER = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
NEAR, FAR = IPv4Address("10.16.0.10"), IPv4Address("10.32.0.10")


def tcp(
    data: bytes, sequence: int, *, flags: int = 0x18, ports: tuple[int, int] = (40_000, 9_000)
) -> bytes:
    """A segment (RFC 9293, 3.1)."""
    return struct.pack("!HHIIBBHHH", *ports, sequence & 0xFFFFFFFF, 1, 5 << 4, flags, 64, 0, 0) + (
        data
    )


def udp(data: bytes, ports: tuple[int, int] = (40_000, 9_000)) -> bytes:
    """A datagram (RFC 768)."""
    return struct.pack("!HHHH", *ports, 8 + len(data), 0) + data


def frame(
    body: bytes, protocol: int, *, offset: int = 0, more: bool = False, at: float = 0
) -> Frame:
    """A packet that leaves, or a fragment of one (RFC 791)."""
    flags = (0x2000 if more else 0) | offset // 8
    size = 20 + len(body)
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, size, 7, flags, 64, protocol, 0, NEAR.packed, FAR.packed
    )
    return Frame(at, OTHER + OWN + IPV4.to_bytes(2) + header + body)


def segments(*made: bytes) -> list[Packet]:
    """They leave one after the other."""
    return list(packets([frame(one, TCP) for one in made], OWN))


def datagrams(*made: bytes) -> list[Packet]:
    """They leave one after the other."""
    return list(packets([frame(udp(one), UDP) for one in made], OWN))


def write_pcap(
    path: Path, frames: list[Frame], *, order: str = "<", kept: int | None = None
) -> None:
    """As tcpdump writes them; ``kept`` bytes of each, where it was told to cut them."""
    data = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
    for one in frames:
        cut = one.data if kept is None else one.data[:kept]
        data += struct.pack(f"{order}IIII", int(one.at), 0, len(cut), len(one.data)) + cut
    path.write_bytes(data)
