"""Forked answers to one INVITE (RFC 3261 sections 12.1.2 and 13.2.2.4)."""

from __future__ import annotations

import pytest

from edge.transport.sip.core.events import Answered, Ended, Progress
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Request, Response
from edge.transport.sip.wire.values import NameAddr
from tests.edge.transport.sip.core.duo import (
    ALICE,
    ANSWER,
    HOLD,
    OFFER,
    Agent,
    Duo,
    Owner,
)
from tests.fakes.sip_net import SipNet

HAND = ("192.0.2.9", 5060)


def by_hand(invite: Request, status: int, tag: str, sdp: bytes, rseq: int) -> bytes:
    """The answer of one of several phones behind a proxy."""
    response = Response(status, "", body=sdp)
    for name in ("via", "from", "call-id", "cseq"):
        response.headers.add(name, invite.headers.get(name) or "")
    response.headers.add("to", f"{invite.headers.get('to')};tag={tag}")
    response.headers.add("contact", f"<sip:{tag}@192.0.2.9:5060>")
    if sdp:
        response.headers.add("content-type", "application/sdp")
    if rseq:
        response.headers.add("require", "100rel")
        response.headers.add("rseq", str(rseq))
    return response.encode()


class Proxy:
    """Receives at 192.0.2.9 and answers BYEs; the test does the rest."""

    def __init__(self, net: SipNet) -> None:
        self.net = net
        self.node = net.node(*HAND)
        self.node.attach(self)
        self.requests: list[Request] = []
        self.deaf = False

    def receive(self, message: object, flow: object) -> None:
        if isinstance(message, Request):
            self.requests.append(message)
            if message.method in ("BYE", "PRACK", "CANCEL", "UPDATE") and not self.deaf:
                self.answer(message, 200)

    def malformed(self, error: object, flow: object) -> None:
        raise AssertionError("we wrote something malformed")

    def transport_failed(self, branch: str) -> None: ...
    def flow_closed(self, flow: object) -> None: ...

    def answer(
        self, request: Request, status: int, tag: str = "", sdp: bytes = b"", rseq: int = 0
    ) -> None:
        response = by_hand(request, status, tag, sdp, rseq)
        if request.to.tag:
            fields = [(k, v) for k, v in request.headers if k in ("via", "from", "to", "call-id")]
            fields.append(("cseq", str(request.cseq)))
            response = Response(status, "", headers=Headers(fields)).encode()
        self.net.inject(HAND, ALICE, response)

    def of(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]


def call_proxy(
    settings: AgentSettings | None = None,
) -> tuple[SipNet, Agent, Proxy, Owner, Request]:
    net = SipNet()
    alice, proxy = Agent(net, ALICE, settings), Proxy(net)
    ours = Owner(
        alice.core.invite(
            "sip:x@192.0.2.9",
            destination=Destination("udp", *HAND),
            from_=NameAddr(alice.uri),
            sdp=OFFER,
        )
    )
    net.run(0.1)
    return net, alice, proxy, ours, proxy.requests[0]


def test_the_first_2xx_wins_and_other_forks_are_ended() -> None:
    net, alice, proxy, ours, invite = call_proxy()
    proxy.answer(invite, 180, "one")
    proxy.answer(invite, 183, "two", ANSWER)
    net.run(0.1)
    proxy.answer(invite, 200, "two", ANSWER)
    proxy.answer(invite, 200, "one", HOLD)
    proxy.answer(invite, 200, "three", HOLD)
    net.run(1.0)

    assert [event.sdp for event in ours.all(Progress)] == [None, ANSWER]
    assert ours.one(Answered).sdp == ANSWER
    assert ours.session.remote_tag == "two"
    assert sorted(ack.to.tag for ack in proxy.of("ACK")) == ["one", "three", "two"]
    assert sorted(bye.to.tag for bye in proxy.of("BYE")) == ["one", "three"]
    assert sorted(bye.uri for bye in proxy.of("BYE")) == [
        "sip:one@192.0.2.9:5060",
        "sip:three@192.0.2.9:5060",
    ]

    proxy.answer(invite, 200, "one", HOLD)
    net.run(0.1)
    assert len(proxy.of("ACK")) == 4, "an ACK for each copy, a BYE once"
    assert len(proxy.of("BYE")) == 2
    ours.session.bye()
    net.run()
    assert alice.is_clean


def test_a_200_without_its_description_is_answered_by_the_early_one() -> None:
    net, alice, proxy, ours, invite = call_proxy()
    proxy.answer(invite, 183, "one", ANSWER)
    proxy.answer(invite, 200, "one")
    net.run(1.0)

    assert ours.one(Answered).sdp == ANSWER
    ours.session.bye()
    net.run()
    assert alice.is_clean


def test_early_dialogs_are_bounded_and_a_2xx_of_any_other_still_wins() -> None:
    net, alice, proxy, ours, invite = call_proxy(AgentSettings(max_forks=2))
    for number in range(20):
        proxy.answer(invite, 180, f"fork{number}")
    net.run(1.0)
    calling = ours.session._calling
    assert calling is not None and len(calling.forks) == 2

    proxy.answer(invite, 200, "fork19", ANSWER)
    net.run(1.0)
    assert ours.session.remote_tag == "fork19"
    ours.session.bye()
    net.run()
    assert alice.is_clean


def test_other_forks_are_not_ended_without_end() -> None:
    net, alice, proxy, ours, invite = call_proxy(AgentSettings(max_forks=3))
    for number in range(20):
        proxy.answer(invite, 200, f"fork{number}", ANSWER)
    net.run(1.0)

    assert len(proxy.of("BYE")) == 3
    ours.session.bye()
    net.run()
    assert alice.is_clean


def test_pracks_that_are_unanswered_are_bounded() -> None:
    net, alice, proxy, ours, invite = call_proxy(AgentSettings(max_requests=4))
    proxy.deaf = True
    for number in range(20):
        proxy.answer(invite, 183, "one", rseq=number + 1)
    net.run(0.1)

    assert len({prack.headers.get("rack") for prack in proxy.of("PRACK")}) == 3
    proxy.deaf = False
    ours.session.cancel()
    proxy.answer(invite, 487, "one")
    net.run()
    assert alice.is_clean


def test_headers_that_cannot_be_written_leave_nothing_behind() -> None:
    duo = Duo()
    with pytest.raises(MessageError):
        duo.alice.invite(duo.bob, headers=[("no token", "x")])
    duo.finish()


def test_a_2xx_that_comes_after_its_transaction_is_acknowledged_again() -> None:
    net, alice, proxy, ours, invite = call_proxy()
    proxy.answer(invite, 200, "one", ANSWER)
    net.run(40.0)
    assert alice.core.transactions == 0

    proxy.answer(invite, 200, "one", ANSWER)
    net.run(1.0)

    assert len(proxy.of("ACK")) == 2
    assert ours.end is None
    ours.session.bye()
    net.run()
    assert alice.is_clean


def with_bad_routes(answer: bytes) -> bytes:
    return answer.replace(b"\r\nCSeq:", b"\r\nRecord-Route: <mailto:x>\r\nCSeq:", 1)


@pytest.mark.parametrize("early", [False, True])
def test_a_2xx_whose_routes_cannot_be_read_is_acknowledged_and_ended(early: bool) -> None:
    net, alice, proxy, ours, invite = call_proxy()
    if early:
        proxy.answer(invite, 180, "one")
    for _ in range(2):
        net.inject(HAND, ALICE, with_bad_routes(by_hand(invite, 200, "one", ANSWER, 0)))
        net.run(0.1)

    assert [ack.to.tag for ack in proxy.of("ACK")] == ["one", "one"]
    assert [bye.to.tag for bye in proxy.of("BYE")] == ["one"]
    assert ours.end == Ended("failed")
    net.run()
    assert alice.is_clean


def test_a_fork_whose_routes_cannot_be_read_does_not_end_the_call_that_stands() -> None:
    net, alice, proxy, ours, invite = call_proxy()
    proxy.answer(invite, 200, "one", ANSWER)
    net.run(0.1)
    net.inject(HAND, ALICE, with_bad_routes(by_hand(invite, 200, "two", ANSWER, 0)))
    net.run(0.1)

    assert [bye.to.tag for bye in proxy.of("BYE")] == ["two"]
    assert ours.end is None
    ours.session.bye()
    net.run()
    assert alice.is_clean
