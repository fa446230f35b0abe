"""Server transactions against a far end that is played by hand (RFC 3261 section 17.2, RFC 6026,
RFC 4320)."""

from __future__ import annotations

import pytest

from edge.transport.sip.core.flow import Transport
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.transaction_timers import TransactionTimers
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.wire.message import Request
from tests.edge.transport.sip.core.party import (
    HERE,
    THERE,
    Deaf,
    Party,
    answering,
    make_request,
    times,
)
from tests.fakes.sip_net import SipNet, Weather

VIA = "SIP/2.0/{} 192.0.2.1:5060;rport;branch=z9hG4bKone"


class Stage:
    """``there`` is under test; HERE is played by hand. The network takes no time."""

    def __init__(
        self, transport: Transport = "udp", settings: TransactionTimers | None = None
    ) -> None:
        self.net = SipNet(weather=Weather(delay=(0.0, 0.0)))
        self.there = Party(self.net, THERE, settings)
        self.here = self.net.node(*HERE)
        self.here.attach(Deaf())
        self.transport: Transport = transport
        self.start = self.net.clock.monotonic()

    def send(self, method: str = "INVITE", to_tag: str = "", via: str = VIA) -> None:
        request = make_request(method, to_tag=to_tag, via=via.format(self.transport.upper()))
        self.send_request(request)

    def send_request(self, request: Request) -> None:
        self.here.send(self.there.node.at(self.transport), request.encode())
        self.net.run(0.0)

    @property
    def transaction(self) -> ServerTransaction:
        return self.there.asked[0]

    def respond(self, status: int) -> None:
        self.transaction.respond(make_response(self.transaction.request, status))
        self.net.run(0.0)

    def answers(self, what: str) -> list[float]:
        """When ``200 INVITE`` and so on was sent, seconds from the start."""
        return times(self.net, what, THERE, self.start)

    @property
    def elapsed(self) -> float:
        return round(self.net.clock.monotonic() - self.start, 3)


def test_an_invite_that_nobody_answers_gets_a_100_after_200_ms() -> None:
    stage = Stage()
    stage.send()
    assert stage.net.messages(THERE) == []
    stage.net.run(1.0)
    assert stage.answers("100 INVITE") == [0.2]


@pytest.mark.parametrize("status", [100, 180, 200, 486])
def test_an_invite_that_is_answered_in_time_gets_no_100(status: int) -> None:
    stage = Stage()
    stage.send()
    stage.respond(status)
    stage.net.run(0.4)
    assert stage.net.messages(THERE) == [f"{status} INVITE"]


def test_a_100_can_be_sent_at_once() -> None:
    stage = Stage(settings=TransactionTimers(auto_trying=True))
    stage.there.behave = answering(180)
    stage.send()
    stage.net.run(1.0)
    assert stage.net.messages(THERE) == ["100 INVITE", "180 INVITE"]


def test_an_invite_may_be_answered_late() -> None:
    stage = Stage()
    stage.send()
    stage.net.run(600.0)
    stage.respond(183)
    stage.respond(200)
    assert stage.answers("200 INVITE") == [600.0]
    assert stage.there.failures == []


@pytest.mark.parametrize("status", [100, 180, 183])
def test_a_repeated_invite_gets_the_latest_provisional_again(status: int) -> None:
    stage = Stage()
    stage.send()
    stage.respond(100)
    stage.respond(status)
    stage.send()
    assert stage.net.messages(THERE) == ["100 INVITE", f"{status} INVITE", f"{status} INVITE"]
    assert len(stage.there.asked) == 1


def test_an_invite_that_is_repeated_before_any_answer_is_absorbed() -> None:
    stage = Stage()
    stage.send()
    stage.send()
    assert (stage.net.messages(THERE), len(stage.there.asked)) == ([], 1)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_invite_that_is_repeated_after_a_2xx_is_absorbed_for_64_t1(transport: Transport) -> None:
    stage = Stage(transport)
    stage.send()
    stage.respond(200)
    assert stage.transaction.state == "accepted" and stage.transaction.completed
    assert stage.transaction.flow.remote == HERE
    stage.net.run(31.9)
    stage.send()
    assert (stage.net.messages(THERE), len(stage.there.asked)) == (["200 INVITE"], 1)
    stage.net.run()
    assert stage.elapsed == 32.0  # Timer L, over any transport
    assert stage.there.is_clean and stage.there.failures == []


def test_the_owner_repeats_its_2xx_and_nothing_else_after_it() -> None:
    stage = Stage()
    stage.send()
    for status in (200, 200, 180, 486, 202):
        stage.respond(status)
    assert stage.net.messages(THERE) == ["200 INVITE", "200 INVITE", "202 INVITE"]
    stage.net.run()
    stage.respond(200)
    assert len(stage.net.messages(THERE)) == 3


@pytest.mark.parametrize("same_branch", [False, True])
def test_an_ack_to_a_2xx_goes_to_the_user(same_branch: bool) -> None:
    stage = Stage()
    stage.send()
    stage.respond(200)
    stage.send("ACK", via=VIA if same_branch else VIA + "two")
    assert [str(ack.cseq) for ack in stage.there.acks] == ["1 ACK"]
    assert stage.transaction.state == "accepted"


@pytest.mark.parametrize("status", [300, 302, 486, 500, 603])
def test_a_refusal_is_repeated_with_growing_pauses_until_64_t1_and_then_fails(status: int) -> None:
    stage = Stage()
    stage.send()
    stage.respond(status)
    assert stage.transaction.completed
    stage.net.run()
    repeated = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert stage.answers(f"{status} INVITE") == repeated  # Timer G
    assert (stage.there.failures, stage.elapsed) == (["timeout"], 32.0)  # Timer H
    assert stage.there.is_clean


def test_over_a_stream_a_refusal_is_sent_once_and_still_waits_for_its_ack() -> None:
    stage = Stage("tcp")
    stage.send()
    stage.respond(486)
    stage.net.run()
    assert stage.answers("486 INVITE") == [0]
    assert (stage.there.failures, stage.elapsed) == (["timeout"], 32.0)


def test_an_ack_ends_the_repeating_and_all_is_absorbed_for_t4() -> None:
    stage = Stage()
    stage.send()
    stage.respond(486)
    stage.net.run(1.0)
    stage.send()
    stage.send("ACK", to_tag="b1")
    assert stage.transaction.state == "confirmed"
    assert len(stage.there.node.timers) == 1
    stage.net.run(4.9)
    stage.send("ACK", to_tag="b1")
    stage.send()
    assert stage.answers("486 INVITE") == [0, 0.5, 1.0]
    assert (stage.there.acks, len(stage.there.asked)) == ([], 1)
    stage.net.run()
    assert stage.elapsed == 6.0  # Timer I
    assert stage.there.failures == [] and stage.there.is_clean


def test_over_a_stream_nothing_lingers_after_the_ack_of_a_refusal() -> None:
    stage = Stage("tcp")
    stage.send()
    stage.respond(486)
    stage.send("ACK", to_tag="b1")
    assert stage.transaction.terminated and stage.there.is_clean


def test_an_ack_before_any_final_answer_is_nothing() -> None:
    stage = Stage()
    stage.send()
    stage.respond(180)
    stage.send("ACK")
    assert stage.transaction.state == "proceeding" and stage.there.acks == []


@pytest.mark.parametrize("late", [180, 200, 486, 603])
def test_after_a_refusal_nothing_else_is_sent(late: int) -> None:
    stage = Stage()
    stage.send()
    stage.respond(404)
    stage.respond(late)
    assert stage.net.messages(THERE) == ["404 INVITE"]


@pytest.mark.parametrize("status", [200, 404])
def test_the_final_answer_of_another_request_is_repeated_only_when_asked_for(status: int) -> None:
    stage = Stage()
    stage.send("BYE")
    stage.send("BYE")
    assert stage.net.messages(THERE) == []
    stage.respond(status)
    stage.respond(500)
    assert stage.transaction.state == "completed" and len(stage.there.node.timers) == 1
    stage.net.run(31.9)
    stage.send("BYE")
    assert stage.answers(f"{status} BYE") == [0, 31.9]
    assert len(stage.there.asked) == 1
    stage.net.run()
    assert stage.elapsed == 32.0  # Timer J
    assert stage.there.is_clean and stage.there.failures == []


def test_over_a_stream_nothing_lingers_after_the_answer_of_another_request() -> None:
    stage = Stage("tcp")
    stage.send("BYE")
    stage.respond(200)
    assert stage.transaction.terminated and stage.there.is_clean
    assert stage.net.messages(THERE) == ["200 BYE"]


def test_another_request_that_nobody_answers_gets_a_100_when_timer_e_has_grown_to_t2() -> None:
    stage = Stage()
    stage.send("REFER")
    stage.net.run(5.0)
    assert stage.answers("100 REFER") == [3.5]  # 0.5 + 1 + 2: RFC 4320 section 4.1
    assert stage.transaction.state == "proceeding"
    stage.send("REFER")
    assert stage.answers("100 REFER") == [3.5, 5.0]


@pytest.mark.parametrize(("transport", "sent_at"), [("udp", [3.5]), ("tcp", [0])])
def test_an_early_100_to_another_request_is_sent_over_streams_only(
    transport: Transport, sent_at: list[float]
) -> None:
    stage = Stage(transport)
    stage.send("REFER")
    stage.respond(100)
    stage.net.run(5.0)
    assert stage.answers("100 REFER") == sent_at
    stage.respond(202)
    assert stage.net.messages(THERE)[-1] == "202 REFER"


@pytest.mark.parametrize("status", [180, 183, 408])
def test_what_rfc_4320_forbids_in_answer_to_another_request_is_not_sent(status: int) -> None:
    stage = Stage()
    stage.send("REFER")
    stage.respond(status)
    stage.send("REFER")
    assert stage.net.messages(THERE) == []
    assert len(stage.there.asked) == 1


def test_a_408_also_takes_back_the_100_that_went_before() -> None:
    stage = Stage()
    stage.send("REFER")
    stage.net.run(4.0)
    stage.respond(408)
    stage.send("REFER")
    assert stage.net.messages(THERE) == ["100 REFER"]
    stage.net.run()
    assert stage.there.is_clean


def test_another_request_that_is_never_answered_is_forgotten_and_its_owner_told() -> None:
    stage = Stage()
    stage.send("REFER")
    stage.net.run()
    assert (stage.elapsed, stage.there.failures) == (32.0, ["timeout"])
    assert stage.there.is_clean
    stage.respond(200)
    assert stage.net.messages(THERE) == ["100 REFER"]


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_an_answer_gets_the_tag_of_its_transaction_unless_it_brings_one(method: str) -> None:
    stage = Stage("tcp")
    stage.send(method)
    transaction = stage.transaction
    first = make_response(transaction.request, 100)
    transaction.respond(first)
    assert (first.to.tag, transaction.sent_tag) == ("", transaction.to_tag)
    second = make_response(transaction.request, 200)
    transaction.respond(second)
    assert second.to.tag == transaction.to_tag != ""
    stage.send(method, via=VIA + "two")
    other = stage.there.asked[1]
    assert other.to_tag != transaction.to_tag
    other.respond(make_response(other.request, 200, to_tag="mine"))
    assert other.sent_tag == "mine"


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_an_answer_that_cannot_be_sent_is_told_to_its_owner_and_changes_nothing(
    method: str,
) -> None:
    stage = Stage()
    stage.send(method)
    stage.respond(487)
    state = stage.transaction.state
    stage.there.layer.transport_failed("z9hG4bKone")
    assert stage.there.failures == []  # not in the midst of whatever the owner is doing
    stage.net.run(0.0)
    assert (stage.there.failures, stage.transaction.state) == (["transport"], state)


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
def test_a_stranger_is_answered_and_forgotten(method: str) -> None:
    stage = Stage()
    stage.there.behave = lambda t: t.forget(make_response(t.request, 403, to_tag=t.to_tag))
    stage.send(method)
    assert stage.net.messages(THERE) == [f"403 {method}"]
    assert stage.transaction.completed and stage.there.is_clean
    stage.transaction.forget()
    stage.respond(200)
    stage.send(method)
    assert stage.net.messages(THERE) == [f"403 {method}"] * 2
    assert len(stage.there.asked) == 2


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
def test_what_was_answered_in_order_cannot_be_forgotten_before_its_time(method: str) -> None:
    stage = Stage()
    stage.send(method)
    stage.respond(403)
    stage.transaction.forget()
    assert stage.there.layer.active == 1


def test_a_stranger_may_be_met_with_silence() -> None:
    stage = Stage()
    stage.there.behave = lambda t: t.forget()
    stage.send()
    stage.net.run()
    assert stage.net.messages(THERE) == [] and stage.there.is_clean
