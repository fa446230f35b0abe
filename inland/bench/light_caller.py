"""A caller that costs almost nothing: encoded packets out, packets counted and never decoded."""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Sequence

from aiortc import RTCCertificate

from edge.clock import Clock
from edge.leg import LegError
from edge.media.frames import FRAME_MS
from edge.transport.rtp import packet as rtp
from edge.transport.rtp.codec import OPUS_CLOCK, Codec
from edge.transport.webrtc import sdp, sdp_text
from edge.transport.webrtc.peer import Peer
from edge.transport.webrtc.udpmux import UdpMux
from inland.bench.serving import HOST

CONNECT_SECONDS = 20.0
STEP = OPUS_CLOCK * FRAME_MS // 1000
"""RTP clock units of one packet (RFC 7587 section 4.1)."""

TIMESTAMPNS = 35
"""SO_TIMESTAMPNS and SCM_TIMESTAMPNS of Linux (socket(7)); Python has no name for them."""
_TIMESPEC = struct.Struct("@ll")
_BATCH = 64


class StampedPort(UdpMux):
    """A port that knows when the kernel took in the datagram being handled.

    On loopback that is when it was sent: a caller who reads late does not blame the sender.
    """

    arrived = 0.0
    """Seconds of one clock or the other; only differences mean something."""

    def open(self, host: str, port: int) -> None:
        super().open(host, port)
        assert self._socket is not None
        self._socket.setsockopt(socket.SOL_SOCKET, TIMESTAMPNS, 1)

    def _readable(self) -> None:
        for _ in range(_BATCH):
            if self._socket is None:
                return
            try:
                data, ancillary, _, address = self._socket.recvmsg(2048, 64)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an ICMP error for something sent earlier
            self.arrived = stamp_of(ancillary)
            self.received(data, (address[0], address[1]))


class LightCaller:
    """``offer``, ``connected`` with the answer, then ``tick`` every 20 ms, ``close``."""

    def __init__(self, packets: Sequence[bytes], start: int, clock: Clock) -> None:
        self.gaps: list[float] = []
        self.received = 0
        self.sent = 0
        self.lost = 0
        self._packets = packets
        self._next = start % len(packets)
        self._clock = clock
        self._port = StampedPort()
        self._codec = Codec("opus", 111)
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(15)
        self._timestamp = secrets.randbits(32)
        self._last: tuple[float, rtp.RtpPacket] | None = None
        self._ticks = start
        self._peer: Peer | None = None

    async def offer(self, certificate: RTCCertificate) -> str:
        """Bind a port and return the SDP offer."""
        self._port.open(HOST, 0)
        self._peer = Peer(
            self._port, self._port.address, certificate, self._clock, controlling=True
        )
        self._peer.on_rtp = self._packet
        local = await self._peer.local("actpass", self._ssrc)
        return sdp_text.offer(self._codec, local, direction="sendrecv")

    async def connected(self, answer: str) -> None:
        """Take the server's answer and connect. Raises ``LegError`` or ``OfferError``."""
        assert self._peer is not None
        remote = sdp.parse_answer(answer)
        if remote.transport.candidate is None:
            raise LegError("the answer has no candidate")
        await self._peer.add_candidate(*remote.transport.candidate)
        role: sdp.Setup = "active" if remote.transport.setup == "passive" else "passive"
        await self._peer.connect(remote, role, CONNECT_SECONDS)

    def begin(self) -> None:
        """Count from now on."""
        self.received = self.sent = self.lost = 0
        self.gaps.clear()
        self._last = None

    def tick(self) -> None:
        """Send one packet."""
        assert self._peer is not None
        payload = self._packets[self._next]
        self._next = (self._next + 1) % len(self._packets)
        packet = rtp.pack(
            self._codec.payload_type,
            self._sequence,
            self._timestamp,
            self._ssrc,
            payload,
            marker=False,
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + STEP) & 0xFFFFFFFF
        self.sent += self._peer.send_rtp(packet)
        self._ticks += 1
        if self._ticks % 50 == 0:
            self._peer.watch()

    async def close(self) -> None:
        """Hang up. Idempotent."""
        if self._peer is not None:
            await self._peer.close()
        self._port.close()

    def _packet(self, packet: rtp.RtpPacket) -> None:
        at = self._port.arrived
        self.received += 1
        if self._last is not None:
            before, last = self._last
            if (packet.timestamp - last.timestamp) & 0xFFFFFFFF == STEP:
                self.gaps.append(at - before)
            missing = (packet.sequence - last.sequence - 1) & 0xFFFF
            self.lost += missing if missing < 0x8000 else 0
        self._last = (at, packet)


def stamp_of(ancillary: list[tuple[int, int, bytes]]) -> float:
    """When the kernel took a datagram in, from what ``recvmsg`` told beside it."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) + int(nanoseconds) / 1e9
    return time.time()
