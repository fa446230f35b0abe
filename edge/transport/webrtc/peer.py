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
    RTCDtlsTransport,
    RTCIceParameters,
    RTCIceTransport,
    RTCSctpTransport,
)
from aiortc.rtcsctptransport import RTCSctpCapabilities

from edge.clock import Clock
from edge.leg import LegEnd, LegError
from edge.transport.webrtc import rtp
from edge.transport.webrtc.ice import MuxConnection, MuxGatherer
from edge.transport.webrtc.sdp import DataSection, Description, Fingerprint, Setup
from edge.transport.webrtc.sdp_text import Local
from edge.transport.webrtc.udpmux import Address, UdpMux

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


MAX_CHANNELS = 16
"""Data channels and SCTP streams of one peer."""


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
        self._ice = RTCIceTransport(MuxGatherer(self._connection))
        self._dtls = _Dtls(self._ice, [certificate])
        self._dtls.on("statechange", self._dtls_changed)
        self.sctp = _Sctp(self._dtls, on_heard=self._heard, on_closed=self._sctp_closed)
        self.sctp.on("datachannel", lambda channel: self.on_channel(channel))
        self._srtp_in: Any = None
        self._srtp_out: Any = None
        self._sources: set[int] = set()
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
        return self._connected and not self._ended

    async def local(self, setup: Setup, ssrc: int) -> Local:
        """What our side of the SDP says."""
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

        Raises ``LegError`` when the far end did not get that far in ``timeout`` seconds.
        """
        try:
            async with self._handshake, asyncio.timeout(timeout):
                await self._connect(remote, setup)
        except TimeoutError:
            raise LegError(f"no connection within {timeout:g} s") from None

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

    async def close(self) -> None:
        """Say goodbye, end what aiortc runs and leave the port. Idempotent."""
        if self._closing:
            return
        self._closing = True
        # aiortc's ICE monitor never ends when it is stopped before its first step.
        await asyncio.sleep(0)
        await self.sctp.stop()
        reader = self._dtls._task
        await self._dtls.stop()
        await self._ice.stop()
        async with self._handshake:
            # A handshake that was going on has noticed by now; it may have started the reader.
            reader = self._dtls._task or reader
        if reader is not None:
            await asyncio.gather(reader, return_exceptions=True)
        await self._connection.close()
        self._dtls.remove_all_listeners()
        self.sctp.remove_all_listeners()
        self._srtp_in = self._srtp_out = None

    # --- what arrives --------------------------------------------------------------------------

    def _packet(self, data: bytes) -> None:
        first = data[0]
        if 128 <= first < 192:
            if self._srtp_in is not None and len(data) >= 12 and not self._closing:
                self._media(data)
        elif 20 <= first < 64:
            self._connection.queue_packet(data)

    def _media(self, data: bytes) -> None:
        is_rtcp = 192 <= data[1] < 224
        source = int.from_bytes(data[4:8] if is_rtcp else data[8:12])
        known = source in self._sources
        if not known and len(self._sources) >= MAX_SOURCES:
            self.refused += 1
            return
        try:
            plain = self._srtp_in.unprotect_rtcp(data) if is_rtcp else self._srtp_in.unprotect(data)
        except (pylibsrtp.Error, TypeError, ValueError):
            self.refused += 1
            return
        if not known:
            self._sources.add(source)
        self._heard_at = self._clock.monotonic()
        if is_rtcp:
            self.on_rtcp(plain)
        elif (packet := rtp.parse(plain)) is not None:
            self.on_rtp(packet)

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


class _Dtls(RTCDtlsTransport):
    """aiortc's DTLS, quiet once it is closed.

    SCTP's timers send from tasks that nobody awaits; an error there would only reach the log.
    """

    async def _send_data(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await super()._send_data(data)


class _Sctp(RTCSctpTransport):
    """aiortc's SCTP with bounds: bad packets are dropped, a flood ends the association."""

    def __init__(
        self,
        transport: RTCDtlsTransport,
        *,
        on_heard: Callable[[], None],
        on_closed: Callable[[], None],
    ) -> None:
        super().__init__(transport)
        self._on_heard = on_heard
        self._on_closed = on_closed
        self._established = False

    async def _handle_data(self, data: bytes) -> None:
        self._on_heard()
        try:
            await super()._handle_data(data)
        except Exception:
            # aiortc asserts what a peer must not send. The peer is authenticated, so it harms only
            # itself; its call must not die of it, and neither may the DTLS reader.
            return
        if (
            self._advertised_rwnd < 0
            or len(self._data_channels) > MAX_CHANNELS
            or len(self._inbound_streams) > MAX_CHANNELS
        ):
            await self.stop()

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state == self.State.ESTABLISHED:
            self._established = True
        elif state == self.State.CLOSED and self._established:
            self._established = False
            self._on_closed()


def _ignore(_: Any) -> None:
    pass
