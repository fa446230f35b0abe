"""Packets put together to what was said: TCP streams (RFC 9293) and the datagrams of each flow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from tests.system.wire.pcap import ICMP, TCP, UDP, Packet

FIN, SYN, RST = 1, 2, 4
FURTHEST = 1 << 26
"""Bytes ahead of the first at which a segment belongs to another stream: captures are smaller."""
NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of a flow."""

    protocol: int
    source: IPv4Address
    source_port: int
    target: IPv4Address
    target_port: int
    leaving: bool

    @classmethod
    def of(cls, packet: Packet) -> Way:
        source, target = packet.ports
        return cls(packet.protocol, packet.source, source, packet.target, target, packet.leaving)

    def __str__(self) -> str:
        name = NAMES.get(self.protocol, f"protocol {self.protocol}")
        return f"{name} {self.source}:{self.source_port} > {self.target}:{self.target_port}"


@dataclass(slots=True)
class Flow:
    """What was sent that way: stretches of a stream, or datagrams one by one."""

    way: Way
    packets: list[Packet] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of its IPv4 packets, headers included."""
        return sum(packet.size for packet in self.packets)

    @property
    def streams(self) -> list[bytes]:
        """Of TCP, every stretch without a hole, in order; of anything else, all of it in a row."""
        if self.way.protocol == TCP:
            return [stretch for one in _connections(self.packets) for stretch in _stretches(one)]
        return [b"".join(self.datagrams)]

    @property
    def datagrams(self) -> list[bytes]:
        """The payload of each UDP datagram; everything of protocols without ports."""
        skip = 8 if self.way.protocol == UDP else 0
        return [packet.payload[skip:] for packet in self.packets if packet.payload[skip:]]


def flows(found: Iterable[Packet]) -> list[Flow]:
    """Every flow, each direction by itself, in order of appearance."""
    ways: dict[Way, Flow] = {}
    for packet in found:
        way = Way.of(packet)
        ways.setdefault(way, Flow(way)).packets.append(packet)
    return list(ways.values())


def _connections(found: list[Packet]) -> list[list[tuple[int, bytes]]]:
    """Segments with data (sequence number, bytes), a list for each use of the ports."""
    all_of_them: list[list[tuple[int, bytes]]] = [[]]
    begun: int | None = None
    for packet in found:
        segment = packet.payload
        if len(segment) < 20:
            continue
        sequence, flags = int.from_bytes(segment[4:8]), segment[13]
        if flags & SYN:
            if begun not in (None, sequence):
                all_of_them.append([])
            begun = sequence
            sequence = sequence + 1 & 0xFFFFFFFF
        data = segment[(segment[12] >> 4) * 4 :]
        if data:
            all_of_them[-1].append((sequence, data))
    return all_of_them


def _stretches(segments: list[tuple[int, bytes]]) -> list[bytes]:
    """In the order of sequence numbers; what came first stays where segments overlap."""
    if not segments:
        return []
    base = segments[0][0]
    # Stable: of two segments at one place the one that came first stays.
    placed = sorted(((_ahead(at, base), data) for at, data in segments), key=lambda one: one[0])
    found: list[bytearray] = []
    end: int | None = None
    for offset, data in placed:
        if end is None or offset > end:
            found.append(bytearray(data))
            end = offset + len(data)
        elif offset + len(data) > end:
            found[-1] += data[end - offset :]
            end = offset + len(data)
    return [bytes(stretch) for stretch in found]


def _ahead(sequence: int, base: int) -> int:
    """How many bytes after ``base``; a little before it is negative (a segment that was late)."""
    ahead = sequence - base & 0xFFFFFFFF
    return ahead if ahead < FURTHEST else ahead - (1 << 32)
