"""One end of a transaction for tests: a layer whose user writes down all that it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge.transport.sip.core.flow import Address, Destination, Flow
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.transaction_timers import TransactionTimers
from edge.transport.sip.core.transactions import (
    ClientTransaction,
    Failure,
    ServerTransaction,
    TransactionLayer,
)
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Message, Request, Response
from tests.fakes.sip_net import Node, SipNet

HERE: Address = ("192.0.2.1", 5060)
THERE: Address = ("192.0.2.2", 5060)


class Party:
    """``behave`` answers each new request; by default nobody does."""

    def __init__(self, net: SipNet, address: Address, settings: TransactionTimers | None = None):
        self.node: Node = net.node(*address)
        self.layer = TransactionLayer(
            clock=net.clock,
            timers=self.node.timers,
            send=self.node.send,
            local=self.node.local,
            user=self,
            settings=settings or TransactionTimers(),
        )
        self.node.attach(self.layer)
        self.behave: Callable[[ServerTransaction], None] = lambda transaction: None
        self.asked: list[ServerTransaction] = []
        self.acks: list[Request] = []
        self.strays: list[Response] = []
        self.cancelled = 0
        self.failures: list[Failure] = []

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left."""
        return self.layer.active == self.layer.entries == len(self.node.timers) == 0

    def request_received(self, transaction: ServerTransaction) -> None:
        self.asked.append(transaction)
        transaction.on_cancel = self._cancelled
        transaction.on_failure = self.failures.append
        self.behave(transaction)

    def ack_received(self, request: Request, flow: Flow) -> None:
        self.acks.append(request)

    def response_received(self, response: Response, flow: Flow) -> None:
        self.strays.append(response)

    def ask(self, request: Request, destination: Destination) -> Asked:
        """Send ``request`` and write down what becomes of it."""
        asked = Asked()
        asked.transaction = self.layer.request(
            request, destination, asked.responses.append, asked.failures.append
        )
        return asked

    def _cancelled(self) -> None:
        self.cancelled += 1


@dataclass
class Asked:
    """What became of one request."""

    responses: list[Response] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    transaction: ClientTransaction = field(init=False)

    @property
    def statuses(self) -> list[int]:
        return [response.status for response in self.responses]


class Deaf:
    """A receiver that does nothing: the test plays its part by hand."""

    def receive(self, message: Message, flow: Flow) -> None: ...
    def malformed(self, error: MessageError, flow: Flow) -> None: ...
    def transport_failed(self, branch: str) -> None: ...
    def flow_closed(self, flow: Flow) -> None: ...


def make_request(
    method: str = "INVITE",
    *,
    cseq: int = 1,
    call_id: str = "c1",
    to_tag: str = "",
    via: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
) -> Request:
    """From alice to bob; without a Via unless told."""
    mine = Headers([("via", via)] if via else [])
    mine.add("from", "Alice <sip:alice@example.org>;tag=a1")
    mine.add("to", "<sip:bob@example.net>" + (f";tag={to_tag}" if to_tag else ""))
    mine.add("call-id", call_id)
    mine.add("cseq", f"{cseq} {method}")
    mine.add("max-forwards", "70")
    for name, value in headers:
        mine.add(name, value)
    return Request(method, "sip:bob@example.net", headers=mine, body=body)


def answering(*statuses: int) -> Callable[[ServerTransaction], None]:
    """A ``behave`` that gives these answers at once."""

    def behave(transaction: ServerTransaction) -> None:
        for status in statuses:
            transaction.respond(make_response(transaction.request, status))

    return behave


def times(net: SipNet, what: str, source: Address, start: float) -> list[float]:
    """When ``source`` sent each ``INVITE``, ``200 INVITE`` and so on; seconds after ``start``."""
    sent = zip(net.messages(source), [s for s in net.sent if s.source == source], strict=True)
    return [round(message.at - start, 3) for name, message in sent if name == what]
