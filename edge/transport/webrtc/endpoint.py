"""The WebRTC side of a worker: one UDP port, offers in, legs out."""

from __future__ import annotations

import asyncio

from aiortc import RTCCertificate

from edge.clock import Clock
from edge.media.ticker import Ticker
from edge.transport.webrtc import sdp
from edge.transport.webrtc.leg import CONNECT_TIMEOUT, WebRtcLeg
from edge.transport.webrtc.peer import Peer
from edge.transport.webrtc.udpmux import MuxCounts, UdpMux


class WebRtcEndpoint:
    """Answers offers on one UDP port.

    ``advertised`` is the address that clients are told, when it is not the bound ``host`` (a
    public address in front of a private one; required when ``host`` is a wildcard). Several
    endpoints may live in one process; they share nothing.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        ticker: Ticker,
        clock: Clock,
        advertised: str | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        if advertised is None and host in ("0.0.0.0", "::", ""):
            raise ValueError("a wildcard host needs an advertised address")
        self._host = host
        self._wanted_port = port
        self._ticker = ticker
        self._clock = clock
        self._advertised = advertised or host
        self._timeout = connect_timeout
        self._mux = UdpMux()
        self._certificate: RTCCertificate | None = None
        self._legs: set[WebRtcLeg] = set()

    @property
    def port(self) -> int:
        """The UDP port that is bound."""
        return self._mux.address[1]

    @property
    def counts(self) -> MuxCounts:
        """Datagram counters of the port."""
        return self._mux.counts

    @property
    def legs(self) -> int:
        """Legs that are not closed."""
        return len(self._legs)

    async def start(self) -> None:
        """Check the libraries and bind the port.

        Raises ``IncompatibleLibrary``, ``PortInUse``, or ``OSError`` when ``host`` is not ours.
        """
        self._certificate = RTCCertificate.generateCertificate()
        self._mux.open(self._host, self._wanted_port)

    async def answer(self, offer_sdp: str) -> tuple[WebRtcLeg, str]:
        """A leg for an offer, and our answer. Raises ``OfferError``.

        The caller owns the leg: it awaits ``connected`` and, whatever happens, ``close``.
        """
        if self._certificate is None:
            raise RuntimeError("the endpoint is not started")
        offer = sdp.parse_offer(offer_sdp)
        peer = Peer(
            self._mux,
            (self._advertised, self.port),
            self._certificate,
            self._clock,
            controlling=offer.transport.lite,
        )
        leg = WebRtcLeg(
            peer,
            offer,
            ticker=self._ticker,
            clock=self._clock,
            timeout=self._timeout,
            on_closed=lambda: self._legs.discard(leg),
        )
        self._legs.add(leg)
        return leg, await leg.answer()

    async def close(self) -> None:
        """Close every leg and the port. Idempotent."""
        await asyncio.gather(*(leg.close() for leg in tuple(self._legs)))
        self._mux.close()
