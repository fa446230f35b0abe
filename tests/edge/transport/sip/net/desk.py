"""An endpoint that answers OPTIONS, and bare sockets to talk to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self, cast

import pytest

from edge.clock import Clock, SystemClock
from edge.transport.sip.core.flow import Address, Destination, Flow, Transport
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.timers import Timers
from edge.transport.sip.core.transactions import Failure, ServerTransaction, TransactionLayer
from edge.transport.sip.net.endpoint import Endpoint
from edge.transport.sip.net.lookup import Lookup, Services
from edge.transport.sip.net.settings import ListenSettings
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Message, Request, Response, parse_message

LOOPBACK = "127.0.0.1"
HANG = 60.0
"""Seconds after which a test is stuck."""


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


class NoDns:
    """DNS that knows what it is told."""

    def __init__(
        self,
        addresses: dict[str, list[str]] | None = None,
        services: dict[str, Services] | None = None,
    ) -> None:
        self.asked: list[str] = []
        self._addresses = addresses or {}
        self._services = services or {}

    async def services(self, name: str) -> Services:
        self.asked.append(name)
        return self._services.get(name, Services((), 0.0))

    async def addresses(self, host: str) -> list[str]:
        from edge.transport.sip.net.errors import Unreachable

        self.asked.append(host)
        if host not in self._addresses:
            raise Unreachable("no_such_name", f"there is no host {host}")
        return self._addresses[host]


class Desk:
    """Answers OPTIONS with 200, and asks others."""

    def __init__(
        self, settings: ListenSettings, clock: Clock | None = None, lookup: Lookup | None = None
    ) -> None:
        self.clock = clock or SystemClock()
        self.timers = Timers(self.clock)
        self.endpoint = Endpoint(
            settings, self, clock=self.clock, timers=self.timers, lookup=lookup or NoDns()
        )
        self.layer = TransactionLayer(
            clock=self.clock,
            timers=self.timers,
            send=self.endpoint.send,
            local=self.endpoint.local,
            user=self,
        )
        self.seen: list[Message] = []
        self.bad: list[MessageError] = []
        self.flows: list[Flow] = []
        self.closed: list[Flow] = []
        self.used: set[Flow] = set()
        self.changed = asyncio.Event()
        self.raises = False
        self.asked: list[ServerTransaction] = []
        self.status = 200
        """How every request is answered, at first."""
        self._running: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.endpoint.start()
        self._running = await asyncio.TaskGroup().__aenter__()
        self._task = self._running.create_task(self.endpoint.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.endpoint.stop()
        assert self._running is not None
        await self._running.__aexit__(kind, error, trace)

    def address(self, transport: Transport = "udp", number: int = 0) -> Address:
        found = [where for name, where in self.endpoint.listeners if name == transport]
        return found[number]

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for something that a message, timer or connection makes true."""
        async with asyncio.timeout(HANG):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    async def ask(self, destination: Destination, **headers: str) -> Response | Failure:
        """OPTIONS, and what comes of it."""
        answers: asyncio.Queue[Response | Failure] = asyncio.Queue()
        request = Request("OPTIONS", f"sip:{destination.host}", headers=options_headers(**headers))
        self.layer.request(request, destination, answers.put_nowait, answers.put_nowait)
        async with asyncio.timeout(HANG):
            return await answers.get()

    # The receiver

    def receive(self, message: Message, flow: Flow) -> None:
        if self.raises:
            raise RuntimeError("broken on purpose")
        self.seen.append(message)
        self.flows.append(flow)
        self.layer.receive(message, flow)

    def malformed(self, error: MessageError, flow: Flow) -> None:
        self.bad.append(error)
        self.layer.malformed(error, flow)

    def flow_closed(self, flow: Flow) -> None:
        self.closed.append(flow)
        self.layer.flow_closed(flow)

    def transport_failed(self, branch: str) -> None:
        self.layer.transport_failed(branch)

    def in_use(self, flow: Flow) -> bool:
        return flow in self.used

    def settle(self) -> None:
        self.changed.set()

    # The user of the transactions

    def request_received(self, transaction: ServerTransaction) -> None:
        self.asked.append(transaction)
        transaction.respond(make_response(transaction.request, self.status))

    def ack_received(self, request: Request, flow: Flow) -> None:
        """Nobody calls here."""

    def response_received(self, response: Response, flow: Flow) -> None:
        """Nobody is called from here."""


def options_headers(**more: str) -> Headers:
    call = more.pop("call_id", "a-call")
    return Headers(
        [
            ("max-forwards", "70"),
            ("from", "<sip:here@example.com>;tag=1"),
            ("to", "<sip:there@example.com>"),
            ("call-id", call),
            ("cseq", "1 OPTIONS"),
            *((name.replace("_", "-"), value) for name, value in more.items()),
        ]
    )


def options(transport: str = "UDP", branch: str = "z9hG4bKtest", **more: str) -> bytes:
    """OPTIONS as bytes."""
    headers = Headers([("via", f"SIP/2.0/{transport} 127.0.0.1:9;rport;branch={branch}")])
    for name, value in options_headers(**more):
        headers.add(name, value)
    return Request("OPTIONS", "sip:there@example.com", headers=headers).encode()


class Datagrams(asyncio.DatagramProtocol):
    """A bare UDP socket."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.put_nowait(data)

    def send(self, data: bytes, address: Address) -> None:
        assert self.transport is not None
        self.transport.sendto(data, address)

    async def hear(self) -> bytes:
        async with asyncio.timeout(HANG):
            return await self.heard.get()

    async def answer(self) -> Response:
        message = parse_message(await self.hear())
        assert isinstance(message, Response)
        return message


@asynccontextmanager
async def datagrams(host: str = LOOPBACK) -> AsyncIterator[Datagrams]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Datagrams, local_addr=(host, 0))
    try:
        yield protocol
    finally:
        transport.close()


async def read_message(reader: asyncio.StreamReader) -> Message:
    """One message without a body."""
    async with asyncio.timeout(HANG):
        return parse_message(await reader.readuntil(b"\r\n\r\n"))


@asynccontextmanager
async def stream_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A bare TCP server; yields its port."""
    server = await asyncio.start_server(serve, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
