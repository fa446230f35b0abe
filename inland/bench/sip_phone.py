"""A telephone that costs almost nothing: encoded packets out, packets counted and never decoded."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Sequence

from aiortc.rtp import RtcpSdesPacket, RtcpSenderInfo, RtcpSourceInfo, RtcpSrPacket

from edge.media.frames import FRAME_MS
from edge.transport.rtp import packet as rtp
from edge.transport.rtp.codec import Codec, CodecName
from edge.transport.rtp.reports import ntp
from edge.transport.sip.core.flow import Address
from edge.transport.sip.media import negotiate
from edge.transport.sip.media.agreement import Agreed, LocalMedia, MediaPolicy
from edge.transport.sip.media.poll import SocketPoll
from edge.transport.sip.media.ports import PortPair
from edge.transport.sip.media.srtp import Srtp
from inland.bench.light_caller import TIMESTAMPNS, stamp_of
from inland.bench.serving import HOST

SUITE = "AES_CM_128_HMAC_SHA1_80"
"""What every phone that encrypts has (RFC 4568 section 6.2)."""
REPORT_TICKS = 250
"""Ticks of 20 ms between two RTCP reports: the usual five seconds (RFC 3550 section 6.2)."""
_BATCH = 16
_CNAME = 1


class LightPhone:
    """The media of one call: ``offer``, ``answered``, then ``tick`` every 20 ms, ``close``."""

    def __init__(
        self, pair: PortPair, poll: SocketPoll, packets: Sequence[bytes], start: int
    ) -> None:
        self.pair = pair
        self.gaps: list[float] = []
        self.received = 0
        self.sent = 0
        self.lost = 0
        self.proven = False
        """Whether a packet of the server's has authenticated, or need not."""
        self._poll = poll
        self._packets = packets
        self._next = start % len(packets)
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(15)
        self._timestamp = secrets.randbits(32)
        self._ticks = start
        self._to: Address | None = None
        self._rtcp_to: Address | None = None
        self._codec = Codec("pcmu", 0)
        self._step = 0
        self._srtp: Srtp | None = None
        self._last: tuple[float, int, int] | None = None
        pair.rtp.setsockopt(socket.SOL_SOCKET, TIMESTAMPNS, 1)
        poll.add(pair.rtp, self._drain)
        poll.add(pair.rtcp, self._drain_reports)

    def offer(self, codec: CodecName, *, srtp: bool) -> bytes:
        """The SDP offer."""
        policy = MediaPolicy(codecs=(codec,), srtp="required" if srtp else "off")
        local = LocalMedia(HOST, self.pair.port, self.pair.port + 1)
        sdp, self._offered = negotiate.offer(local, policy)
        lines = sdp.split(b"\r\n")
        return b"\r\n".join(
            line for line in lines if not line.startswith(b"a=crypto") or SUITE.encode() in line
        )

    def answered(self, sdp: bytes) -> None:
        """Take the server's answer. Raises ``OfferError``."""
        agreed: Agreed = negotiate.accept(self._offered, sdp)
        self._to, self._rtcp_to = agreed.remote, agreed.remote_rtcp
        self._codec = agreed.codec
        self._step = agreed.codec.clock_rate * FRAME_MS // 1000
        self._srtp = Srtp(agreed.crypto) if agreed.crypto is not None else None

    def begin(self) -> None:
        """Count from now on."""
        self.received = self.sent = self.lost = 0
        self.gaps.clear()
        self._last = None
        self.proven = self._srtp is None

    def tick(self) -> None:
        """Send one packet, and now and then a report."""
        if self._to is None:
            return
        payload = self._packets[self._next]
        self._next = (self._next + 1) % len(self._packets)
        plain = rtp.pack(
            self._codec.payload_type,
            self._sequence,
            self._timestamp,
            self._ssrc,
            payload,
            marker=False,
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + self._step) & 0xFFFFFFFF
        packet = plain if self._srtp is None else self._srtp.protect(plain)
        self.sent += packet is not None and _sent(self.pair.rtp, packet, self._to)
        self._ticks += 1
        if self._ticks % REPORT_TICKS == 0 and self._rtcp_to is not None:
            report = self._report()
            if self._srtp is not None:
                report = self._srtp.protect_rtcp(report) or b""
            muxed = self._rtcp_to == self._to
            _sent(self.pair.rtp if muxed else self.pair.rtcp, report, self._rtcp_to)

    def close(self) -> None:
        """Listen no more; the sockets are whose the pair is."""
        self._to = None
        self._poll.remove(self.pair.rtp)
        self._poll.remove(self.pair.rtcp)

    def _report(self) -> bytes:
        info = RtcpSenderInfo(
            ntp_timestamp=ntp(time.time()),
            rtp_timestamp=self._timestamp,
            packet_count=self.sent & 0xFFFFFFFF,
            octet_count=self.sent * len(self._packets[0]) & 0xFFFFFFFF,
        )
        name = RtcpSourceInfo(ssrc=self._ssrc, items=[(_CNAME, b"bench")])
        report = RtcpSrPacket(ssrc=self._ssrc, sender_info=info, reports=[])
        return bytes(report) + bytes(RtcpSdesPacket(chunks=[name]))

    def _drain(self) -> None:
        for _ in range(_BATCH):
            try:
                data, ancillary, _, _ = self.pair.rtp.recvmsg(2048, 64)
            except OSError:
                return
            if len(data) >= 12 and not 192 <= data[1] <= 223:
                self._count(data, stamp_of(ancillary))

    def _drain_reports(self) -> None:
        for _ in range(_BATCH):
            try:
                self.pair.rtcp.recv(2048)
            except OSError:
                return

    def _count(self, data: bytes, at: float) -> None:
        """Headers are in clear under SRTP; one packet of a window is opened as a proof."""
        if self._srtp is not None and not self.proven:
            self.proven = self._srtp.unprotect(data, at) is not None
        self.received += 1
        sequence, timestamp = data[2] << 8 | data[3], int.from_bytes(data[4:8], "big")
        if self._last is not None:
            before, last_sequence, last_timestamp = self._last
            if (timestamp - last_timestamp) & 0xFFFFFFFF == self._step:
                self.gaps.append(at - before)
            missing = (sequence - last_sequence - 1) & 0xFFFF
            self.lost += missing if missing < 0x8000 else 0
        self._last = (at, sequence, timestamp)


def _sent(one: socket.socket, packet: bytes, to: Address) -> bool:
    try:
        one.sendto(packet, to)
    except OSError:
        return False
    return True
