"""One UDP socket. Sending never raises, and nothing that arrives does."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass

from edge.transport.sip.core.flow import Address, Flow
from edge.transport.sip.net.errors import BindError, ReachCode

_BATCH = 64
"""Datagrams read before other things have their turn."""
_SOCKET_BUFFER = 4 << 20
_LARGEST = 65_535


@dataclass(slots=True)
class DatagramCounts:
    """``errors`` are those that the network reported for something sent earlier (ICMP)."""

    received: int = 0
    sent: int = 0
    unsent: int = 0
    errors: int = 0


class DatagramSocket:
    """``received(data, flow)`` is called for each datagram and must not raise."""

    def __init__(self, received: Callable[[bytes, Flow], None]) -> None:
        self.counts = DatagramCounts()
        self._received = received
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._buffer = bytearray(_LARGEST)
        self.address: Address = ("", 0)
        """Where it is bound."""

    @property
    def family(self) -> socket.AddressFamily:
        """Of the address."""
        return family_of(self.address[0])

    def open(self, address: Address) -> None:
        """Bind and listen in the running loop. Raises ``BindError``."""
        loop = asyncio.get_running_loop()
        bound = bind_socket(address, socket.SOCK_DGRAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
        self._socket = bound
        self.address = address_of(bound)
        self._loop = loop
        loop.add_reader(bound, self._readable)

    def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._socket is not None:
            if self._loop is not None:
                self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def send(self, data: bytes, address: Address) -> ReachCode | None:
        """Send, or say why not. What is None here may still be lost on the way."""
        if self._socket is None:
            return "no_socket"
        try:
            self._socket.sendto(data, address)
        except (BlockingIOError, InterruptedError):
            # The buffer is full: a loss like any other, and the transaction sends again.
            self.counts.unsent += 1
            return None
        except (OSError, OverflowError, ValueError):
            self.counts.unsent += 1
            return "no_route"
        self.counts.sent += 1
        return None

    def _readable(self) -> None:
        for _ in range(_BATCH):
            if self._socket is None:
                return
            try:
                size, source = self._socket.recvfrom_into(self._buffer)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.counts.errors += 1
                continue
            self.counts.received += 1
            flow = Flow("udp", self.address, (str(source[0]), int(source[1])))
            self._received(bytes(memoryview(self._buffer)[:size]), flow)


def bind_socket(address: Address, kind: socket.SocketKind) -> socket.socket:
    """A non-blocking socket, of one family only. Raises ``BindError``."""
    family = family_of(address[0])
    name = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
    try:
        bound = socket.socket(family, kind)
    except OSError as error:
        raise BindError(f"{name} {address[0]}: {error.strerror}") from error
    try:
        bound.setblocking(False)
        if family == socket.AF_INET6:
            # Else ``::`` would also take IPv4, in the shape of mapped addresses.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except (OSError, OverflowError) as error:
        bound.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "is used by another process" if taken else str(error)
        raise BindError(f"{name} port {address[1]} on {address[0]}: {why}") from error
    return bound


def address_of(bound: socket.socket) -> Address:
    """Where a socket is bound."""
    host, port = bound.getsockname()[:2]
    return str(host), int(port)


def family_of(host: str) -> socket.AddressFamily:
    """Of a numeric address."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET
