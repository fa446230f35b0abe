"""One UDP port for all calls of a worker (RFC 7983, RFC 8445).

Datagrams find their call by source address. An address is learned in two steps: a STUN request
whose MESSAGE-INTEGRITY is right claims an address that nobody has; a STUN *answer* to a check of
ours proves that the call's peer really receives there, and only that takes an address away from
another call. So neither a known ufrag nor a forged source address moves anybody's media, and a
caller whose NAT changes its port is found again.

The rest is dropped before it costs anything, and nothing that arrives here raises.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aioice import stun

from edge.transport.webrtc.errors import PortInUse

logger = logging.getLogger(__name__)

Address: TypeAlias = tuple[str, int]

MAX_ADDRESSES = 32
"""Addresses that one call may use in its life."""

MAX_CHECKS = 32
"""Connectivity checks of one call whose answers are awaited."""

_BATCH = 64
_MAX_DATAGRAM = 2048
_SOCKET_BUFFER = 4 << 20
_COOKIE = stun.COOKIE.to_bytes(4, "big")
_REQUEST, _ANSWER, _ERROR_ANSWER = 0x0001, 0x0101, 0x0111
_USERNAME = 0x0006


class Muxed(Protocol):
    """What the port needs of a call."""

    ufrag: str
    """Local ICE username fragment, unique on the port."""

    def accepts(self, request: stun.Message) -> bool:
        """Whether a binding request is signed with this call's credentials."""
        ...

    def answers(self, answer: stun.Message) -> bool:
        """Whether an answer is signed with the peer's credentials."""
        ...

    def stun_received(self, data: bytes, address: Address) -> None:
        """A STUN message that one of the two above found right."""
        ...

    def packet_received(self, data: bytes) -> None:
        """A datagram that is not STUN, from an address of this call. Not authenticated."""
        ...


@dataclass(slots=True)
class MuxCounts:
    """What happened on the port. ``dropped`` includes everything unknown or unsigned, and what a
    library stumbled over (``faults``)."""

    received: int = 0
    dropped: int = 0
    faults: int = 0
    unsent: int = 0


@dataclass(slots=True)
class _Route:
    call: Muxed
    proven: bool


@dataclass(slots=True)
class _Membership:
    addresses: set[Address]
    checks: deque[bytes]


class UdpMux:
    """The port. ``open`` binds it, ``close`` frees it."""

    def __init__(self) -> None:
        self.counts = MuxCounts()
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: dict[str, tuple[Muxed, _Membership]] = {}
        self._routes: dict[Address, _Route] = {}
        self._checks: dict[bytes, Muxed] = {}

    @property
    def address(self) -> Address:
        """Where the port is bound."""
        if self._socket is None:
            raise RuntimeError("the port is not open")
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    @property
    def calls(self) -> int:
        return len(self._calls)

    @property
    def addresses(self) -> int:
        """Entries in the address table."""
        return len(self._routes)

    def open(self, host: str, port: int) -> None:
        """Bind and start to listen in the running loop.

        Raises :class:`PortInUse` when the port is taken and ``OSError`` when ``host`` is not an
        address of this machine.
        """
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
            bound.bind((host, port))
        except OSError as error:
            bound.close()
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(f"UDP port {port} on {host} is used by another process") from error
            raise
        self._socket = bound
        loop.add_reader(bound, self._readable)
        self._loop = loop

    def close(self) -> None:
        """Stop listening. Idempotent; calls still on the port hear nothing more."""
        if self._socket is not None:
            if self._loop is not None:
                self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        self._calls.clear()
        self._routes.clear()
        self._checks.clear()

    def add(self, call: Muxed) -> None:
        """Listen for ``call``."""
        if call.ufrag in self._calls:
            raise ValueError("ufrag is taken")
        self._calls[call.ufrag] = (call, _Membership(set(), deque()))

    def remove(self, call: Muxed) -> None:
        """Forget ``call`` and all its addresses. Idempotent."""
        _, membership = self._calls.pop(call.ufrag, (call, _Membership(set(), deque())))
        for address in membership.addresses:
            if (route := self._routes.get(address)) is not None and route.call is call:
                del self._routes[address]
        for check in membership.checks:
            self._checks.pop(check, None)

    def send(self, data: bytes, address: Address) -> None:
        """Send a datagram or lose it, as UDP does."""
        if self._socket is None:
            return
        try:
            self._socket.sendto(data, address)
        except OSError:
            # A full buffer, no route, a refused address: all are losses to the sender.
            self.counts.unsent += 1

    def send_check(self, call: Muxed, data: bytes, address: Address) -> None:
        """Send a STUN message of ``call`` and, if it is a request, await its answer."""
        if data[:2] == b"\x00\x01" and (entry := self._calls.get(call.ufrag)) is not None:
            transaction = data[8:20]
            checks = entry[1].checks
            if transaction not in self._checks:
                if len(checks) >= MAX_CHECKS:
                    self._checks.pop(checks.popleft(), None)
                checks.append(transaction)
            self._checks[transaction] = call
        self.send(data, address)

    def received(self, data: bytes, address: Address) -> None:
        """Take one datagram. Never raises."""
        self.counts.received += 1
        try:
            if not self._deliver(data, address):
                self.counts.dropped += 1
        except Exception as error:
            # The last line: one datagram must not take the port of a whole worker down, whatever
            # a library makes of it. Its text may hold what the datagram said, and who sends many
            # must not fill the log: the first is written, the second, the fourth, and so on.
            self.counts.dropped += 1
            self.counts.faults = count = self.counts.faults + 1
            if count & (count - 1) == 0:
                extra = {"code": type(error).__name__, "count": count}
                logger.error("a datagram was dropped because handling it failed", extra=extra)

    def _readable(self) -> None:
        for _ in range(_BATCH):
            if self._socket is None:
                return
            try:
                data, address = self._socket.recvfrom(_MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # An ICMP error for something sent earlier; the port itself is fine.
                continue
            self.received(data, (address[0], address[1]))

    def _deliver(self, data: bytes, address: Address) -> bool:
        if not data:
            return False
        if data[0] < 4:
            return self._deliver_stun(data, address)
        route = self._routes.get(address)
        if route is None:
            return False
        route.call.packet_received(data)
        return True

    def _deliver_stun(self, data: bytes, address: Address) -> bool:
        if len(data) < 20 or data[4:8] != _COOKIE or int.from_bytes(data[2:4]) != len(data) - 20:
            return False
        kind = data[0] << 8 | data[1]
        if kind == _REQUEST:
            return self._deliver_request(data, address)
        if kind in (_ANSWER, _ERROR_ANSWER):
            return self._deliver_answer(data, address)
        return False

    def _deliver_request(self, data: bytes, address: Address) -> bool:
        ufrag = local_ufrag(data)
        if ufrag is None or (entry := self._calls.get(ufrag)) is None:
            return False
        call, membership = entry
        message = _parse(data)
        if message is None or not call.accepts(message):
            return False
        # An address that another call has stays there: the check which this request triggers goes
        # to that address too, and only its answer can move it.
        if address not in self._routes and not self._learn(call, membership, address, proven=False):
            return False
        call.stun_received(data, address)
        return True

    def _deliver_answer(self, data: bytes, address: Address) -> bool:
        call = self._checks.get(data[8:20])
        if call is None:
            return False
        message = _parse(data)
        if message is None or not call.answers(message):
            return False
        entry = self._calls.get(call.ufrag)
        if entry is None or not self._learn(call, entry[1], address, proven=True):
            return False
        del self._checks[data[8:20]]
        call.stun_received(data, address)
        return True

    def _learn(
        self, call: Muxed, membership: _Membership, address: Address, *, proven: bool
    ) -> bool:
        if address not in membership.addresses:
            if len(membership.addresses) >= MAX_ADDRESSES:
                return False
            membership.addresses.add(address)
        self._routes[address] = _Route(call, proven)
        return True


def local_ufrag(data: bytes) -> str | None:
    """The first half of USERNAME in a STUN request, or None (RFC 8445 section 7.2.2)."""
    position = 20
    while position + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, position)
        if kind == _USERNAME:
            name = data[position + 4 : position + 4 + length].partition(b":")[0]
            return name.decode("ascii") if name.isascii() else None
        position += 4 + length + -length % 4
    return None


def _parse(data: bytes) -> stun.Message | None:
    try:
        return stun.parse_message(data)
    except (ValueError, struct.error):
        # aioice checks the lengths of some attributes only.
        return None
