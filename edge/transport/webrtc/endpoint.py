"""The WebRTC side of a worker: one UDP port, offers in, legs out."""

from __future__ import annotations

import asyncio
import ipaddress
import logging

from aiortc import RTCCertificate

from edge.clock import Clock
from edge.media.ticker import Ticker
from edge.transport.webrtc import sdp
from edge.transport.webrtc.leg import CONNECT_TIMEOUT, WebRtcLeg
from edge.transport.webrtc.peer import Peer
from edge.transport.webrtc.selftest import check_libraries
from edge.transport.webrtc.udpmux import MuxCounts, UdpMux

CERTIFICATE_SECONDS = 7 * 24 * 3600.0
"""How long one DTLS certificate is used; aiortc's are valid for thirty days."""


class WebRtcEndpoint:
    """Answers offers on one UDP port.

    ``advertised`` is the address that clients are told, when it is not the bound ``host`` (a
    public address in front of a private one; required when ``host`` is a wildcard). Both are IP
    addresses, else ``ValueError``. Several endpoints may live in one process; they share nothing.

    With ``relays``, clients that come through one are told ``host`` as well: a relay beside us may
    send to our own network only. Nobody else learns that address, where it is not ``advertised``.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        ticker: Ticker,
        clock: Clock,
        advertised: str | None = None,
        relays: bool = False,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        if ipaddress.ip_address(advertised or host).is_unspecified:
            raise ValueError("a wildcard host needs an advertised address")
        self._host = host
        self._wanted_port = port
        self._ticker = ticker
        self._clock = clock
        self._advertised = advertised or host
        hidden = relays and host != self._advertised
        known = hidden and not ipaddress.ip_address(host).is_unspecified
        self._inside = host if known else None
        self._timeout = connect_timeout
        self._mux = UdpMux()
        self._certificate: RTCCertificate | None = None
        self._certificate_at = 0.0
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
        check_libraries()
        # At INFO aioice writes the addresses of callers.
        logging.getLogger("aioice").setLevel(logging.WARNING)
        self._mux.open(self._host, self._wanted_port)

    async def answer(self, offer_sdp: str) -> tuple[WebRtcLeg, str]:
        """A leg for an offer, and our answer. Raises ``OfferError``.

        The caller owns the leg: it awaits ``connected`` and, whatever happens, ``close``.
        """
        offer = sdp.parse_offer(offer_sdp)
        peer = Peer(
            self._mux,
            (self._advertised, self.port),
            self._fresh_certificate(),
            self._clock,
            controlling=False,
        )
        leg = WebRtcLeg(
            peer,
            offer,
            ticker=self._ticker,
            clock=self._clock,
            timeout=self._timeout,
            inside=self._inside if offer.relayed else None,
            on_closed=lambda: self._legs.discard(leg),
        )
        self._legs.add(leg)
        try:
            return leg, await leg.answer()
        except BaseException:
            await leg.close()
            raise

    async def close(self) -> None:
        """Close every leg and the port. Idempotent."""
        await asyncio.gather(*(leg.close() for leg in tuple(self._legs)))
        self._mux.close()

    def _fresh_certificate(self) -> RTCCertificate:
        """One certificate for many calls; making one costs more than the rest of an answer."""
        now = self._clock.wall()
        if self._certificate is None or now - self._certificate_at > CERTIFICATE_SECONDS:
            self._certificate = RTCCertificate.generateCertificate()
            self._certificate_at = now
        return self._certificate
