"""Client transactions; the far end is played by hand (RFC 3261 section 17.1, RFC 6026)."""

from __future__ import annotations

import pytest

from edge.transport.sip.core.flow import Destination, Flow, Transport
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.transactions import Failure
from edge.transport.sip.wire.message import Request, Response
from tests.edge.transport.sip.core.client_stage import Stage
from tests.edge.transport.sip.core.party import (
    HERE,
    THERE,
    Deaf,
    Party,
    make_request,
)
from tests.fakes.sip_net import SipNet

ROUTES = [("route", "<sip:p1.example.net;lr>"), ("route", "<sip:p2.example.net;lr>")]


def test_an_invite_is_repeated_with_doubling_pauses_until_64_t1_and_then_times_out() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.net.run(31.99)
    assert (asked.failures, asked.transaction.terminated) == ([], False)
    stage.net.run()
    assert stage.heard("INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]  # Timer A
    assert (asked.failures, stage.elapsed) == (["timeout"], 32.0)  # Timer B
    assert asked.transaction.terminated and stage.here.is_clean


def test_another_request_is_repeated_at_most_every_t2_until_64_t1_and_then_times_out() -> None:
    stage = Stage()
    asked = stage.ask("OPTIONS")
    stage.net.run()
    repeated = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert stage.heard("OPTIONS") == repeated  # Timer E
    assert (asked.failures, stage.elapsed) == (["timeout"], 32.0)  # Timer F
    assert stage.here.is_clean


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_over_a_stream_a_request_is_sent_once_and_still_times_out(
    method: str, transport: Transport
) -> None:
    stage = Stage(transport)
    stage.net.node(THERE[0], 5061).attach(Deaf())
    asked = stage.ask(method)
    stage.net.run()
    assert stage.heard(method) == [0]
    assert (asked.failures, stage.elapsed) == (["timeout"], 32.0)
    assert stage.here.is_clean


def test_a_provisional_ends_the_repeating_of_an_invite_and_its_timeout() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.net.run(0.6)
    stage.answer(180)
    stage.net.run(600)
    stage.answer(183)
    assert stage.heard("INVITE") == [0, 0.5]
    assert (asked.statuses, asked.failures) == ([180, 183], [])
    assert asked.transaction.state == "proceeding"


def test_a_provisional_slows_another_request_down_but_does_not_save_it() -> None:
    stage = Stage()
    asked = stage.ask("OPTIONS")
    stage.net.run(0.6)
    stage.answer(100)
    assert asked.transaction.state == "proceeding"
    stage.net.run()
    # Timer E stands where it was set; from its next firing on it is T2.
    assert stage.heard("OPTIONS") == [0, 0.5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert (asked.statuses, asked.failures, stage.elapsed) == ([100], ["timeout"], 32.0)


@pytest.mark.parametrize("first", [None, 100])
def test_a_final_response_ends_the_repeating_and_is_absorbed_for_t4(first: int | None) -> None:
    stage = Stage()
    asked = stage.ask("OPTIONS")
    if first:
        stage.answer(first)
    stage.answer(200)
    stage.net.run(4.9)
    stage.answer(200)
    assert asked.statuses == [*([first] if first else []), 200]
    assert asked.transaction.state == "completed"
    stage.net.run()
    assert stage.elapsed == 5.0  # Timer K
    assert stage.heard("OPTIONS") == [0]
    assert stage.here.is_clean and not stage.here.strays


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("INVITE", 486)])
def test_over_a_stream_nothing_lingers_after_a_final_response(method: str, status: int) -> None:
    stage = Stage("tcp")
    asked = stage.ask(method)
    stage.answer(status)
    assert asked.statuses == [status]
    assert asked.transaction.terminated and stage.here.is_clean


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_each_2xx_of_an_invite_is_told_for_64_t1_after_the_first(transport: Transport) -> None:
    stage = Stage(transport)
    asked = stage.ask()
    stage.answer(180)
    stage.answer(200)
    assert asked.transaction.state == "accepted"
    stage.net.run(20.0)
    stage.answer(200)
    stage.answer(200, tag="fork")
    stage.net.run(11.9)
    stage.answer(202)
    assert asked.statuses == [180, 200, 200, 200, 202]
    assert [response.to.tag for response in asked.responses] == ["b1", "b1", "b1", "fork", "b1"]
    assert stage.here.strays == []
    stage.net.run()
    assert stage.elapsed == 32.0  # Timer M, over any transport
    assert stage.heard("INVITE") == [0] and stage.here.is_clean


@pytest.mark.parametrize("late", [100, 180, 302, 486, 603])
def test_after_a_2xx_nothing_but_2xx_is_told_and_nothing_is_acknowledged(late: int) -> None:
    stage = Stage()
    asked = stage.ask()
    stage.answer(200)
    stage.answer(late)
    assert asked.statuses == [200]
    assert stage.heard("ACK") == []


def test_a_2xx_to_an_invite_that_is_gone_goes_to_the_user() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.answer(200)
    stage.net.run()
    for status in (180, 300, 486, 200):
        stage.answer(status)
    assert asked.statuses == [200]
    assert [response.status for response in stage.here.strays] == [200]


def test_a_2xx_after_a_refusal_goes_to_the_user() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.answer(486)
    stage.answer(200, tag="fork")
    assert (asked.statuses, [response.to.tag for response in stage.here.strays]) == (
        [486],
        ["fork"],
    )
    assert stage.heard("ACK") == [0]


@pytest.mark.parametrize("status", [300, 302, 404, 487, 500, 603, 699])
@pytest.mark.parametrize("provisional", [False, True])
def test_a_refusal_is_told_once_and_acknowledged_each_time(status: int, provisional: bool) -> None:
    stage = Stage()
    asked = stage.ask()
    if provisional:
        stage.answer(180)
    stage.answer(status)
    stage.net.run(1.0)
    stage.answer(status)
    stage.answer(180)
    assert asked.statuses == [*([180] if provisional else []), status]
    assert stage.heard("ACK") == [0, 1.0]
    stage.net.run(30.9)
    stage.answer(status)
    stage.net.run()
    assert stage.heard("ACK") == [0, 1.0, 31.9]
    assert stage.elapsed == 32.0  # Timer D
    stage.answer(status)
    assert len(stage.heard("ACK")) == 3
    assert asked.failures == [] and stage.here.is_clean


def test_the_ack_of_a_refusal_is_built_from_the_invite_and_the_to_of_the_response() -> None:
    stage = Stage()
    stage.ask(cseq=7, headers=[*ROUTES, ("contact", "<sip:a@192.0.2.1>")], body=b"v=0")
    stage.answer(180, tag="early")
    stage.answer(486, tag="final")
    invite, ack = stage.request, stage.there.heard[-1]
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri, ack.body) == ("ACK", invite.uri, b"")
    assert ack.headers.all("via") == invite.headers.all("via")
    assert ack.headers.all("route") == tuple(value for _, value in ROUTES)
    assert ack.headers.get("from") == invite.headers.get("from")
    assert ack.headers.get("to") == "<sip:bob@example.net>;tag=final"
    assert str(ack.cseq) == "7 ACK"
    assert ack.call_id == invite.call_id
    assert ack.headers.get("max-forwards") == "70"
    assert "contact" not in ack.headers


def test_a_request_gets_one_via_of_ours_that_asks_for_the_port() -> None:
    stage = Stage()
    given = make_request(via="SIP/2.0/UDP old.example;branch=z9hG4bKold")
    asked = stage.here.ask(given, stage.there.at())
    again = stage.here.ask(given, stage.there.at())
    stage.net.run(0.0)
    vias = stage.request.headers.all("via")
    assert len(vias) == 1
    via = stage.request.via
    assert (via.transport, via.host, via.port) == ("UDP", *HERE)
    assert via.parameters == {"rport": None, "branch": asked.transaction.branch}
    assert via.branch.startswith("z9hG4bK") and len(via.branch) >= 24
    assert again.transaction.branch != asked.transaction.branch
    assert given.via.branch == "z9hG4bKold"  # the caller's own stays as it was


@pytest.mark.parametrize(
    "changed",
    [
        {"via": "SIP/2.0/UDP 192.0.2.1:5070;branch={branch}"},
        {"via": "SIP/2.0/UDP 192.0.2.9:5060;branch={branch}"},
        {"via": "SIP/2.0/UDP 192.0.2.1:5060;branch={branch}x"},
        {"via": "SIP/2.0/UDP 192.0.2.1:5060"},
        {"via": "SIP/2.0/UDP 192.0.2.1:5060;branch={branch}, SIP/2.0/UDP p.example"},
        {"cseq": "1 OPTIONS"},
        {"cseq": "1 CANCEL"},
    ],
)
@pytest.mark.parametrize("status", [180, 404])
def test_a_response_to_something_else_is_dropped(changed: dict[str, str], status: int) -> None:
    stage = Stage()
    asked = stage.ask()
    branch = asked.transaction.branch
    stage.answer(status, **{name: value.format(branch=branch) for name, value in changed.items()})
    assert (asked.statuses, stage.here.strays) == ([], [])
    assert asked.transaction.state == "calling"


def test_a_2xx_with_a_via_that_is_not_ours_does_not_reach_the_user() -> None:
    stage = Stage()
    stage.ask()
    stage.answer(200, via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKelse")
    assert stage.here.strays == []


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
@pytest.mark.parametrize("provisional", [False, True])
def test_a_request_that_cannot_be_sent_fails_once(method: str, provisional: bool) -> None:
    stage = Stage()
    asked = stage.ask(method)
    if provisional:
        stage.answer(100)
    for _ in range(2):
        stage.here.layer.transport_failed(asked.transaction.branch)
    assert asked.failures == ["transport"]
    assert asked.transaction.terminated and stage.here.is_clean


@pytest.mark.parametrize(("method", "status"), [("INVITE", 200), ("INVITE", 486), ("BYE", 200)])
def test_after_a_final_response_a_dead_transport_is_no_failure(method: str, status: int) -> None:
    stage = Stage()
    asked = stage.ask(method)
    stage.answer(status)
    stage.here.layer.transport_failed(asked.transaction.branch)
    assert (asked.statuses, asked.failures) == ([status], [])
    stage.net.run()
    assert asked.failures == [] and stage.here.is_clean


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_failure_is_not_told_before_the_request_has_returned(method: str) -> None:
    net = SipNet()
    here = Party(net, HERE)
    failures: list[Failure] = []
    nowhere = Destination("tcp", "192.0.2.99")  # the network says so inside ``send``
    transaction = here.layer.request(
        make_request(method), nowhere, lambda response: None, failures.append
    )
    assert failures == [] and not transaction.terminated
    net.run(0.0)
    assert failures == ["transport"] and here.is_clean


@pytest.mark.parametrize(("ringing", "fails"), [(False, True), (True, True)])
def test_a_connection_that_closes_takes_its_requests_along(ringing: bool, fails: bool) -> None:
    stage = Stage("tcp")
    asked = stage.ask()
    if ringing:
        stage.answer(180)
    stage.net.cut(Flow("tcp", HERE, THERE))
    assert asked.failures == (["transport"] if fails else [])
    assert stage.here.is_clean


@pytest.mark.parametrize(
    "closed",
    [
        Flow("tcp", HERE, THERE, 8),
        Flow("tls", HERE, THERE, 7),
        Flow("tcp", HERE, ("192.0.2.3", 5060), 9),
    ],
)
def test_a_connection_that_closes_leaves_the_requests_of_others_alone(closed: Flow) -> None:
    stage = Stage("tcp")
    mine = Flow("tcp", HERE, THERE, 7)
    bound = stage.here.ask(make_request("OPTIONS"), Destination("tcp", *THERE, flow=mine))
    stage.here.layer.flow_closed(closed)
    assert bound.failures == []
    stage.here.layer.flow_closed(mine)
    assert bound.failures == ["transport"]


@pytest.mark.parametrize(("transport", "port"), [("tcp", 5060), ("tls", 5061)])
def test_a_request_to_an_address_without_a_port_is_bound_to_the_default_one(
    transport: Transport, port: int
) -> None:
    stage = Stage()
    asked = stage.here.ask(make_request("OPTIONS"), Destination(transport, THERE[0]))
    stage.here.layer.flow_closed(Flow(transport, HERE, (THERE[0], 5070), 3))
    assert asked.failures == []
    stage.here.layer.flow_closed(Flow(transport, HERE, (THERE[0], port), 4))
    stage.net.run(0.0)
    assert asked.failures == ["transport"]


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_request_without_a_flow_is_bound_to_the_connection_that_its_answer_came_over(
    method: str,
) -> None:
    stage = Stage()
    asked = stage.here.ask(make_request(method), Destination("tcp", "trunk.example.net", 5060))
    named = Flow("tcp", HERE, THERE, 3)
    stage.here.layer.flow_closed(named)
    assert asked.failures == []  # nobody said that the name is that address
    response = make_response(asked.transaction.request, 100)
    stage.here.layer.receive(response, named)
    stage.here.layer.flow_closed(named)
    assert asked.failures == ["transport"]


def test_the_ack_of_a_2xx_has_a_branch_of_its_own_and_no_transaction() -> None:
    stage = Stage()
    asked = stage.ask()
    stage.answer(200)
    alive = stage.here.layer.active
    data = stage.here.layer.send_ack(make_request("ACK", to_tag="b1"), stage.there.at())
    stage.net.run(0.0)
    ack = stage.there.heard[-1]
    assert ack.encode() == data
    assert ack.via.branch not in ("", asked.transaction.branch)
    assert stage.here.layer.active == alive


def test_a_response_that_its_owner_cannot_read_hurts_nobody() -> None:
    stage = Stage()

    def read(response: Response) -> None:
        assert response.contact is None

    asked = stage.here.layer.request(
        make_request("OPTIONS"), stage.there.at(), read, lambda failure: None
    )
    stage.net.run(0.0)
    stage.answer(200, contact="<sip:not closed")
    stage.net.run()
    assert asked.terminated and stage.here.is_clean
