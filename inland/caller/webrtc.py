"""The product's own WebRTC client as a caller's peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge.clock import Clock
from edge.events import JsonValue
from edge.leg import LegError
from edge.media.frames import Samples
from edge.media.ticker import Ticker
from edge.transport.rtp.packet import RtpPacket
from edge.transport.webrtc.caller import CallerPeer
from edge.transport.webrtc.errors import OfferError
from inland.caller.options import Codec
from inland.caller.peer import PeerStats


class WebRtcPeer:
    """See :class:`inland.caller.peer.Peer`."""

    def __init__(self, codec: Codec, ticker: Ticker, clock: Clock) -> None:
        self._inner = CallerPeer(ticker=ticker, clock=clock, codec=codec)
        self._offered = False
        self.playout = self._inner.playout
        self.clock_rate = self._inner.codec.clock_rate
        self.on_audio: Callable[[Samples], None] = _ignore_audio
        self.on_message: Callable[[Mapping[str, JsonValue]], None] = _ignore_message
        self.on_packet: Callable[[float, int], None] = _ignore_packet
        self._inner.on_audio = lambda samples, at: self.on_audio(samples)
        self._inner.on_message = lambda message: self.on_message(message)
        self._inner.on_packet = self._packet

    def _packet(self, packet: RtpPacket, at: float) -> None:
        self.on_packet(at, packet.timestamp)

    async def offer(self) -> str:
        sdp = await self._inner.offer()
        self._offered = True
        return sdp

    async def accept(self, answer: str) -> None:
        try:
            await self._inner.accept(answer)
        except OfferError as error:
            raise LegError(f"the edge's answer cannot be used: {error.detail}") from error

    async def connected(self) -> None:
        await self._inner.connected()

    def send(self, event: Mapping[str, JsonValue]) -> None:
        self._inner.send(event)

    def stats(self) -> PeerStats:
        if not self._offered:
            return PeerStats(0, 0)
        counted = self._inner.stats()
        return PeerStats(counted.packets, counted.lost)

    async def close(self) -> None:
        await self._inner.close()


def _ignore_audio(samples: Samples) -> None:
    pass


def _ignore_message(message: Mapping[str, JsonValue]) -> None:
    pass


def _ignore_packet(at: float, timestamp: int) -> None:
    pass
