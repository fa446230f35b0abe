"""The other end of a call, headless: it offers, speaks and listens as a browser would."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiortc import RTCCertificate, RTCDataChannel, RTCDataChannelParameters

from edge.clock import Clock
from edge.events import JsonValue
from edge.leg import LegEnd, LegError
from edge.media.frames import Samples
from edge.media.playout import Playout
from edge.media.ticker import Ticker
from edge.transport.rtp.codec import Codec, CodecName
from edge.transport.rtp.packet import RtpPacket
from edge.transport.rtp.stream import MediaStream
from edge.transport.webrtc import sdp, sdp_text
from edge.transport.webrtc.channel import LABEL, EventChannel
from edge.transport.webrtc.closing import attempt, attempt_now
from edge.transport.webrtc.errors import OfferError
from edge.transport.webrtc.leg import CONNECT_TIMEOUT
from edge.transport.webrtc.peer import Peer
from edge.transport.webrtc.udpmux import UdpMux

HEAR_RATE = 24_000
"""Hz of the frames that a caller hears."""


@dataclass(frozen=True, slots=True)
class CallerStats:
    """Audio packets of the agent as they arrived, and what the far end measured."""

    packets: int
    lost: int
    late: int
    sent: int
    round_trip: float | None


class CallerPeer:
    """One caller: ``offer``, ``accept`` the answer, await ``connected``, talk, ``close``.

    ``playout`` holds what the caller says, at ``playout.rate`` (24 kHz for Opus, 8 kHz for PCMU).
    ``on_audio(frame, at)`` gets what the agent says in frames of 480 samples at 24 kHz with the
    clock's time of arrival; ``on_packet(packet, at)`` sees each of its packets; ``on_message``
    its events. With ``continuous`` silence is sent as well, as a browser does.
    """

    def __init__(
        self,
        *,
        ticker: Ticker,
        clock: Clock,
        send_audio: bool = True,
        codec: CodecName = "opus",
        host: str | None = None,
        continuous: bool = True,
        timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self.codec = Codec(codec, 111 if codec == "opus" else 0)
        self.playout = Playout(self.codec.playout_rate)
        self.on_audio: Callable[[Samples, float], None] = _ignore_audio
        self.on_packet: Callable[[RtpPacket, float], None] = _ignore_packet
        self.on_message: Callable[[Mapping[str, JsonValue]], None] = _ignore_message
        self._ticker = ticker
        self._clock = clock
        self._direction: sdp.Direction = "sendrecv" if send_audio else "recvonly"
        self._host = host or "0.0.0.0"
        self._continuous = continuous
        self._timeout = timeout
        self._mux = UdpMux()
        self._peer: Peer | None = None
        self._media: MediaStream | None = None
        self._answer: sdp.Description | None = None
        self._events = EventChannel(clock, lambda event: self.on_message(event), strict=False)
        self._ended: asyncio.Future[LegEnd] = asyncio.get_running_loop().create_future()

    async def offer(self) -> str:
        """Bind a port and return the SDP offer."""
        self._mux.open(self._host, 0)
        certificate = RTCCertificate.generateCertificate()
        address = (self._host, self._mux.address[1])
        peer = Peer(self._mux, address, certificate, self._clock, controlling=True)
        peer.on_end = self._end
        self._peer = peer
        media = MediaStream(
            peer,
            self.codec,
            self.playout,
            HEAR_RATE,
            lambda frame: self.on_audio(frame, self._clock.monotonic()),
            self._clock,
            continuous=self._continuous,
        )
        media.on_packet = lambda packet, now: self.on_packet(packet, now)
        media.sends = self._direction == "sendrecv"
        self._media = media
        local = await peer.local("actpass", media.sender.ssrc)
        return sdp_text.offer(self.codec, local, direction=self._direction)

    async def accept(self, answer_sdp: str) -> None:
        """Take the edge's answer. Raises ``OfferError`` when it is none."""
        peer, _ = self._open()
        answer = sdp.parse_answer(answer_sdp)
        if answer.transport.candidate is None:
            raise OfferError("bad_sdp", "the answer has no candidate")
        host, port = answer.transport.candidate
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise OfferError("bad_sdp", "the answer's candidate is not an address") from None
        self._answer = answer
        await peer.add_candidate(host, port)

    async def connected(self) -> None:
        """Returns when audio can flow and the event channel is on its way.

        Raises ``LegError`` when the edge cannot be reached in time.
        """
        peer, media = self._open()
        if self._answer is None:
            raise LegError("there is no answer yet")
        active = self._answer.transport.setup == "passive"
        await peer.connect(self._answer, "active" if active else "passive", self._timeout)
        if self._answer.data is not None:
            channel = RTCDataChannel(peer.sctp, RTCDataChannelParameters(label=LABEL))
            self._events.attach(channel)
        media.start(self._ticker)

    def send(self, event: Mapping[str, JsonValue]) -> None:
        """Send a JSON event; kept until the channel opens."""
        self._events.send(event)

    def stats(self) -> CallerStats:
        """What was counted so far."""
        _, media = self._open()
        counts = media.receiver.counts
        return CallerStats(
            packets=counts.received,
            lost=counts.lost,
            late=counts.late,
            sent=media.sender.packets,
            round_trip=media.reporter.round_trip,
        )

    async def closed(self) -> LegEnd:
        """Returns when the edge is gone: ``closed``, ``lost`` or ``failed``."""
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        """Hang up and free everything. Idempotent."""
        if self._media is not None:
            attempt_now(self._media.goodbye)
        self._end("closed")
        attempt_now(self._events.close)
        try:
            if self._peer is not None:
                await attempt(self._peer.close)
        finally:
            if self._media is not None:
                attempt_now(self._media.close)
            self._mux.close()

    def _open(self) -> tuple[Peer, MediaStream]:
        if self._peer is None or self._media is None:
            raise LegError("there is no offer yet")
        return self._peer, self._media

    def _end(self, reason: LegEnd) -> None:
        if self._media is not None:
            self._media.stop()
        if not self._ended.done():
            self._ended.set_result(reason)


def _ignore_audio(frame: Samples, at: float) -> None:
    pass


def _ignore_packet(packet: RtpPacket, at: float) -> None:
    pass


def _ignore_message(event: Mapping[str, JsonValue]) -> None:
    pass
