"""aioice's agent on the shared port.

The agent keeps the check list; sockets and consent are ours. Consent (RFC 7675) is asked from the
call's tick, because the question is also how a silent peer is told from a dead one.
"""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Callable
from typing import Any

from aioice import Candidate, Connection, stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol
from aiortc import RTCIceGatherer

from edge.transport.webrtc.udpmux import MAX_ADDRESSES, Address, UdpMux

_ICE_CHARACTERS = string.ascii_letters + string.digits
_UFRAG_LENGTH = 16
_MAX_QUEUED = 64


def random_ice_string(length: int) -> str:
    """Random ``ice-char`` (RFC 8839 section 5.4)."""
    return "".join(secrets.choice(_ICE_CHARACTERS) for _ in range(length))


class MuxGatherer(RTCIceGatherer):
    """aiortc's gatherer around our connection; there is nothing to ask a server for."""

    def __init__(self, connection: MuxConnection) -> None:
        super().__init__(iceServers=[])
        self._connection = connection


class MuxConnection(Connection):
    """One call's ICE agent. Takes part in the mux as ``Muxed``.

    ``on_packet`` gets every other datagram from an address of the call, ``on_heard`` is called for
    each authenticated STUN message; ``admits_check`` says whether one more request is handled.
    """

    def __init__(self, mux: UdpMux, advertised: Address, *, controlling: bool) -> None:
        self.ufrag = random_ice_string(_UFRAG_LENGTH)
        super().__init__(ice_controlling=controlling, local_username=self.ufrag)
        self.on_packet: Callable[[bytes], None] = _ignore_packet
        self.on_heard: Callable[[], None] = _ignore
        self.on_consent: Callable[[], None] = _ignore
        self.admits_check: Callable[[], bool] = _always
        self._mux = mux
        self._advertised = advertised
        self._protocol: StunProtocol | None = None
        mux.add(self)

    # --- what aioice calls ---------------------------------------------------------------------

    async def gather_candidates(self) -> None:
        """Offer the shared port as the only candidate."""
        if self._protocol is not None:
            return
        host, port = self._advertised
        protocol = StunProtocol(self)
        protocol.connection_made(_MuxTransport(self._mux, self, protocol))
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=1,
            transport="udp",
            priority=candidate_priority(1, "host"),
            host=host,
            port=port,
            type="host",
        )
        self._protocol = protocol
        self._protocols.append(protocol)
        self._local_candidates.append(protocol.local_candidate)
        self._local_candidates_start = self._local_candidates_end = True

    async def query_consent(self) -> None:
        """Nothing: see :meth:`ask_consent`."""

    async def close(self) -> None:
        await super().close()
        self._mux.remove(self)

    # --- what the mux calls --------------------------------------------------------------------

    def accepts(self, request: stun.Message) -> bool:
        attributes = request.attributes
        return (
            "USERNAME" in attributes
            and "PRIORITY" in attributes
            and self._valid_username(attributes["USERNAME"])
            and request.check_message_integrity(self.local_password.encode())
        )

    def answers(self, answer: stun.Message) -> bool:
        if self.remote_password is None:
            return False
        return answer.check_message_integrity(self.remote_password.encode())

    def stun_received(self, data: bytes, address: Address) -> None:
        if self._protocol is None or self._closing:
            return
        self.on_heard()
        if data[0] == 0 and not (self.admits_check() and self._has_room(address)):
            return
        if data[0] == 1 and address == self.remote_address:
            self.on_consent()
        self._protocol.datagram_received(data, address)

    def packet_received(self, data: bytes) -> None:
        self.on_packet(data)

    def _has_room(self, address: Address) -> bool:
        """Whether aioice may check ``address``: each new one is a pair that it keeps for good.

        The port counts the addresses that a call has; those of other calls are counted here only.
        """
        known = self._remote_candidates
        return len(known) < MAX_ADDRESSES or any((c.host, c.port) == address for c in known)

    # --- what the peer calls -------------------------------------------------------------------

    @property
    def remote_address(self) -> Address | None:
        """Where the peer is, once a pair is nominated."""
        pair = self._nominated.get(1)
        return None if pair is None else pair.remote_addr

    def queue_packet(self, data: bytes) -> None:
        """Give a DTLS record to whoever reads the connection; a flood is dropped."""
        if self._queue.qsize() < _MAX_QUEUED:
            self.data_received(data, 1)

    def ask_consent(self) -> None:
        """Send one check to the nominated address; its answer calls ``on_consent``."""
        pair = self._nominated.get(1)
        if pair is None or self.remote_password is None:
            return
        # The controlling side nominates again: after a change of address this moves the media.
        request = self.build_request(pair, nominate=self.ice_controlling)
        request.add_message_integrity(self.remote_password.encode())
        self._mux.send_check(self, bytes(request), pair.remote_addr)


class _MuxTransport(asyncio.DatagramTransport):
    """The part of a datagram transport that aioice uses."""

    def __init__(self, mux: UdpMux, connection: MuxConnection, protocol: StunProtocol) -> None:
        super().__init__()
        self._mux = mux
        self._connection = connection
        self._protocol = protocol
        self._closed = False

    def sendto(self, data: Any, addr: Any = None) -> None:
        if not self._closed:
            if data[0] < 4:
                self._mux.send_check(self._connection, data, addr)
            else:
                self._mux.send(data, addr)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._mux.address if name == "sockname" else default

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._mux.remove(self._connection)
            self._protocol.connection_lost(None)


def _ignore() -> None:
    pass


def _always() -> bool:
    return True


def _ignore_packet(data: bytes) -> None:
    pass
