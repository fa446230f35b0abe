"""All sockets of one user agent, and the ways of a message through them."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

from edge.clock import Clock
from edge.transport.sip.core.flow import Address, Destination, Transport
from edge.transport.sip.core.timers import Timers
from edge.transport.sip.net.budgets import SourceBudgets
from edge.transport.sip.net.connections import Connections
from edge.transport.sip.net.datagrams import DatagramSocket, family_of
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.intake import Intake, Receiver
from edge.transport.sip.net.lookup import Lookup, SystemLookup
from edge.transport.sip.net.outbox import Outbox
from edge.transport.sip.net.own_address import OwnAddress
from edge.transport.sip.net.resolver import Resolver
from edge.transport.sip.net.settings import ListenSettings
from edge.transport.sip.net.text import is_request
from edge.transport.sip.net.timer_loop import TimerLoop


class Endpoint:
    """``start`` binds, ``run`` serves until ``stop`` or cancelled.

    ``receiver`` gets all that arrives; what it raises is counted and written down, no more.
    """

    def __init__(
        self,
        settings: ListenSettings,
        receiver: Receiver,
        *,
        clock: Clock,
        timers: Timers,
        lookup: Lookup | None = None,
        rng: random.Random | None = None,
    ) -> None:
        rng = rng or random.Random()  # for jitter and the choice among equals, which are no secrets
        self._settings = settings
        self._families: dict[Transport, frozenset[int]] = {}
        self._sockets: list[DatagramSocket] = []
        self._stopped = asyncio.Event()
        self.budgets = SourceBudgets(settings.limits, settings.trusted)
        self.intake = Intake(receiver, self.budgets, clock)
        self.timer_loop = TimerLoop(timers, clock, self.intake.settle)
        self.connections = Connections(settings, self.intake, clock=clock, timers=timers, rng=rng)
        self.resolver = Resolver(lookup or SystemLookup(), clock, families=self._families, rng=rng)
        self.outbox = Outbox(
            self.resolver,
            self.connections,
            self,
            settings.limits,
            clock,
            failed=self.intake.failed,
            large_over_tcp=settings.large_requests_over_tcp,
        )
        self._own = OwnAddress(clock, settings.advertised, self.outbox.target_of)

    @property
    def listeners(self) -> tuple[tuple[Transport, Address], ...]:
        """Where we listen, with the ports that were taken."""
        return tuple(self._own.listeners)

    @property
    def sockets(self) -> tuple[DatagramSocket, ...]:
        """The UDP sockets."""
        return tuple(self._sockets)

    def start(self) -> None:
        """Bind everything; what arrives waits for ``run``. Raises ``BindError`` and
        ``TlsFilesError``, and then holds nothing."""
        try:
            for address in self._settings.udp:
                opened = DatagramSocket(self.intake.datagram)
                self._sockets.append(opened)
                opened.open(address)
            self.connections.listen()
        except BaseException:
            self.stop()
            raise
        self._own.listeners = [("udp", each.address) for each in self._sockets]
        self._own.listeners += self.connections.listeners
        every = frozenset(6 if ":" in host else 4 for _, (host, _) in self._own.listeners)
        udp = frozenset(6 if ":" in each.address[0] else 4 for each in self._sockets)
        self._families.update({"udp": udp, "tcp": every, "tls": every})
        self.timer_loop.start()

    async def run(self) -> None:
        """Serve until stopped; then nothing of the endpoint is left."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self.outbox.begin(tasks)
                serving = tasks.create_task(self.connections.serve())
                await self._stopped.wait()
                serving.cancel()
                self.outbox.stop()
        finally:
            self.stop()

    def stop(self) -> None:
        """Close every socket now. Idempotent."""
        self._stopped.set()
        self.outbox.stop()
        self.timer_loop.stop()
        self.connections.close()
        for each in self._sockets:
            each.close()

    def send(self, destination: Destination, data: bytes) -> None:
        """Send, sooner or later; never raises. What is lost here is told to the receiver."""
        if is_request(data) and (target := self.outbox.target_of(destination)) is not None:
            self.budgets.called(target.host)
        self.outbox.send(destination, data)

    def send_datagram(self, data: bytes, target: Destination) -> Unreachable | None:
        """Send over UDP to a numeric target. Never raises."""
        host, port = target.host, target.port
        family = family_of(host)
        wanted = target.flow.local if target.flow is not None else None
        fitting = [each for each in self._sockets if each.family == family]
        chosen = next((each for each in fitting if each.address == wanted), None)
        chosen = chosen or (fitting[0] if fitting else None)
        if chosen is None or port is None:
            return Unreachable("no_socket", "we do not listen on UDP for its kind of address")
        problem = chosen.send(data, (host, port))
        if problem is None:
            return None
        return Unreachable(problem, "the datagram could not be sent")

    def local(self, destination: Destination) -> Address:
        """Host and port of our Via for ``destination``."""
        return self._own.local(destination)

    def contact(self, destination: Destination) -> str:
        """Our Contact URI for ``destination``."""
        return self._own.contact(destination)

    async def resolve(self, destination: Destination) -> tuple[Destination, ...]:
        """Numeric destinations, best first (RFC 3263). Raises ``Unreachable``."""
        targets = await self.resolver.resolve(replace(destination, flow=None))
        self.outbox.choose(destination, targets)
        return targets
