"""The layer as a whole: bounds, what cannot be read, and what is left in the end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.transport.sip.core.flow import Flow
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.transaction_timers import TransactionTimers
from edge.transport.sip.core.transactions import ServerTransaction, TransactionLayer
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Request, Response, parse_message, pretty
from tests.edge.transport.sip.core.party import HERE, THERE, Party, answering, make_request
from tests.fakes.sip_net import SipNet

VIA = "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK"
FLOW = Flow("udp", THERE, HERE)


class Stage:
    def __init__(self, settings: TransactionTimers | None = None) -> None:
        self.net = SipNet()
        self.there = Party(self.net, THERE, settings)
        self.here = Party(self.net, HERE)

    def send(self, request: Request) -> None:
        self.net.inject(HERE, THERE, request.encode())
        self.net.run(0.01)

    @property
    def answers(self) -> list[Response]:
        sent = [s.message for s in self.net.sent if s.source == THERE]
        return [message for message in sent if isinstance(message, Response)]


def refusals(error: MessageError) -> list[bytes]:
    """What is sent because of ``error``, readable or not."""
    stage = Stage()
    sent: list[bytes] = []
    layer = TransactionLayer(
        clock=stage.net.clock,
        timers=stage.there.node.timers,
        send=lambda destination, data: sent.append(data),
        local=stage.there.node.local,
        user=stage.there,
    )
    layer.malformed(error, FLOW)
    return sent


def test_a_request_that_is_one_too_many_is_told_to_come_back_later() -> None:
    stage = Stage(TransactionTimers(max_servers=3, retry_after=7))
    for number in range(5):
        stage.send(make_request("OPTIONS", via=f"{VIA}{number}", call_id=str(number)))
    assert len(stage.there.asked) == stage.there.layer.active == 3
    assert stage.net.messages(THERE) == ["503 OPTIONS", "503 OPTIONS"]


def test_a_call_that_is_one_too_many_is_declined_and_not_sent_looking_elsewhere() -> None:
    stage = Stage(TransactionTimers(max_servers=3, retry_after=7))
    for number in range(5):
        stage.send(make_request(via=f"{VIA}{number}", call_id=str(number)))
    assert len(stage.there.asked) == stage.there.layer.active == 3
    assert stage.net.messages(THERE) == ["603 INVITE", "603 INVITE"]
    assert [answer.headers.get("retry-after") for answer in stage.answers] == ["7", "7"]
    assert all(answer.to.tag for answer in stage.answers)
    assert stage.answers[0].via.parameters["rport"] == "5060"


def test_the_same_request_without_room_gets_the_same_tag_and_another_another() -> None:
    stage = Stage(TransactionTimers(max_servers=0))
    for number in (1, 1, 2):
        stage.send(make_request(via=f"{VIA}{number}"))
    tags = [answer.to.tag for answer in stage.answers]
    assert tags[0] == tags[1] != tags[2]


def test_an_ack_without_room_is_no_reason_to_speak() -> None:
    stage = Stage(TransactionTimers(max_servers=0))
    stage.send(make_request("ACK", via=f"{VIA}1"))
    assert stage.net.messages(THERE) == [] and len(stage.there.acks) == 1


def test_when_there_is_no_room_calls_can_still_be_ended() -> None:
    stage = Stage(TransactionTimers(max_servers=4))
    for number in range(5):
        stage.send(make_request(via=f"{VIA}{number}", call_id=str(number)))
    stage.send(make_request("BYE", via=f"{VIA}bye", to_tag="t"))
    assert stage.there.asked[-1].request.method == "BYE"
    stage.send(make_request("BYE", via=f"{VIA}bye2", to_tag="t", cseq=2))
    assert stage.net.messages(THERE) == ["603 INVITE", "503 BYE"]  # there is an end to that too


def test_a_host_beyond_its_share_is_answered_without_being_kept_and_others_have_room() -> None:
    stage = Stage(TransactionTimers(max_servers=20, max_of_source=2))
    stage.there.behave = answering(200)
    for number in range(10):
        stage.send(make_request("OPTIONS", via=f"{VIA}{number}", call_id=str(number)))
    assert stage.net.messages(THERE) == ["200 OPTIONS"] * 10
    assert stage.there.layer.active == 2

    stage.send(make_request(via=f"{VIA}a", call_id="a"))
    assert stage.net.messages(THERE)[-1] == "603 INVITE"
    other = make_request(via="SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKb", call_id="b")
    stage.there.layer.receive(other, Flow("udp", THERE, ("192.0.2.77", 5060)))
    assert stage.there.asked[-1].request is other
    stage.net.run()
    assert stage.there.is_clean


def test_calls_of_a_host_beyond_its_share_can_still_be_changed_and_ended() -> None:
    stage = Stage(TransactionTimers(max_servers=20, max_of_source=4))
    for number in range(5):
        stage.send(make_request(via=f"{VIA}{number}", call_id=str(number)))
    assert len(stage.there.asked) == 4
    stage.send(make_request(via=f"{VIA}re", to_tag="t", call_id="1", cseq=2))
    stage.send(make_request("BYE", via=f"{VIA}bye", to_tag="t", call_id="1", cseq=3))
    assert [asked.request.method for asked in stage.there.asked[4:]] == ["INVITE", "BYE"]


def test_a_large_request_takes_the_room_of_several() -> None:
    stage = Stage(TransactionTimers(max_servers=8))
    for number in range(4):
        large = make_request("OPTIONS", via=f"{VIA}{number}", call_id=str(number), body=b"x" * 9000)
        stage.send(large)
    assert len(stage.there.asked) == 3


def test_repeated_requests_are_known_when_there_is_no_room() -> None:
    stage = Stage(TransactionTimers(max_servers=1))
    stage.there.behave = answering(180)
    for _ in range(2):
        stage.send(make_request(via=f"{VIA}1"))
    assert stage.net.messages(THERE) == ["180 INVITE", "180 INVITE"]


def test_room_comes_back() -> None:
    stage = Stage(TransactionTimers(max_servers=1))
    stage.there.behave = answering(200)
    for number in range(3):
        stage.send(make_request("OPTIONS", via=f"{VIA}{number}", cseq=number + 1))
        stage.net.run()
    assert stage.net.messages(THERE) == ["200 OPTIONS"] * 3


def test_answers_without_a_transaction_are_bounded() -> None:
    stage = Stage(TransactionTimers(max_servers=0, stateless_per_second=5.0))
    for number in range(20):
        request = make_request("OPTIONS", via=f"{VIA}{number}")
        stage.there.layer.receive(parse_message(request.encode()), FLOW)
        broken = MessageError("no", 400, request.headers)
        stage.there.layer.malformed(broken, FLOW)
    assert len(stage.answers) == 5
    stage.net.run(0.4)
    for number in range(20):
        stage.there.layer.receive(make_request("OPTIONS", via=f"{VIA}{number}"), FLOW)
    assert len(stage.answers) == 7


@pytest.mark.parametrize("status", [400, 414, 416, 505, 513])
def test_what_cannot_be_read_is_answered_with_what_can_and_forgotten(status: int) -> None:
    stage = Stage()
    request = make_request(via=f"{VIA}1, SIP/2.0/UDP p.example.org;branch=2")
    stage.there.layer.malformed(MessageError("x", status, request.headers), FLOW)
    (answer,) = stage.answers
    assert answer.status == status and answer.reason
    assert answer.headers.all("via") == (
        f"SIP/2.0/UDP 192.0.2.1:5060;rport=5060;branch=z9hG4bK1;received={HERE[0]}",
        "SIP/2.0/UDP p.example.org;branch=2",
    )
    for name in ("from", "call-id", "cseq"):
        assert answer.headers.get(name) == request.headers.get(name)
    assert answer.to.tag
    assert stage.there.is_clean


@pytest.mark.parametrize("missing", ["from", "to", "call-id"])
def test_a_request_that_lacks_a_header_is_answered_without_it(missing: str) -> None:
    request = make_request("OPTIONS", via=f"{VIA}1")
    request.headers.remove(missing)
    (answer,) = refusals(MessageError("x", 400, request.headers))
    assert answer.startswith(
        b"SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport=5060"
    )
    for name in {"from", "to", "call-id", "cseq"} - {missing}:
        assert f"\r\n{pretty(name)}: {request.headers.get(name)}".encode() in answer
    assert f"\r\n{pretty(missing)}:".encode() not in answer


def test_a_to_that_cannot_be_read_goes_back_as_it_came() -> None:
    request = make_request("OPTIONS", via=f"{VIA}1")
    request.headers.set("to", '"Bob <sip:b')
    (answer,) = refusals(MessageError("x", 400, request.headers))
    assert b'\r\nTo: "Bob <sip:b\r\n' in answer


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        [("cseq", "1 INVITE")],
        [("via", f"{VIA}1")],
        [("via", f"{VIA}1"), ("cseq", "1")],
        [("via", f"{VIA}1"), ("cseq", "1\tACK")],
        [("via", "nonsense"), ("cseq", "1 INVITE")],
        [("via", f'{VIA}1;x="'), ("cseq", "1 INVITE")],
        [("via", f"{VIA}1"), ("cseq", "1 ACK"), ("to", "<sip:b>"), ("from", "<sip:a>")],
    ],
)
def test_what_cannot_be_answered_is_dropped(headers: list[tuple[str, str]] | None) -> None:
    given = None if headers is None else Headers(headers)
    assert refusals(MessageError("x", 400, given)) == []


def test_a_request_that_its_user_cannot_read_is_answered_as_the_error_says() -> None:
    stage = Stage()

    def behave(transaction: ServerTransaction) -> None:
        raise MessageError("an unknown scheme", 416)

    stage.there.behave = behave
    asked = stage.here.ask(make_request(), stage.there.node.at())
    stage.net.run()
    assert asked.statuses == [416]
    assert stage.here.is_clean and stage.there.is_clean


def test_a_request_whose_fault_shows_late_is_answered_like_any_malformed_one() -> None:
    stage = Stage()
    request = make_request(via=f"{VIA}1")
    request.headers.set("from", "<sip:alice@example.org")
    stage.there.layer.receive(request, FLOW)
    (answer,) = stage.net.unreadable
    assert answer.startswith(b"SIP/2.0 400 Bad Request\r\n")
    assert stage.there.asked == [] and stage.there.is_clean


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "ACK", "CANCEL", "BYE"])
@pytest.mark.parametrize("name", ["via", "from", "to", "cseq", "route", "contact"])
@pytest.mark.parametrize("value", ["", "<", '"', ";;", "x y z", "<sip:a@b", "1", "-1 X"])
def test_no_header_makes_receive_raise(method: str, name: str, value: str) -> None:
    stage = Stage()
    request = make_request(method, via=f"{VIA}1")
    request.headers.set(name, value)
    stage.there.layer.receive(request, FLOW)
    response = make_response(make_request(method, via=f"{VIA}1"), 200)
    response.headers.set(name, value)
    stage.there.layer.receive(response, FLOW)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["via", "from", "to", "cseq", "call-id", "route", "x"]),
            st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=30),
        ),
        max_size=8,
    ),
    st.sampled_from(["INVITE", "ACK", "CANCEL", "BYE"]),
)
def test_no_headers_make_receive_or_malformed_raise(
    fields: list[tuple[str, str]], method: str
) -> None:
    stage = Stage()
    stage.there.layer.receive(Request(method, "sip:x", headers=Headers(fields)), FLOW)
    stage.there.layer.receive(Response(200, "OK", headers=Headers(fields)), FLOW)
    known = Headers([("via", f"{VIA}1"), ("cseq", f"1 {method}"), *fields])
    stage.there.layer.receive(Request(method, "sip:x", headers=known), FLOW)


def test_the_top_via_of_a_request_is_completed_for_its_user() -> None:
    stage = Stage()
    stage.send(make_request(via=f"{VIA}1, SIP/2.0/UDP p.example.org;branch=2"))
    request = stage.there.asked[0].request
    assert request.via.parameters["received"] == HERE[0]
    assert len(request.headers.all("via")) == 2
