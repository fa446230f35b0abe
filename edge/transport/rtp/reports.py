"""RTCP (RFC 3550 section 6): what we report once a second, and what we learn from the far end."""

from __future__ import annotations

from aiortc.rtp import (
    RtcpByePacket,
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    clamp_packets_lost,
)

from edge.transport.rtp.receiver import AudioReceiver
from edge.transport.rtp.sender import AudioSender

_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""

_CNAME = 1


class Reporter:
    """Compound RTCP for one sender and one receiver; either may be missing on the wire."""

    def __init__(self, sender: AudioSender, receiver: AudioReceiver) -> None:
        self._sender = sender
        self._receiver = receiver
        self._sent_before = 0
        self._last_sr = 0
        self._last_sr_at = 0.0
        self.round_trip: float | None = None
        """Seconds, from the far end's latest report."""

    def report(self, now: float, wall: float) -> bytes:
        """The compound packet for this interval: SR when we sent since the last one, else RR."""
        sender = self._sender
        blocks = self._blocks(now)
        packets: list[object] = []
        if sender.packets != self._sent_before:
            self._sent_before = sender.packets
            info = RtcpSenderInfo(
                ntp_timestamp=ntp(wall),
                rtp_timestamp=sender.timestamp,
                packet_count=sender.packets & 0xFFFFFFFF,
                octet_count=sender.octets & 0xFFFFFFFF,
            )
            packets.append(RtcpSrPacket(ssrc=sender.ssrc, sender_info=info, reports=blocks))
        else:
            packets.append(RtcpRrPacket(ssrc=sender.ssrc, reports=blocks))
        packets.append(self._name())
        return b"".join(bytes(packet) for packet in packets)  # type: ignore[call-overload]

    def goodbye(self, now: float) -> bytes:
        """The last compound packet (RFC 3550 section 6.6)."""
        receiver = RtcpRrPacket(ssrc=self._sender.ssrc, reports=self._blocks(now))
        bye = RtcpByePacket(sources=[self._sender.ssrc])
        return bytes(receiver) + bytes(self._name()) + bytes(bye)

    def received(self, data: bytes, now: float, wall: float) -> None:
        """Take a compound packet; one that does not parse is ignored.

        Nothing is kept of it but three numbers, whatever it holds.
        """
        try:
            packets = RtcpPacket.parse(data)
        except (ValueError, IndexError):
            return
        for packet in packets:
            if isinstance(packet, RtcpSrPacket) and packet.ssrc == self._receiver.ssrc:
                self._last_sr = packet.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF
                self._last_sr_at = now
            if isinstance(packet, RtcpSrPacket | RtcpRrPacket):
                for block in packet.reports:
                    if block.ssrc == self._sender.ssrc and block.lsr:
                        middle = ntp(wall) >> 16 & 0xFFFFFFFF
                        passed = (middle - block.lsr - block.dlsr) & 0xFFFFFFFF
                        if passed < 0x80000000:
                            self.round_trip = passed / 65536

    def _blocks(self, now: float) -> list[RtcpReceiverInfo]:
        reception = self._receiver.reception
        if not reception.received:
            return []
        delay = int((now - self._last_sr_at) * 65536) if self._last_sr else 0
        return [
            RtcpReceiverInfo(
                ssrc=self._receiver.ssrc,
                fraction_lost=reception.fraction_lost(),
                packets_lost=clamp_packets_lost(reception.lost),
                highest_sequence=reception.highest & 0xFFFFFFFF,
                jitter=reception.jitter & 0xFFFFFFFF,
                lsr=self._last_sr,
                dlsr=max(0, min(delay, 0xFFFFFFFF)),
            )
        ]

    def _name(self) -> RtcpSdesPacket:
        item = RtcpSourceInfo(ssrc=self._sender.ssrc, items=[(_CNAME, b"inland")])
        return RtcpSdesPacket(chunks=[item])


def ntp(wall: float) -> int:
    """64-bit NTP timestamp of ``wall`` seconds since 1970 (RFC 3550 section 4)."""
    return int((wall + _NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
