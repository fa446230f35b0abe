"""Giving an INVITE up (RFC 3261 section 9), both ends of it, and its races."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.transaction_timers import TransactionTimers
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.wire.message import Request
from tests.edge.transport.sip.core.party import (
    HERE,
    THERE,
    Asked,
    Party,
    answering,
    make_request,
    times,
)
from tests.fakes.sip_net import Sent, SipNet, Weather, describe


class Stage:
    """A caller and a called party, 50 ms apart, who refuses with 487 when cancelled."""

    def __init__(self, settings: TransactionTimers | None = None) -> None:
        self.net = SipNet(weather=Weather(delay=(0.05, 0.05)))
        self.here = Party(self.net, HERE)
        self.there = Party(self.net, THERE, settings)
        self.there.behave = self.ring
        self.start = self.net.clock.monotonic()

    def ring(self, transaction: ServerTransaction) -> None:
        counted = transaction.on_cancel

        def cancelled() -> None:
            counted()
            transaction.respond(make_response(transaction.request, 487))

        transaction.on_cancel = cancelled
        transaction.respond(make_response(transaction.request, 180))

    def ask(self, headers: tuple[tuple[str, str], ...] = ()) -> Asked:
        return self.here.ask(make_request(cseq=3, headers=headers), self.there.node.at())

    def asked_at(self, what: str) -> list[float]:
        return times(self.net, what, HERE, self.start)

    @property
    def is_clean(self) -> bool:
        return self.here.is_clean and self.there.is_clean


def drop(*names: str) -> Callable[[Sent], bool]:
    return lambda sent: describe(sent.message) in names


def test_a_cancelled_invite_is_answered_with_487_and_the_cancel_with_200() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.net.run(1.0)
    asked.transaction.cancel()
    asked.transaction.cancel()
    stage.net.run()
    assert asked.statuses == [180, 487]
    assert stage.net.messages(HERE) == ["INVITE", "CANCEL", "ACK"]
    assert stage.net.messages(THERE) == ["180 INVITE", "200 CANCEL", "487 INVITE"]
    assert stage.there.cancelled == 1
    assert [t.request.method for t in stage.there.asked] == ["INVITE"]
    assert stage.here.failures == stage.there.failures == [] and stage.is_clean


def test_the_cancel_is_built_from_the_invite() -> None:
    stage = Stage()
    routes = (("route", "<sip:p1.example.net;lr>"), ("route", "<sip:p2.example.net;lr>"))
    asked = stage.ask((*routes, ("require", "100rel"), ("proxy-require", "x"), ("contact", "<a>")))
    stage.net.run(1.0)
    asked.transaction.cancel()
    stage.net.run(1.0)
    invite = stage.there.node.heard[0]
    cancel = next(m for m in stage.there.node.heard if describe(m) == "CANCEL")
    assert isinstance(invite, Request) and isinstance(cancel, Request)
    assert cancel.uri == invite.uri
    for name in ("via", "route", "from", "to", "call-id", "max-forwards"):
        assert cancel.headers.all(name) == invite.headers.all(name), name
    assert str(cancel.cseq) == "3 CANCEL"
    for name in ("require", "proxy-require", "contact"):
        assert name not in cancel.headers
    assert cancel.body == b""


def test_both_answers_of_a_cancelled_invite_have_the_same_to_tag() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.net.run(1.0)
    asked.transaction.cancel()
    stage.net.run()
    tags = {
        describe(message): message.to.tag
        for message in stage.here.node.heard
        if describe(message) in ("200 CANCEL", "487 INVITE")
    }
    assert len(tags) == 2
    assert set(tags.values()) == {stage.there.asked[0].to_tag}


def test_a_cancel_waits_for_a_provisional() -> None:
    stage = Stage()
    stage.net.drop = lambda sent: stage.net.clock.monotonic() < stage.start + 1.0
    asked = stage.ask()
    asked.transaction.cancel()
    stage.net.run()
    assert stage.asked_at("INVITE") == [0, 0.5, 1.5]
    assert stage.asked_at("CANCEL") == [1.6]  # 1.5 and the way there and back
    assert asked.statuses == [180, 487] and stage.is_clean


def test_a_cancel_of_an_invite_that_nobody_hears_is_never_sent() -> None:
    stage = Stage()
    stage.net.drop = lambda sent: True
    asked = stage.ask()
    asked.transaction.cancel()
    stage.net.run()
    assert asked.failures == ["timeout"]
    assert "CANCEL" not in stage.net.messages() and stage.is_clean


@pytest.mark.parametrize("status", [200, 486])
def test_a_cancel_is_not_sent_when_the_final_answer_comes_first(status: int) -> None:
    stage = Stage()
    stage.there.behave = answering(status)
    asked = stage.ask()
    asked.transaction.cancel()
    stage.net.run(1.0)
    asked.transaction.cancel()
    stage.net.run()
    assert asked.statuses == [status]
    assert "CANCEL" not in stage.net.messages() and stage.is_clean


def test_a_cancel_that_crosses_the_2xx_changes_nothing() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.net.run(1.0)
    asked.transaction.cancel()
    transaction = stage.there.asked[0]
    transaction.respond(make_response(transaction.request, 200))
    stage.net.run()
    assert asked.statuses == [180, 200]
    assert stage.net.messages(THERE) == ["180 INVITE", "200 INVITE", "200 CANCEL"]
    assert stage.there.cancelled == 0 and stage.is_clean


def test_a_cancel_that_crosses_a_refusal_changes_nothing() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.net.run(1.0)
    asked.transaction.cancel()
    transaction = stage.there.asked[0]
    transaction.respond(make_response(transaction.request, 486))
    stage.net.run()
    assert asked.statuses == [180, 486]
    assert "200 CANCEL" in stage.net.messages(THERE)
    assert stage.there.cancelled == 0 and stage.is_clean


def test_a_lost_cancel_is_sent_again() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.net.run(1.0)
    stage.net.drop = lambda sent: stage.net.clock.monotonic() < stage.start + 2.0
    asked.transaction.cancel()
    stage.net.run()
    assert stage.asked_at("CANCEL") == [1.0, 1.5, 2.5]
    assert stage.there.cancelled == 1
    assert asked.statuses == [180, 487] and stage.is_clean


def test_a_cancelled_invite_without_a_final_answer_is_given_up_after_64_t1() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.net.run(10.0)
    stage.net.drop = drop("487 INVITE")
    asked.transaction.cancel()
    stage.net.run(31.9)
    assert asked.failures == []
    stage.net.run(0.2)
    assert asked.failures == ["timeout"]
    stage.net.run()
    assert asked.statuses == [180] and stage.is_clean


def test_a_cancelled_invite_may_ring_on_and_still_be_answered() -> None:
    stage = Stage()
    stage.there.behave = answering(180)
    asked = stage.ask()
    stage.net.run(1.0)
    asked.transaction.cancel()
    transaction = stage.there.asked[0]
    stage.net.run(20.0)
    transaction.respond(make_response(transaction.request, 183))
    stage.net.run(1.0)
    transaction.respond(make_response(transaction.request, 200))
    stage.net.run()
    assert (asked.statuses, asked.failures) == ([180, 183, 200], []) and stage.is_clean


def test_a_repeated_cancel_is_answered_again_and_told_once() -> None:
    stage = Stage()
    stage.there.behave = answering(180)
    asked = stage.ask()
    stage.net.run(1.0)
    stage.net.drop = drop("200 CANCEL")
    asked.transaction.cancel()
    stage.net.run(2.0)
    assert stage.net.messages(THERE).count("200 CANCEL") == 3
    assert stage.there.cancelled == 1


def test_over_a_stream_a_second_cancel_is_told_once_too() -> None:
    stage = Stage()
    stage.there.behave = answering(180)
    asked = stage.here.ask(make_request(), stage.there.node.at("tcp"))
    stage.net.run(1.0)
    asked.transaction.cancel()
    stage.net.run(1.0)
    cancel = next(m for m in stage.there.node.heard if describe(m) == "CANCEL")
    stage.here.node.send(stage.there.node.at("tcp"), cancel.encode())
    stage.net.run(1.0)
    assert stage.net.messages(THERE).count("200 CANCEL") == 2
    assert stage.there.cancelled == 1


def test_a_cancel_of_what_nobody_knows_is_answered_with_481() -> None:
    stage = Stage()
    via = "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKunknown"
    stage.net.inject(HERE, THERE, make_request("CANCEL", via=via).encode())
    stage.net.run()
    assert stage.net.messages(THERE) == ["481 CANCEL"]
    assert stage.there.asked == [] and stage.is_clean


def test_cancels_of_what_nobody_knows_are_not_kept() -> None:
    stage = Stage()
    for number in range(100):
        via = f"SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKunknown{number}"
        stage.net.inject(HERE, THERE, make_request("CANCEL", via=via).encode())
    stage.net.run(0.1)
    assert stage.net.messages(THERE) == ["481 CANCEL"] * 100
    assert stage.there.is_clean


def test_a_cancel_is_heard_when_there_is_no_room_for_anything() -> None:
    stage = Stage(TransactionTimers(max_servers=1))
    asked = stage.ask()
    stage.net.run(1.0)
    asked.transaction.cancel()
    stage.net.run()
    assert stage.net.messages(THERE) == ["180 INVITE", "200 CANCEL", "487 INVITE"]
    assert asked.statuses == [180, 487] and stage.is_clean


def test_a_cancel_has_a_transaction_of_its_own_which_no_flood_takes_away() -> None:
    stage = Stage(TransactionTimers(stateless_per_second=0.0))
    stage.there.layer._stateless._budget.take(1.0, stage.start)
    asked = stage.ask()
    stage.net.run(1.0)
    asked.transaction.cancel()
    stage.net.run(1.0)
    assert "200 CANCEL" in stage.net.messages(THERE)


def test_cancelling_another_request_does_nothing() -> None:
    stage = Stage()
    stage.there.behave = lambda transaction: None
    asked = stage.here.ask(make_request("OPTIONS"), stage.there.node.at())
    stage.net.run(5.0)
    asked.transaction.cancel()
    stage.net.run()
    assert "CANCEL" not in stage.net.messages()


def test_a_dead_transport_ends_the_cancel_with_its_invite() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.net.run(1.0)
    asked.transaction.cancel()
    stage.here.layer.transport_failed(asked.transaction.branch)
    assert asked.failures == ["transport"] and stage.here.is_clean
