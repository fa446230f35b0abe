"""Where requests of a dialog go, and in which order they come (RFC 3261 section 12)."""

from __future__ import annotations

from typing import Any

import pytest

from edge.transport.sip.core.dialog import Dialog
from edge.transport.sip.core.flow import Destination, Flow
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Request, Response

LOCAL = ("198.51.100.1", 5060)
UDP = Flow("udp", LOCAL, ("8.8.8.8", 5060))
TCP = Flow("tcp", LOCAL, ("8.8.8.8", 40123), 7)
TLS = Flow("tls", ("198.51.100.1", 5061), ("8.8.8.8", 40123), 8)


def invite(
    contact: str | None = "<sip:them@8.8.8.8:5060>",
    vias: tuple[str, ...] = ("SIP/2.0/UDP 8.8.8.8:5060;branch=z9hG4bK1",),
    routes: tuple[str, ...] = (),
    uri: str = "sip:us@example.org",
    cseq: str = "5 INVITE",
) -> Request:
    fields = [("via", via) for via in vias]
    fields += [("record-route", route) for route in routes]
    fields += [("from", '"Them" <sip:them@x>;tag=theirs'), ("to", "<sip:us@x>")]
    fields += [("call-id", "c"), ("cseq", cseq)]
    if contact is not None:
        fields.append(("contact", contact))
    return Request("INVITE", uri, headers=Headers(fields))


def called(flow: Flow = UDP, **more: Any) -> Dialog:
    return Dialog.as_callee(invite(**more), flow, "ours", 41)


def ok(contact: str | None = "<sip:them@8.8.8.8:5060>", routes: tuple[str, ...] = ()) -> Response:
    fields = [("record-route", route) for route in routes]
    fields += [("to", "<sip:us@x>;tag=theirs"), ("cseq", "5 INVITE")]
    if contact is not None:
        fields.append(("contact", contact))
    return Response(200, "OK", headers=Headers(fields))


def calling(hop: Destination, **more: Any) -> Dialog:
    return Dialog.as_caller(invite(), ok(**more), hop)


def test_requests_carry_the_dialogs_identity_and_the_next_number() -> None:
    dialog = called()

    first, second = dialog.request("INFO"), dialog.request("BYE", [("reason", "x")])

    assert first.headers.get("from") == "<sip:us@x>;tag=ours"
    assert first.headers.get("to") == '"Them" <sip:them@x>;tag=theirs'
    assert (first.cseq.number, second.cseq.number) == (42, 43)
    assert second.headers.get("reason") == "x"
    assert dialog.request("ACK", cseq=42).cseq.number == 42
    assert dialog.request("INFO").cseq.number == 44


def test_requests_of_theirs_are_taken_in_order_only() -> None:
    dialog = called()
    answers = [dialog.take(invite(cseq=f"{number} INFO")) for number in (6, 9, 9, 7, 10)]
    assert answers == [True, True, False, False, True]

    fresh = calling(Destination("udp", "8.8.8.8", 5060))
    assert fresh.take(invite(cseq="0 INFO")), "the caller does not know their number yet"


def test_loose_routes_stay_as_they_were_written() -> None:
    routes = ("<sip:A.example;lr;x=Y>", '"odd"  <sip:b.example:5070;transport=tcp;lr=on>')
    dialog = called(routes=routes)

    request = dialog.request("BYE")

    assert request.uri == "sip:them@8.8.8.8:5060"
    assert request.headers.lines("route") == routes
    assert dialog.destination() == Destination("udp", "a.example", None)
    assert calling(Destination("udp", "8.8.8.8"), routes=routes).routes == routes[::-1]


def test_a_strict_router_is_named_in_the_request_line() -> None:
    dialog = called(routes=("<sip:a.example;x=1?Subject=no>", "<sip:b.example;lr>"))

    request = dialog.request("BYE")

    assert request.uri == "sip:a.example;x=1"
    assert request.headers.lines("route") == ("<sip:b.example;lr>", "<sip:them@8.8.8.8:5060>")
    assert dialog.destination() == Destination("udp", "a.example", None)


def test_routes_that_cannot_be_used_are_refused_at_once() -> None:
    for routes in (("<tel:+1>",), ("<sip:a b>",), ("<sip:a.example;lr>",) * 33):
        with pytest.raises(MessageError):
            called(routes=routes)


def test_a_call_needs_a_contact() -> None:
    for contact in (None, "<tel:+1>", "<>"):
        with pytest.raises(MessageError):
            called(contact=contact)


def test_an_answer_without_a_usable_contact_is_reached_where_the_invite_went() -> None:
    for contact in (None, "<tel:+1>"):
        dialog = calling(Destination("udp", "8.8.8.8", 5080), contact=contact)
        assert dialog.target == "sip:us@example.org"


# Where requests go


def test_the_remote_target_says_where() -> None:
    dialog = called(contact="<sip:them@9.9.9.9:5070>")
    assert dialog.destination() == Destination("udp", "9.9.9.9", 5070)
    assert called(contact="<sip:t@9.9.9.9;transport=TCP>").destination().transport == "tcp"
    assert called(contact="<sips:t@example.com>").destination() == Destination("tls", "example.com")


@pytest.mark.parametrize("flow", [TCP, TLS])
def test_a_standing_stream_is_used_when_the_next_hop_is_its_far_end(flow: Flow) -> None:
    via = f"SIP/2.0/{flow.transport.upper()} 8.8.8.8;branch=z9hG4bK1"
    for contact in (
        f"<sip:them@8.8.8.8:5099;transport={flow.transport}>",
        "<sip:them@8.8.8.8>",
    ):
        dialog = called(flow, contact=contact, vias=(via,))
        assert dialog.destination().flow == flow
        dialog.flow_closed(flow)
        after = dialog.destination()
        assert after.flow is None and (after.transport, after.host) == (flow.transport, "8.8.8.8")
    other = called(flow, contact="<sip:them@9.9.9.9;transport=tcp>", vias=(via,))
    assert other.destination() == Destination("tcp", "9.9.9.9", None)
    proxied = called(flow, routes=(f"<sip:8.8.8.8;transport={flow.transport};lr>",), vias=(via,))
    assert proxied.destination().flow == flow


@pytest.mark.parametrize(
    ("contact", "via", "behind"),
    [
        # A private address in the Contact.
        ("<sip:t@192.168.1.7:5060>", "SIP/2.0/UDP 192.168.1.7:5060;branch=z9hG4bK1;rport", True),
        ("<sip:t@10.0.0.7:5060>", "SIP/2.0/UDP 8.8.8.8:5060;branch=z9hG4bK1", True),
        ("<sip:t@[fd00::1]:5060>", "SIP/2.0/UDP 8.8.8.8:5060;branch=z9hG4bK1", True),
        # A Via whose address was translated.
        ("<sip:t@9.9.9.9:5060>", "SIP/2.0/UDP 9.9.9.9:5060;branch=z9hG4bK1", True),
        ("<sip:t@8.8.8.8:5062>", "SIP/2.0/UDP 8.8.8.8:5062;branch=z9hG4bK1;rport", True),
        # A port of its own for sending, without RFC 3581, and a machine of its own for answers.
        ("<sip:t@8.8.8.8:5062>", "SIP/2.0/UDP 8.8.8.8:5062;branch=z9hG4bK1", False),
        ("<sip:t@9.9.9.9:5060>", "SIP/2.0/UDP 8.8.8.8:5060;branch=z9hG4bK1;rport", False),
        ("<sip:t@pbx.example:5060>", "SIP/2.0/UDP pbx.example;branch=z9hG4bK1", False),
    ],
)
def test_behind_a_nat_requests_go_back_to_where_theirs_came_from(
    contact: str, via: str, behind: bool
) -> None:
    dialog = called(contact=contact, vias=(via,))

    assert dialog.behind_nat is behind
    if behind:
        assert dialog.destination() == Destination("udp", "8.8.8.8", 5060, UDP)
    else:
        assert dialog.destination().flow is None


def test_a_proxy_on_the_way_knows_better_than_the_source() -> None:
    private = "<sip:t@192.168.1.7:5060>"
    via = "SIP/2.0/UDP 192.168.1.7:5060;branch=z9hG4bK1"
    assert not called(contact=private, routes=("<sip:p.example;lr>",)).behind_nat
    assert not called(contact=private, vias=("SIP/2.0/UDP p.example;branch=z", via)).behind_nat


def test_behind_a_nat_a_new_port_is_followed_and_a_public_target_believed() -> None:
    dialog = called(contact="<sip:t@192.168.1.7:5060>")
    moved = Flow("udp", LOCAL, ("8.8.8.8", 61000))

    dialog.refresh(invite(contact="<sip:t@192.168.1.7:5060>"), moved)
    assert dialog.destination().port == 61000

    dialog.refresh(invite(contact="<sip:t@9.9.9.9:5060>"), moved)
    assert dialog.destination() == Destination("udp", "9.9.9.9", 5060)


def test_a_trunk_that_answers_with_a_private_contact_is_reached_at_its_public_address() -> None:
    hop = Destination("udp", "8.8.8.8", 5080)
    assert calling(hop, contact="<sip:t@10.1.1.1>").destination() == hop
    assert calling(hop, contact="<sip:t@9.9.9.9>").destination().host == "9.9.9.9"
    inside = Destination("udp", "10.0.0.1", 5060)
    assert calling(inside, contact="<sip:t@10.1.1.1>").destination().host == "10.1.1.1"


def test_a_target_is_refreshed_and_a_2xx_renews_the_routes() -> None:
    dialog = calling(Destination("udp", "8.8.8.8"), routes=("<sip:a.example;lr>",))
    dialog.refresh(ok(contact="<sip:new@9.9.9.9>"))
    dialog.refresh(ok(contact=None))
    dialog.refresh(ok(contact="<tel:+1>"))
    assert dialog.target == "sip:new@9.9.9.9"

    dialog.confirm(ok(contact="<sip:last@9.9.9.9>", routes=("<sip:b.example;lr>",)))
    assert (dialog.target, dialog.routes) == ("sip:last@9.9.9.9", ("<sip:b.example;lr>",))


def test_a_dialog_is_secure_by_a_sips_uri_over_tls() -> None:
    via = ("SIP/2.0/TLS 8.8.8.8;branch=z9hG4bK1",)
    assert called(TLS, uri="sips:us@example.org", vias=via).secure
    assert not called(TLS, vias=via).secure
    assert not called(TCP, uri="sips:us@example.org", vias=via).secure
