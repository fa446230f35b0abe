"""The sockets of one call: RTP and RTCP to and from one far end, plain or encrypted.

Everything that arrives is a stranger's until its source is the one that the latch took; the rest is
counted and dropped before it costs more than being read. How much is read is bounded per step.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge.clock import Clock
from edge.transport.rtp import packet as rtp
from edge.transport.rtp.budget import Budget
from edge.transport.rtp.packet import RtpPacket
from edge.transport.sip.core.flow import Address
from edge.transport.sip.media.agreement import CryptoPair
from edge.transport.sip.media.destination import usable
from edge.transport.sip.media.latch import Latch
from edge.transport.sip.media.poll import SocketPoll
from edge.transport.sip.media.ports import PortPair
from edge.transport.sip.media.srtp import Srtp

PER_STEP = 16
"""Packets of one socket that are read in one step of 5 ms."""

IN_TIME = 0.015
"""Seconds after the packet before: one that is that late is most likely the only one waiting, and
asking for another costs a tenth of all that a packet costs. In a burst all are taken."""

MAX_DATAGRAM = 1500
"""Bytes. A longer one is cut, and then makes no sense."""

RTP_PER_SECOND = 250
RTP_BURST = 500
"""Packets of the far end that are looked into: ten times 40 ms ones, twice 10 ms ones and room."""

UNPROVEN_PER_SECOND = 100
UNPROVEN_BURST = 200
"""Packets of other sources that are looked into or decrypted: the far end may have moved."""

RTCP_PER_SECOND = 50
RTCP_BURST = 100
"""Compound RTCP packets; the usual is one a second (RFC 3550 section 6.2)."""

UNANSWERED = 10.0
"""Seconds for which media goes to an address from which nothing has come: it may be a victim's, to
whom a caller wants a stream sent. A far end's own packets, reports too, show that it is there."""

SILENT = 3.0
"""Seconds without a packet after which a repeated description means that the far end moved."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without RTP or RTCP until the far end is given up; ``held`` is while on hold."""

    talking: float = 30.0
    held: float = 600.0


@dataclass(slots=True)
class CarrierCounts:
    """Packets of one call. ``foreign`` came from others; ``refused`` did not authenticate, were
    replayed or too many; ``malformed`` are none."""

    received: int = 0
    sent: int = 0
    unsent: int = 0
    foreign: int = 0
    refused: int = 0
    malformed: int = 0


class RtpCarrier:
    """Implements ``edge.transport.rtp.stream.Carrier`` over a pair of ports.

    Until ``agree`` was called nothing is sent, and what arrives is dropped. ``on_lost`` is called
    when ``watch`` finds that the far end was silent for too long. ``own`` are the hosts that are
    this one, for nothing is sent to ourselves; ``loopback`` says that the far end may be on it.
    """

    def __init__(
        self,
        pair: PortPair,
        poll: SocketPoll,
        clock: Clock,
        patience: Patience,
        *,
        own: frozenset[str] = frozenset(),
        loopback: bool = False,
    ) -> None:
        self.on_rtp: Callable[[RtpPacket], None] = _ignore
        self.on_rtcp: Callable[[bytes], None] = _ignore
        self.on_lost: Callable[[], None] = _nothing
        self.counts = CarrierCounts()
        self._pair = pair
        self._poll = poll
        self._clock = clock
        self._patience = patience
        self._own = frozenset((host, pair.port + n) for host in own for n in (0, 1))
        self._loopback = loopback
        self._family = 6 if pair.rtp.family == socket.AF_INET6 else 4
        self._receive = pair.rtp.recvfrom
        self._send = pair.rtp.sendto
        self._latch = Latch()
        self._types: frozenset[int] = frozenset()
        self._srtp: Srtp | None = None
        self._source: Any = None
        """As the socket says it: for IPv6 there are two numbers more."""
        self._to: Address | None = None
        self._rtcp_to: Address | None = None
        self._muxed = False
        self._held = False
        self._heard_at = clock.monotonic()
        self._named_at = self._heard_at
        self._reported = False
        self._unanswered = False
        self._read_at = float("-inf")
        self._rtp = Budget(RTP_PER_SECOND, RTP_BURST)
        self._unproven = Budget(UNPROVEN_PER_SECOND, UNPROVEN_BURST)
        self._rtcp = Budget(RTCP_PER_SECOND, RTCP_BURST)
        self._open = True
        poll.add(pair.rtp, self._drain)
        poll.add(pair.rtcp, self._drain_reports)

    @property
    def encrypted(self) -> bool:
        """Whether the media is SRTP."""
        return self._srtp is not None

    @property
    def latched(self) -> Address | None:
        """Where the far end was found to send from."""
        return self._latch.source

    def agree(
        self,
        remote: Address | None,
        remote_rtcp: Address | None,
        keys: CryptoPair | None,
        types: frozenset[int],
        *,
        muxed: bool,
        held: bool,
        signalling: str | None,
    ) -> None:
        """What was negotiated last: addresses, keys, and the payload types that may arrive.

        ``signalling`` is the host that signals for the far end, if known.
        """
        now = self._clock.monotonic()
        if keys is None:
            self._srtp = None
        elif self._srtp is None:
            self._srtp = Srtp(keys)
        else:
            self._srtp.rekey(keys, now)
        self._types = types
        self._muxed = muxed
        if self._held and not held:
            self._heard_at = now
        self._held = held
        described = self._usable(remote)
        silent = now - self._heard_at > SILENT
        self._latch.describe(described, signalling, now, silent=silent)
        if self._latch.source is None:
            self._source = None
            self._to = described
            self._rtcp_to = self._usable(remote_rtcp)
            self._named_at = now
            self._reported = self._unanswered = False

    def begin(self) -> None:
        """The call stands: the far end's silence counts from now on."""
        self._heard_at = self._named_at = self._clock.monotonic()
        self._latch.extend(self._heard_at)

    def send_rtp(self, packet: bytes) -> bool:
        """See ``Carrier``."""
        to = self._to
        if to is None or self._unanswered or not self._open:
            return False
        if self._srtp is not None:
            encrypted = self._srtp.protect(packet)
            if encrypted is None:
                self.counts.unsent += 1
                return False
            packet = encrypted
        try:
            self._send(packet, to)
        except OSError:
            # A full buffer, no route, or an ICMP error of a packet before.
            self.counts.unsent += 1
            return False
        self.counts.sent += 1
        return True

    def send_rtcp(self, packet: bytes) -> None:
        """See ``Carrier``."""
        to = self._to if self._muxed else self._rtcp_to
        if to is None or self._unanswered or not self._open:
            return
        encrypted = self._srtp.protect_rtcp(packet) if self._srtp is not None else packet
        if encrypted is None:
            return
        try:
            (self._pair.rtp if self._muxed else self._pair.rtcp).sendto(encrypted, to)
        except OSError:
            self.counts.unsent += 1

    def watch(self) -> None:
        """See ``Carrier``."""
        patience = self._patience.held if self._held else self._patience.talking
        now = self._clock.monotonic()
        heard = self._reported or self._latch.source is not None
        self._unanswered = not heard and now - self._named_at >= UNANSWERED
        if self._open and now - self._heard_at >= patience:
            self.on_lost()

    def close(self) -> None:
        """Look at the sockets no more. They stay open: they are the pair's. Idempotent."""
        if self._open:
            self._open = False
            self._poll.remove(self._pair.rtp)
            self._poll.remove(self._pair.rtcp)

    def _usable(self, address: Address | None) -> Address | None:
        found = usable(address, family=self._family, loopback=self._loopback)
        return None if found in self._own else found

    # --- what arrives ----------------------------------------------------------------------------

    def _drain(self) -> None:
        now = self._clock.monotonic()
        for _ in range(PER_STEP):
            if not self._open:
                return
            try:
                data, source = self._receive(MAX_DATAGRAM)
            except OSError:
                # Nothing more, or an ICMP error of a packet that we sent.
                return
            if len(data) >= 8 and 192 <= data[1] <= 223:
                # Muxed or not (RFC 5761 section 4): no payload type is up there.
                self._report(data, source, now)
            elif len(data) < 12 or data[0] & 0xC0 != 0x80:
                self.counts.malformed += 1
            elif source == self._source:
                in_time = now - self._read_at >= IN_TIME
                self._read_at = now
                self._media(data, now)
                if in_time:
                    # There is hardly another one; if there is, the next step finds it.
                    return
            else:
                self._foreign(data, source, now)

    def _media(self, data: bytes, now: float) -> None:
        if not self._rtp.take(1, now):
            self.counts.refused += 1
            return
        if self._srtp is not None:
            plain = self._srtp.unprotect(data, now)
            if plain is None:
                self.counts.refused += 1
                return
            data = plain
        packet = rtp.parse(data)
        if packet is None:
            self.counts.malformed += 1
            return
        self.counts.received += 1
        self._heard_at = now
        self.on_rtp(packet)

    def _foreign(self, data: bytes, source: Any, now: float) -> None:
        """A packet of a source that is not, or not yet, the far end."""
        if not self._types or not self._unproven.take(1, now):
            self.counts.foreign += 1
            return
        if self._srtp is not None:
            plain = self._srtp.unprotect(data, now)
            packet = None if plain is None else rtp.parse(plain)
            taken = packet is not None
            if taken:
                self._latch.proven(_address(source))
        else:
            packet = rtp.parse(data)
            taken = (
                packet is not None
                and packet.payload_type in self._types
                and self._latch.admits(_address(source), packet.ssrc, packet.sequence, now)
            )
        if packet is None or not taken:
            self.counts.foreign += 1
            return
        self._move(source)
        self.counts.received += 1
        self._heard_at = now
        self.on_rtp(packet)

    def _move(self, source: Any) -> None:
        """Media goes to ``source`` from now on, and reports to the port above unless told else."""
        host, port = _address(source)
        if self._to != (host, port):
            self._to = (host, port)
            self._rtcp_to = (host, min(port + 1, 65_535))
        self._source = source
        self._unanswered = False

    def _drain_reports(self) -> None:
        now = self._clock.monotonic()
        for _ in range(PER_STEP):
            if not self._open:
                return
            try:
                data, source = self._pair.rtcp.recvfrom(MAX_DATAGRAM)
            except OSError:
                return
            if self._report(data, source, now):
                self._rtcp_to = _address(source)

    def _report(self, data: bytes, source: Any, now: float) -> bool:
        """Take a compound RTCP packet of the far end's host; whether it was one."""
        expected = self._latch.source or self._to
        if expected is None or source[0] != expected[0] or not self._rtcp.take(1, now):
            self.counts.foreign += 1
            return False
        if len(data) < 8 or data[0] & 0xC0 != 0x80 or not 192 <= data[1] <= 223:
            self.counts.malformed += 1
            return False
        if self._srtp is not None:
            plain = self._srtp.unprotect_rtcp(data, now)
            if plain is None:
                self.counts.refused += 1
                return False
            data = plain
        self._heard_at = now
        self._reported = True
        self._unanswered = False
        self.on_rtcp(data)
        return True


def _address(source: Any) -> Address:
    return source[0], source[1]


def _ignore(_: object) -> None:
    pass


def _nothing() -> None:
    pass
