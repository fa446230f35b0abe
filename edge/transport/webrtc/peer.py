"""One connection: ICE, DTLS, SRTP and SCTP over the shared port.

aiortc's transports are assembled here without its ``RTCPeerConnection``, whose senders, receivers
and background tasks are not wanted. An audio packet goes from the datagram callback through SRTP to
``on_rtp`` in one call; only DTLS records take the way through aiortc's queue.

The peer starts no task. ``connect`` runs in its caller; what aiortc starts inside (its ICE monitor
and its DTLS reader) is awaited by ``close``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import Any

import pylibsrtp
from aioice import Candidate
from aioice.candidate import candidate_priority
from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCIceParameters,
    RTCIceTransport,
)
from aiortc.rtcsctptransport import RTCSctpCapabilities

from edge.clock import Clock
from edge.leg import LegEnd, LegError
from edge.transport.rtp import packet as rtp
from edge.transport.rtp.budget import Budget
from edge.transport.webrtc.association import Dtls, Sctp
from edge.transport.webrtc.closing import attempt
from edge.transport.webrtc.ice import MuxConnection, MuxGatherer
from edge.transport.webrtc.sdp import DataSection, Description, Fingerprint, Setup
from edge.transport.webrtc.sdp_text import Local
from edge.transport.webrtc.udpmux import Address, UdpMux

logger = logging.getLogger(__name__)

LOST_AFTER = 5.0
"""Seconds without any authenticated packet until the peer is given up."""

CONSENT_EXPIRES = 30.0
"""Seconds without an answer to a consent check until nothing may be sent (RFC 7675 section 5.1)."""

CONSENT_INTERVAL = 5.0
"""Seconds between consent checks."""

ASK_AFTER = 1.5
"""Seconds of silence after which the peer is asked each second whether it is there."""

MAX_SOURCES = 8
"""SSRCs of one peer; each costs SRTP state."""

RTP_PER_SECOND = 200
RTP_BURST = 400
"""Authenticated RTP packets: four times the usual 20 ms ones. A lasting excess ends the peer."""

UNPROVEN_PER_SECOND = 250
UNPROVEN_BURST = 500
"""RTP packets that are decrypted, and DTLS records that are read. It is above the rate of proven
ones: whoever forges a caller's address can crowd it out, as on any network, but never end it."""

RTCP_PER_SECOND = 50
RTCP_BURST = 100
"""Compound RTCP packets; the usual is one a second (RFC 3550 section 6.2)."""

CHECKS_PER_SECOND = 50
CHECKS_BURST = 100
"""Signed STUN requests: ICE paces them at 20 (RFC 8445 section 14.2). Each is answered."""


class Peer:
    """The far end of one leg.

    Callbacks: ``on_rtp`` and ``on_rtcp`` get decrypted packets; ``on_channel`` gets the data
    channels that the far end opens; ``on_end`` is called once with ``closed``, ``lost`` or
    ``failed``.
    """

    def __init__(
        self,
        mux: UdpMux,
        advertised: Address,
        certificate: RTCCertificate,
        clock: Clock,
        *,
        controlling: bool,
    ) -> None:
        self.on_rtp: Callable[[rtp.RtpPacket], None] = _ignore
        self.on_rtcp: Callable[[bytes], None] = _ignore
        self.on_channel: Callable[[RTCDataChannel], None] = _ignore
        self.on_end: Callable[[LegEnd], None] = _ignore
        self.refused = 0
        self._mux = mux
        self._clock = clock
        self._advertised = advertised
        self._certificate = certificate
        self._connection = MuxConnection(mux, advertised, controlling=controlling)
        self._connection.on_packet = self._packet
        self._connection.on_heard = self._heard
        self._connection.on_consent = self._consented
        self._connection.admits_check = self._admits_check
        self._ice = RTCIceTransport(MuxGatherer(self._connection))
        self._dtls = Dtls(self._ice, [certificate])
        self._dtls.on("statechange", self._dtls_changed)
        self.sctp = Sctp(
            self._dtls,
            clock,
            on_heard=self._heard,
            on_closed=self._sctp_closed,
            on_flood=self.fail,
        )
        self.sctp.on("datachannel", lambda channel: self.on_channel(channel))
        self._srtp_in: Any = None
        self._srtp_out: Any = None
        self._sources: set[int] = set()
        self._unproven_rtp = Budget(UNPROVEN_PER_SECOND, UNPROVEN_BURST)
        self._rtp = Budget(RTP_PER_SECOND, RTP_BURST)
        self._rtcp = Budget(RTCP_PER_SECOND, RTCP_BURST)
        self._records = Budget(UNPROVEN_PER_SECOND, UNPROVEN_BURST)
        self._checks = Budget(CHECKS_PER_SECOND, CHECKS_BURST)
        self._connected = False
        self._closing = False
        self._ended = False
        self._handshake = asyncio.Lock()
        self._heard_at = self._consent_at = clock.monotonic()
        self._ask_at = 0.0

    @property
    def ufrag(self) -> str:
        return self._connection.ufrag

    @property
    def connected(self) -> bool:
        """Whether media can flow."""
        return self._connected and not self._ended and not self._closing

    async def local(self, setup: Setup, ssrc: int, inside: str | None = None) -> Local:
        """What our side of the SDP says; see ``Local`` for ``inside``."""
        await self._connection.gather_candidates()
        prints = self._dtls.getLocalParameters().fingerprints
        sha256 = next(one for one in prints if one.algorithm == "sha-256")
        host, port = self._advertised
        return Local(
            host=host,
            port=port,
            ufrag=self._connection.ufrag,
            password=self._connection.local_password,
            fingerprint=Fingerprint(sha256.algorithm, sha256.value),
            setup=setup,
            ssrc=ssrc,
            inside=inside,
        )

    async def add_candidate(self, host: str, port: int) -> None:
        """Where the far end may be reached. ``host`` is an address, never a name."""
        await self._connection.add_remote_candidate(
            Candidate(
                foundation="1",
                component=1,
                transport="udp",
                priority=candidate_priority(1, "host"),
                host=host,
                port=port,
                type="host",
            )
        )

    async def connect(self, remote: Description, setup: Setup, timeout: float) -> None:
        """ICE, DTLS, then SCTP if a data section was agreed. ``setup`` is our DTLS role.

        Raises ``LegError`` when the far end did not get that far in ``timeout`` seconds, or did
        something that a library did not expect.
        """
        try:
            async with self._handshake, asyncio.timeout(timeout):
                await self._connect(remote, setup)
        except LegError:
            raise
        except TimeoutError:
            raise LegError(f"no connection within {timeout:g} s") from None
        except Exception as error:
            # The boundary of four libraries that read what a stranger sends. What they raise cannot
            # be listed (a certificate of X.509 version 2 is a ValueError deep inside), and it must
            # end this call only. Its text may hold what the stranger sent.
            logger.warning("a handshake failed", extra={"code": type(error).__name__})
            self._end("failed")
            raise LegError("the handshake failed") from None

    async def _connect(self, remote: Description, setup: Setup) -> None:
        if self._closing:
            raise LegError("the peer is closed")
        transport = remote.transport
        await self._ice.start(RTCIceParameters(transport.ufrag, transport.password, transport.lite))
        if self._ice.state != "completed":
            raise LegError("ICE failed")
        self._dtls._set_role("client" if setup == "active" else "server")
        prints = [RTCDtlsFingerprint(f.algorithm, f.value) for f in transport.fingerprints]
        await self._dtls.start(RTCDtlsParameters(prints))
        if self._dtls.state != "connected" or self._closing:
            raise LegError("DTLS failed")
        self._srtp_in = self._dtls._rx_srtp
        self._srtp_out = self._dtls._tx_srtp
        self._heard_at = self._consent_at = self._clock.monotonic()
        self._connected = True
        if remote.data_section is not None:
            await self._start_sctp(remote.data_section)

    async def _start_sctp(self, data: DataSection) -> None:
        await self.sctp.start(RTCSctpCapabilities(data.max_message), data.port)

    def send_rtp(self, packet: bytes) -> bool:
        """Encrypt and send; False when the peer cannot be reached now."""
        address = self._connection.remote_address
        if not self.connected or address is None:
            return False
        try:
            self._mux.send(self._srtp_out.protect(packet), address)
        except pylibsrtp.Error:
            self.refused += 1
            return False
        return True

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send a compound RTCP packet."""
        address = self._connection.remote_address
        if self.connected and address is not None:
            with contextlib.suppress(pylibsrtp.Error):
                self._mux.send(self._srtp_out.protect_rtcp(packet), address)

    def watch(self) -> None:
        """Call about once a second: asks for consent, and ends the peer when it is gone."""
        if not self.connected:
            return
        now = self._clock.monotonic()
        silent = now - self._heard_at
        if silent >= LOST_AFTER or now - self._consent_at >= CONSENT_EXPIRES:
            self._end("lost")
            return
        if now >= self._ask_at or silent >= ASK_AFTER:
            # RFC 7675 section 5.1: between 0.8 and 1.2 of the interval.
            self._ask_at = now + CONSENT_INTERVAL * (0.8 + secrets.randbelow(401) / 1000)
            self._connection.ask_consent()

    def fail(self) -> None:
        """The far end floods, or its call cannot go on: it is heard no more, and ``failed``."""
        self._end("failed")

    async def close(self) -> None:
        """Say goodbye, end what aiortc runs and leave the port. Idempotent.

        Raises nothing but ``CancelledError``, and the port is left even then.
        """
        if self._closing:
            return
        self._closing = True
        try:
            # aiortc's ICE monitor never ends when it is stopped before its first step.
            await asyncio.sleep(0)
            await attempt(self.sctp.stop)
            reader = self._dtls._task
            await attempt(self._dtls.stop)
            await attempt(self._ice.stop)
            async with self._handshake:
                # A handshake that was going on has noticed by now; it may have started the reader.
                reader = self._dtls._task or reader
            if reader is not None:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
            await attempt(self._connection.close)
        finally:
            self._mux.remove(self._connection)
            self._dtls.remove_all_listeners()
            self.sctp.remove_all_listeners()
            self._srtp_in = self._srtp_out = None

    # --- what arrives --------------------------------------------------------------------------

    def _packet(self, data: bytes) -> None:
        if self._ended:
            return
        first = data[0]
        if 128 <= first < 192:
            if self._srtp_in is not None and len(data) >= 12 and not self._closing:
                self._media(data)
        elif 20 <= first < 64:
            if self._records.take(1, self._clock.monotonic()):
                self._connection.queue_packet(data)
            else:
                self.refused += 1

    def _media(self, data: bytes) -> None:
        now = self._clock.monotonic()
        is_rtcp = 192 <= data[1] < 224
        source = int.from_bytes(data[4:8] if is_rtcp else data[8:12])
        known = source in self._sources
        if (not known and len(self._sources) >= MAX_SOURCES) or not (
            self._rtcp if is_rtcp else self._unproven_rtp
        ).take(1, now):
            self.refused += 1
            return
        try:
            plain = self._srtp_in.unprotect_rtcp(data) if is_rtcp else self._srtp_in.unprotect(data)
        except (pylibsrtp.Error, TypeError, ValueError):
            self.refused += 1
            return
        if not known:
            self._sources.add(source)
        self._heard_at = now
        if is_rtcp:
            self.on_rtcp(plain)
        elif not self._rtp.take(1, now):
            self.refused += 1
            if self._rtp.flooded:
                self.fail()
        elif (packet := rtp.parse(plain)) is not None:
            self.on_rtp(packet)

    def _admits_check(self) -> bool:
        return self._checks.take(1, self._clock.monotonic())

    def _heard(self) -> None:
        self._heard_at = self._clock.monotonic()

    def _consented(self) -> None:
        self._consent_at = self._clock.monotonic()

    # --- how it ends ---------------------------------------------------------------------------

    def _dtls_changed(self) -> None:
        if self._dtls.state == "failed":
            self._end("failed")
        elif self._dtls.state == "closed" and not self._closing:
            self._end("closed")

    def _sctp_closed(self) -> None:
        if self._connected and not self._closing:
            self._end("closed")

    def _end(self, reason: LegEnd) -> None:
        if not self._ended:
            self._ended = True
            self.on_end(reason)


def _ignore(_: Any) -> None:
    pass
