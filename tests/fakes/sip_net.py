"""A network of SIP agents in one process: seeded loss, duplication, delay and reordering, on a
clock that moves from one deadline to the next.

Every message travels as bytes and is parsed where it arrives, as on the wire.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from edge.transport.sip.core.flow import Address, Destination, Flow, Transport
from edge.transport.sip.core.timers import Timers
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Message, Response, parse_message
from tests.fakes.clock import FakeClock


class Receiver(Protocol):
    """A TransactionLayer or an AgentCore."""

    def receive(self, message: Message, flow: Flow) -> None: ...
    def malformed(self, error: MessageError, flow: Flow) -> None: ...
    def transport_failed(self, branch: str) -> None: ...
    def flow_closed(self, flow: Flow) -> None: ...


@dataclass(frozen=True)
class Sent:
    """One message as it was put on the wire; ``arrived`` is False for a lost one."""

    at: float
    source: Address
    target: Address
    message: Message
    arrived: bool


@dataclass
class Weather:
    """What happens to datagrams; streams only take their time. ``delay`` is a range in seconds:
    a wide one reorders."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: tuple[float, float] = (0.01, 0.01)


@dataclass
class SipNet:
    """Make nodes, attach their receivers, then :meth:`run`."""

    clock: FakeClock = field(default_factory=FakeClock)
    seed: int = 0
    weather: Weather = field(default_factory=Weather)
    drop: Callable[[Sent], bool] = lambda sent: False
    """Loses what it says True to, besides what the weather loses. Streams too."""

    def __post_init__(self) -> None:
        self.sent: list[Sent] = []
        self.unreadable: list[bytes] = []
        """What was sent and nobody could read; it does not arrive. See :meth:`inject` for that."""
        self.failures: list[Address] = []
        """Where streams were wanted to and nobody was."""
        self.timers = Timers(self.clock)
        self.nodes: dict[Address, Node] = {}
        self._random = random.Random(self.seed)
        self._numbers = count(1)

    def node(self, host: str, port: int = 5060) -> Node:
        """A new one, at an address of its own."""
        fresh = Node(self, (host, port))
        self.nodes[fresh.address] = fresh
        return fresh

    def run(self, seconds: float | None = None) -> None:
        """Let ``seconds`` pass, or as much as it takes until nothing is pending."""
        until = None if seconds is None else self.clock.monotonic() + seconds
        while True:
            wheels = [self.timers, *(node.timers for node in self.nodes.values())]
            due = min((t.deadline for t in wheels if t.deadline is not None), default=None)
            if due is None or (until is not None and due > until):
                break
            self._advance_to(due)
            for wheel in wheels:
                wheel.run()
        if until is not None:
            self._advance_to(until)

    def inject(self, source: Address, target: Address, data: bytes) -> None:
        """A datagram from anywhere, by no weather, 1 ms later."""
        flow = Flow("udp", target, source)
        self.timers.after(0.001, lambda: self.nodes[target].arrive(data, flow))

    def cut(self, flow: Flow) -> None:
        """Break the connection ``flow``, as either end knows it."""
        for address, other in ((flow.local, flow.remote), (flow.remote, flow.local)):
            node = self.nodes[address]
            known = node.connections.pop((flow.transport, other), None)
            if known is not None:
                node.receiver.flow_closed(known)

    def messages(self, source: Address | None = None) -> list[str]:
        """``INVITE`` or ``200 INVITE`` for each message, in order of sending."""
        return [
            describe(sent.message) for sent in self.sent if source is None or sent.source == source
        ]

    def _advance_to(self, when: float) -> None:
        if when > self.clock.monotonic():
            self.clock.advance(when - self.clock.monotonic())

    def _carry(self, source: Node, destination: Destination, data: bytes) -> None:
        flow = destination.flow
        default = 5061 if destination.transport == "tls" else 5060
        target = flow.remote if flow else (destination.host, destination.port or default)
        try:
            message = parse_message(data)
        except MessageError:
            self.unreadable.append(data)
            return
        if destination.transport == "udp":
            self._datagram(source, target, message, data)
            return
        if (destination.transport, target) not in source.connections:
            target = (destination.host, destination.port or default)
        self._stream(source, target, destination.transport, message, data)

    def _datagram(self, source: Node, target: Address, message: Message, data: bytes) -> None:
        there = self.nodes.get(target)
        flow = Flow("udp", target, source.address)
        copies = 2 if self._random.random() < self.weather.duplication else 1
        for _ in range(copies):
            lost = self._random.random() < self.weather.loss
            pause = self._random.uniform(*self.weather.delay)
            if self._record(source, target, message, not lost) and there is not None:
                self.timers.after(pause, lambda: there.arrive(data, flow))

    def _stream(
        self, source: Node, target: Address, transport: Transport, message: Message, data: bytes
    ) -> None:
        there = self.nodes.get(target)
        if there is None:
            self.failures.append(target)
            source.receiver.transport_failed(message.via.branch)
            return
        if (transport, target) not in source.connections:
            near, far = next(self._numbers), next(self._numbers)
            source.connections[transport, target] = Flow(transport, source.address, target, near)
            there.connections[transport, source.address] = Flow(
                transport, target, source.address, far
            )
        flow = there.connections[transport, source.address]
        if self._record(source, target, message, True):
            # One delay for all, so nothing overtakes.
            self.timers.after(self.weather.delay[1], lambda: there.arrive(data, flow))

    def _record(self, source: Node, target: Address, message: Message, arrives: bool) -> bool:
        now = self.clock.monotonic()
        sent = Sent(now, source.address, target, message, arrives)
        if self.drop(sent):
            sent = Sent(now, source.address, target, message, False)
        self.sent.append(sent)
        return sent.arrived


class Node:
    """One agent's place: its address, its timers, and ``send`` and ``local`` for its layer."""

    receiver: Receiver

    def __init__(self, net: SipNet, address: Address) -> None:
        self.address = address
        self.timers = Timers(net.clock)
        self.connections: dict[tuple[Transport, Address], Flow] = {}
        self.heard: list[Message] = []
        self._net = net

    def attach(self, receiver: Receiver) -> None:
        """Give it what arrives here."""
        self.receiver = receiver

    def send(self, destination: Destination, data: bytes) -> None:
        """The ``send`` of a layer."""
        self._net._carry(self, destination, data)

    def local(self, destination: Destination) -> Address:
        """The ``local`` of a layer."""
        return self.address

    def at(self, transport: Transport = "udp") -> Destination:
        """This node, as a destination for others."""
        return Destination(transport, *self.address)

    def arrive(self, data: bytes, flow: Flow) -> None:
        """Parse ``data`` and hand it on."""
        try:
            message = parse_message(data)
        except MessageError as error:
            self.receiver.malformed(error, flow)
            return
        self.heard.append(message)
        self.receiver.receive(message, flow)


def describe(message: Message) -> str:
    """``INVITE`` or ``200 INVITE``."""
    method = message.cseq.method
    return f"{message.status} {method}" if isinstance(message, Response) else method
