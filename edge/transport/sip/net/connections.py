"""Every TCP and TLS connection: those that come in, those we make, and how many there may be.

A connection of ours is used again for the same address, port and verified name; one that came in
is used only by those who name its flow, since nothing but its own messages says whose it is
(RFC 5923 section 9 has what could go wrong otherwise).
"""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import socket
import ssl
import sys
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Protocol

from edge.clock import Clock
from edge.transport.sip.core.flow import Address, Destination, Flow, Transport
from edge.transport.sip.core.timers import Timers
from edge.transport.sip.net.budgets import source_key
from edge.transport.sip.net.connection import Connection, ConnectionParts, ConnectionUser, CutReason
from edge.transport.sip.net.datagrams import address_of, bind_socket, family_of
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.settings import ListenSettings, PeerTls
from edge.transport.sip.net.tls import (
    check_pin,
    client_context,
    identities,
    server_context,
    tls_problem,
)

logger = logging.getLogger(__name__)

BACKLOG = 256
STRANGERS_SHARE = 0.75
"""Of the connections, how many there may be before none of a stranger is taken."""
ACCEPT_PAUSE = 0.5
"""Seconds without accepting after the machine ran out of something, such as file descriptors."""
ANY_HOST = frozenset({"0.0.0.0", "::"})


class StreamUser(ConnectionUser, Protocol):
    """Who the messages are for. Nothing here may raise."""

    def flow_closed(self, flow: Flow) -> None:
        """A connection that stood is gone."""
        ...

    def trusts(self, host: str) -> bool:
        """Whether one source may have as many connections as there are."""
        ...


class Connections:
    """``listen`` binds, ``serve`` accepts until cancelled, ``close`` ends all."""

    def __init__(
        self,
        settings: ListenSettings,
        user: StreamUser,
        *,
        clock: Clock,
        timers: Timers,
        rng: random.Random,
    ) -> None:
        self.on_lost: Callable[[Connection], None] = lambda connection: None
        """Called with each connection that is gone."""
        self.cut: Counter[CutReason] = Counter()
        """How many connections we ended, by reason."""
        self.refused = 0
        """Connections beyond a bound."""
        self.failed_handshakes = 0
        self.listeners: list[tuple[Transport, Address]] = []
        self._settings = settings
        self._user = user
        self._parts = ConnectionParts(self, user, clock, timers, settings.limits, rng)
        self._bound: list[tuple[Transport, socket.socket]] = []
        self._numbers = count(1)
        self._open: dict[int, Connection] = {}
        self._ours: dict[tuple[Transport, str, int, str], Connection] = {}
        self._seats: dict[int, str] = {}
        self._sources: Counter[str] = Counter()
        self._strangers_tls: set[int] = set()
        self._most = min(settings.limits.connections, _files() // 2)
        self._contexts: dict[PeerTls, ssl.SSLContext] = {}
        self._server_context: ssl.SSLContext | None = None

    def __len__(self) -> int:
        """Connections that count against the bound: open, or in their handshake."""
        return len(self._seats)

    def listen(self) -> None:
        """Bind, and read every certificate. Raises ``BindError`` and ``TlsFilesError``."""
        settings = self._settings
        if settings.server_tls is not None:
            self._server_context = server_context(settings.server_tls)
        for peer in settings.peers.values():
            self._context(peer)
        addresses: list[tuple[Transport, Address]] = [("tcp", each) for each in settings.tcp]
        addresses += [("tls", each) for each in settings.tls]
        for transport, address in addresses:
            bound = bind_socket(address, socket.SOCK_STREAM)
            self._bound.append((transport, bound))
            bound.listen(BACKLOG)
            self.listeners.append((transport, address_of(bound)))

    async def serve(self) -> None:
        """Accept connections until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for transport, bound in self._bound:
                tasks.create_task(self._accept(transport, bound, tasks))

    def close(self, reason: CutReason = "stopped") -> None:
        """Stop listening and end every connection. Idempotent."""
        for _, bound in self._bound:
            bound.close()
        self._bound.clear()
        for connection in list(self._open.values()):
            connection.cut(reason)

    def find(self, flow: Flow) -> Connection | None:
        """The connection of ``flow`` while it stands."""
        found = self._open.get(flow.connection)
        return found if found is not None and found.open and found.flow == flow else None

    def ours_to(self, target: Destination) -> Connection | None:
        """A connection that we made to a numeric ``target``."""
        found = self._ours.get(_key(target))
        return found if found is not None and found.open else None

    def verified(self, flow: Flow) -> tuple[str, ...]:
        """The names in the far end's certificate, when it has shown one that we checked."""
        found = self.find(flow)
        session = found.ssl_object if found is not None else None
        return identities(session.getpeercert()) if isinstance(session, ssl.SSLObject) else ()

    async def connect(self, target: Destination) -> Connection:
        """A connection to a numeric ``target``, made unless it stands. Raises ``Unreachable``."""
        if (standing := self.ours_to(target)) is not None:
            return standing
        if len(self) >= self._most:
            raise Unreachable("full", "there are too many connections")
        connection = self._new(target.transport, target.host, outgoing=True)
        try:
            await self._open_to(target, connection)
        except BaseException:
            connection.cut("stopped")
            self._leave(connection)
            raise
        self._ours[_key(target)] = connection
        return connection

    def opened(self, connection: Connection) -> None:
        session = connection.ssl_object
        if connection.peer is not None and isinstance(session, ssl.SSLObject):
            try:
                check_pin(connection.peer, session.getpeercert(binary_form=True))
            except Unreachable as error:
                # Before the first byte of a stranger is read.
                connection.problem = error
                connection.cut("certificate")
        self._open[connection.number] = connection

    def closed(self, connection: Connection) -> None:
        flow = connection.flow
        assert flow is not None
        if connection.cut_for is not None:
            self.cut[connection.cut_for] += 1
        self._open.pop(connection.number, None)
        for key in [key for key, ours in self._ours.items() if ours is connection]:
            del self._ours[key]
        self._leave(connection)
        self.on_lost(connection)
        self._user.flow_closed(flow)

    def _new(self, transport: Transport, host: str, *, outgoing: bool) -> Connection:
        made = Connection(next(self._numbers), transport, self._parts, outgoing=outgoing)
        self._seats[made.number] = key = source_key(host)
        self._sources[key] += 1
        return made

    def _context(self, peer: PeerTls) -> ssl.SSLContext:
        if peer not in self._contexts:
            self._contexts[peer] = client_context(peer)
        return self._contexts[peer]

    def _room(self, transport: Transport, host: str) -> bool:
        """Whether a connection from ``host`` is taken. Strangers together leave some for trunks."""
        limits = self._settings.limits
        if self._user.trusts(host):
            return len(self) < self._most
        if transport == "tls" and len(self._strangers_tls) >= limits.strangers_tls:
            return False
        here = self._sources[source_key(host)]
        return len(self) < self._most * STRANGERS_SHARE and here < limits.connections_per_source

    def _leave(self, connection: Connection) -> None:
        self._strangers_tls.discard(connection.number)
        key = self._seats.pop(connection.number, None)
        if key is None:
            return
        self._sources[key] -= 1
        if self._sources[key] <= 0:
            del self._sources[key]

    async def _accept(
        self, transport: Transport, bound: socket.socket, tasks: asyncio.TaskGroup
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(bound)
            except OSError as error:
                if bound.fileno() < 0:
                    return
                logger.warning("a connection could not be accepted", extra={"code": error.errno})
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            host = str(address[0])
            if not self._room(transport, host):
                self.refused += 1
                accepted.close()
                continue
            connection = self._new(transport, host, outgoing=False)
            if transport == "tls" and not self._user.trusts(host):
                self._strangers_tls.add(connection.number)
            tasks.create_task(self._take(connection, accepted, transport))

    async def _take(
        self, connection: Connection, accepted: socket.socket, transport: Transport
    ) -> None:
        loop = asyncio.get_running_loop()
        context = self._server_context if transport == "tls" else None
        try:
            _tune(accepted)
            await loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=context,
                ssl_handshake_timeout=self._settings.limits.handshake if context else None,
            )
        except (OSError, RuntimeError) as error:
            # What a stranger's handshake fails of is no news of ours.
            self.failed_handshakes += 1
            # Its traceback and the frames in it hold one another, and a third of a megabyte of
            # TLS each time: a full collection of garbage may be a thousand handshakes away.
            error.__traceback__ = None
        finally:
            if connection.flow is None:
                accepted.close()
                self._leave(connection)

    async def _open_to(self, target: Destination, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        wanted = (target.name or target.host).lower()
        peer = self._settings.peers.get(wanted, PeerTls())
        tls = target.transport == "tls"
        connection.peer = peer
        limits = self._settings.limits
        try:
            made = await asyncio.wait_for(self._socket_to(loop, target), limits.handshake)
        except TimeoutError as error:
            raise Unreachable("timeout", "nothing answered the connection") from error
        except ConnectionRefusedError as error:
            raise Unreachable("refused", "the connection was refused") from error
        except (OSError, OverflowError) as error:
            raise Unreachable("no_route", f"no way there: {error}") from error
        try:
            await loop.create_connection(
                lambda: connection,
                sock=made,
                ssl=self._context(peer) if tls else None,
                server_hostname=wanted if tls else None,
                ssl_handshake_timeout=limits.handshake if tls else None,
            )
        except (OSError, ValueError) as error:
            made.close()
            raise tls_problem(error) from error
        if connection.problem is not None:
            raise connection.problem

    async def _socket_to(
        self, loop: asyncio.AbstractEventLoop, target: Destination
    ) -> socket.socket:
        made = socket.socket(family_of(target.host), socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            _tune(made)
            if (source := self._source(target)) is not None:
                made.bind((source, 0))
            await loop.sock_connect(made, (target.host, target.port or 0))
        except BaseException:
            made.close()
            raise
        return made

    def _source(self, target: Destination) -> str | None:
        """The address to connect from: a trunk may know us by that one only."""
        family = family_of(target.host)
        for transport, (host, _) in self.listeners:
            if transport == target.transport and family_of(host) == family and host not in ANY_HOST:
                return host
        return None


def _files() -> int:
    """How many files this process may have open. Half of them are left for its other work: no
    stranger's connections may keep it from talking to its workers."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def _tune(stream: socket.socket) -> None:
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    user_timeout: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
    if user_timeout is not None:
        # What we sent is not acknowledged, not even by the far end's kernel: it is gone.
        stream.setsockopt(socket.IPPROTO_TCP, user_timeout, 30_000)


def _key(target: Destination) -> tuple[Transport, str, int, str]:
    name = (target.name or target.host).lower() if target.transport == "tls" else ""
    return target.transport, target.host, target.port or 0, name
