"""A WebRTC leg: what a call sees of a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from edge.clock import Clock
from edge.events import JsonValue
from edge.leg import LegEnd, LegError, TransferRequest, TransferResult
from edge.media.frames import LISTEN_RATE, Band, Samples
from edge.media.playout import Playout
from edge.media.ticker import Ticker
from edge.transport.rtp.stream import MediaStream
from edge.transport.webrtc import sdp, sdp_text
from edge.transport.webrtc.channel import EventChannel
from edge.transport.webrtc.closing import attempt, attempt_now
from edge.transport.webrtc.peer import Peer

CONNECT_TIMEOUT = 5.0
"""Seconds for ICE and DTLS together. An offer that nobody follows up holds a place that long."""


class WebRtcLeg:
    """One answered offer; implements ``edge.leg.Leg``.

    Nothing happens until ``connected`` is awaited: it does the handshakes in its caller's task.
    """

    kind = "webrtc"
    trunk = ""
    can_transfer = False

    def __init__(
        self,
        peer: Peer,
        offer: sdp.Description,
        *,
        ticker: Ticker,
        clock: Clock,
        timeout: float = CONNECT_TIMEOUT,
        inside: str | None = None,
        on_closed: Callable[[], None],
    ) -> None:
        self.playout = Playout(offer.codec.playout_rate)
        self.on_audio: Callable[[Samples], None] = _ignore
        self.on_message: Callable[[Mapping[str, JsonValue]], None] = _ignore
        self.on_digit: Callable[[str], None] = _ignore
        self.codec = offer.codec
        self._peer = peer
        self._offer = offer
        self._ticker = ticker
        self._timeout = timeout
        self._inside = inside
        self._on_closed = on_closed
        self._setup: sdp.Setup = "passive" if offer.transport.setup == "active" else "active"
        self._direction = sdp_text.answer_direction(offer.direction)
        self._media = MediaStream(
            peer, offer.codec, self.playout, LISTEN_RATE, lambda frame: self.on_audio(frame), clock
        )
        self._media.sends = self._direction in ("sendrecv", "sendonly")
        self._media.receives = self._direction in ("sendrecv", "recvonly")
        # The peer then drops what goes on arriving until somebody closes the leg.
        self._media.on_fault = peer.fail
        self._events = EventChannel(clock, self._message)
        self._events.on_flood = peer.fail
        peer.on_channel = self._events.attach
        peer.on_end = self._end
        self._ended: asyncio.Future[LegEnd] = asyncio.get_running_loop().create_future()
        self._connecting = asyncio.Lock()
        self._closed = False

    @property
    def band(self) -> Band:
        """See ``Leg``."""
        return "narrow" if self.codec.name == "pcmu" else "wide"

    @property
    def media(self) -> MediaStream:
        """Counters for metrics."""
        return self._media

    async def answer(self) -> str:
        """Our SDP."""
        local = await self._peer.local(self._setup, self._media.sender.ssrc, self._inside)
        return sdp_text.answer(self._offer, local, direction=self._direction)

    async def connected(self) -> None:
        """Connects; see ``Leg``. Raises ``LegError``, after which the leg is over."""
        async with self._connecting:
            if self._ended.done():
                raise LegError("the leg is over")
            if self._peer.connected:
                return
            try:
                await self._peer.connect(self._offer, self._setup, self._timeout)
            except LegError:
                self._end("failed")
                raise
            if self._ended.done():
                raise LegError("the leg is over")
            self._media.start(self._ticker)

    def send(self, event: Mapping[str, JsonValue]) -> None:
        """Send a JSON event; see ``Leg``."""
        if not self._ended.done():
            self._events.send(event)

    def patch(self, sdpfrag: str) -> None:
        """Take a trickle ICE fragment. Its candidates are learned from their checks anyway.

        Raises ``OfferError`` when it is malformed and ``IceRestartUnsupported`` when it restarts.
        """
        sdp.check_fragment(sdpfrag, self._offer.transport.ufrag)

    def hangup(self) -> None:
        """The far end said goodbye by signalling: ``closed`` returns ``hangup``."""
        self._end("hangup")

    async def transfer(self, request: TransferRequest) -> TransferResult:
        """A browser has nobody to give its caller to; see ``Leg``."""
        return TransferResult(False, 501, "Not Implemented")

    async def closed(self) -> LegEnd:
        """The reason for the end; see ``Leg``."""
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        """Say goodbye and free everything. Idempotent. Raises nothing but ``CancelledError``."""
        if self._closed:
            return
        self._closed = True
        attempt_now(self._media.goodbye)
        self._end("closed")
        attempt_now(self._events.close)
        try:
            await attempt(self._peer.close)
        finally:
            attempt_now(self._media.close)
            self._on_closed()

    def _message(self, event: Mapping[str, JsonValue]) -> None:
        if not self._ended.done():
            self.on_message(event)

    def _end(self, reason: LegEnd) -> None:
        self._media.stop()
        if not self._ended.done():
            self._ended.set_result(reason)


def _ignore(_: object) -> None:
    pass
