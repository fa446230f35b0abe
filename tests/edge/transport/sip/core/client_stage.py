"""A client transaction on a stage: the far end is played by hand."""

from __future__ import annotations

from edge.transport.sip.core.flow import Transport
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.wire.message import Request, Response
from tests.edge.transport.sip.core.party import (
    HERE,
    THERE,
    Asked,
    Deaf,
    Party,
    make_request,
    times,
)
from tests.fakes.sip_net import SipNet, Weather


class Stage:
    """``here`` is under test; ``answer`` speaks for the far end. The network takes no time."""

    def __init__(self, transport: Transport = "udp") -> None:
        self.net = SipNet(weather=Weather(delay=(0.0, 0.0)))
        self.here = Party(self.net, HERE)
        self.there = self.net.node(*THERE)
        self.there.attach(Deaf())
        self.transport: Transport = transport
        self.start = self.net.clock.monotonic()

    def ask(self, method: str = "INVITE", **more: object) -> Asked:
        asked = self.here.ask(make_request(method, **more), self.there.at(self.transport))  # type: ignore[arg-type]
        self.net.run(0.0)
        return asked

    @property
    def request(self) -> Request:
        """The first request as it arrived."""
        first = self.there.heard[0]
        assert isinstance(first, Request)
        return first

    def answer(self, status: int, tag: str = "b1", **changed: str) -> None:
        response = make_response(self.request, status, to_tag=tag)
        for name, value in changed.items():
            response.headers.set(name, value)
        self.send(response)

    def send(self, response: Response) -> None:
        self.there.send(self.here.node.at(self.transport), response.encode())
        self.net.run(0.0)

    def heard(self, what: str) -> list[float]:
        """When the far end was sent ``what``."""
        return times(self.net, what, HERE, self.start)

    @property
    def elapsed(self) -> float:
        return round(self.net.clock.monotonic() - self.start, 3)
