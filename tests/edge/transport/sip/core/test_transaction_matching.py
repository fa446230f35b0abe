"""Which requests are the same (RFC 3261 sections 17.2.3 and 8.2.2.2), for old far ends too."""

from __future__ import annotations

import pytest

from edge.transport.sip.core.respond import make_response
from edge.transport.sip.wire.message import Request
from tests.edge.transport.sip.core.party import HERE, THERE, Party, make_request
from tests.fakes.sip_net import SipNet

NEW = "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKone"
OLD = "SIP/2.0/UDP 192.0.2.1:5060;rport"


class Stage:
    def __init__(self) -> None:
        self.net = SipNet()
        self.there = Party(self.net, THERE)

    def send(self, request: Request) -> None:
        self.net.inject(HERE, THERE, request.encode())
        self.net.run(0.01)

    def respond(self, number: int, status: int) -> None:
        transaction = self.there.asked[number]
        transaction.respond(make_response(transaction.request, status))


@pytest.mark.parametrize("via", [NEW, OLD, OLD + ";branch=1", OLD + ";branch=z9hG4bK"])
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_the_same_request_is_taken_once(method: str, via: str) -> None:
    stage = Stage()
    for _ in range(3):
        stage.send(make_request(method, via=via))
    assert len(stage.there.asked) == 1


@pytest.mark.parametrize(
    "other",
    [
        make_request(via=NEW + "x"),
        make_request(via=NEW.replace("5060", "5070")),
        make_request(via=NEW.replace("192.0.2.1", "192.0.2.7")),
        make_request("OPTIONS", via=NEW),
    ],
)
def test_another_branch_sent_by_or_method_makes_another_request(other: Request) -> None:
    stage = Stage()
    stage.send(make_request(via=NEW))
    stage.send(other)
    assert len(stage.there.asked) == 2


def test_with_a_unique_branch_nothing_else_counts() -> None:
    stage = Stage()
    stage.send(make_request(via=NEW))
    stage.send(make_request(via=NEW, cseq=2, call_id="c2", to_tag="t"))
    assert len(stage.there.asked) == 1


def other_uri() -> Request:
    request = make_request(via=OLD)
    request.uri = "sip:carol@example.net"
    return request


def other_from() -> Request:
    request = make_request(via=OLD)
    request.headers.set("from", "<sip:alice@example.org>;tag=a2")
    return request


@pytest.mark.parametrize(
    "other",
    [
        other_uri(),
        other_from(),
        make_request(via=OLD, to_tag="t"),
        make_request(via=OLD, call_id="c2"),
        make_request(via=OLD, cseq=2),
        make_request("OPTIONS", via=OLD),
        make_request(via=OLD + ";branch=1"),
        make_request(via=OLD.replace("5060", "5070")),
    ],
)
def test_of_an_old_far_end_nearly_everything_has_to_be_the_same(other: Request) -> None:
    stage = Stage()
    stage.send(make_request(via=OLD))
    stage.send(other)
    assert len(stage.there.asked) == 2


def test_a_cookie_with_nothing_behind_it_is_no_unique_branch() -> None:
    stage = Stage()
    for number in (1, 2):
        stage.send(make_request(via=OLD + ";branch=z9hG4bK", cseq=number))
    assert len(stage.there.asked) == 2


def test_the_ack_of_an_old_far_end_is_known_by_the_tag_that_it_was_given() -> None:
    stage = Stage()
    stage.send(make_request(via=OLD))
    stage.respond(0, 486)
    transaction = stage.there.asked[0]
    stage.send(make_request("ACK", via=OLD, to_tag="another"))
    assert [ack.to.tag for ack in stage.there.acks] == ["another"]  # belongs to nothing
    stage.send(make_request("ACK", via=OLD, to_tag=transaction.to_tag))
    assert transaction.state == "confirmed"
    assert len(stage.there.acks) == 1


def test_the_ack_of_an_old_far_end_inside_a_dialog_is_known() -> None:
    stage = Stage()
    stage.send(make_request(via=OLD, to_tag="t"))
    stage.respond(0, 488)
    stage.send(make_request("ACK", via=OLD, to_tag="t"))
    assert stage.there.asked[0].state == "confirmed" and stage.there.acks == []


def test_the_ack_of_an_old_far_end_to_a_2xx_goes_to_the_user() -> None:
    stage = Stage()
    stage.send(make_request(via=OLD))
    stage.respond(0, 200)
    stage.send(make_request("ACK", via=OLD, to_tag=stage.there.asked[0].to_tag))
    assert len(stage.there.acks) == 1


def test_the_cancel_of_an_old_far_end_is_known() -> None:
    stage = Stage()
    stage.send(make_request(via=OLD))
    stage.send(make_request("CANCEL", via=OLD, cseq=2))
    assert stage.there.cancelled == 0
    stage.send(make_request("CANCEL", via=OLD))
    assert stage.there.cancelled == 1
    assert stage.net.messages(THERE) == ["481 CANCEL", "200 CANCEL"]


def test_the_same_request_by_another_way_is_marked_as_merged() -> None:
    stage = Stage()
    stage.send(make_request(via=NEW))
    stage.send(make_request(via=NEW + "fork"))
    assert [t.merged for t in stage.there.asked] == [False, True]
    stage.respond(1, 482)
    stage.respond(0, 200)
    stage.send(make_request(via=NEW + "late"))
    assert stage.there.asked[2].merged  # the first still stands, answered


@pytest.mark.parametrize(
    "other",
    [
        make_request(via=NEW + "x", cseq=2),
        make_request(via=NEW + "x", call_id="c2"),
        make_request("OPTIONS", via=NEW + "x"),
        make_request(via=NEW + "x", to_tag="in-dialog"),
    ],
)
def test_another_request_is_not_merged(other: Request) -> None:
    stage = Stage()
    stage.send(make_request(via=NEW))
    stage.send(other)
    assert not stage.there.asked[1].merged


def test_another_from_tag_is_not_merged() -> None:
    stage = Stage()
    stage.send(make_request(via=NEW))
    other = other_from()
    other.headers.set("via", NEW + "x")
    stage.send(other)
    assert not stage.there.asked[1].merged


def test_a_second_try_with_the_same_cseq_after_a_challenge_is_not_merged() -> None:
    stage = Stage()
    stage.send(make_request("REGISTER", via=NEW))
    stage.respond(0, 401)
    stage.send(make_request("REGISTER", via=NEW + "again"))
    assert not stage.there.asked[1].merged


def test_a_request_is_not_merged_with_one_that_is_over() -> None:
    stage = Stage()
    stage.send(make_request(via=NEW))
    stage.respond(0, 200)
    stage.net.run()
    stage.send(make_request(via=NEW + "x"))
    assert not stage.there.asked[1].merged
    stage.send(make_request(via=NEW + "y"))
    assert stage.there.asked[2].merged
