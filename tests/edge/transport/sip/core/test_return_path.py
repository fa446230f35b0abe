"""Where responses go (RFC 3261 section 18.2.2, RFC 3581)."""

from __future__ import annotations

import pytest

from edge.transport.sip.core.flow import Destination, Flow
from edge.transport.sip.core.return_path import completed, way_back
from edge.transport.sip.wire.values import Via

HOME = ("192.0.2.2", 5060)
NAT = ("203.0.113.9", 41000)
UDP = Flow("udp", HOME, NAT)


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        (
            "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=b",
            "SIP/2.0/UDP 10.0.0.1:5060;rport=41000;branch=b;received=203.0.113.9",
        ),
        (
            # Even when they are the same: RFC 3581 section 4.
            "SIP/2.0/UDP 203.0.113.9:41000;rport;branch=b",
            "SIP/2.0/UDP 203.0.113.9:41000;rport=41000;branch=b;received=203.0.113.9",
        ),
        (
            "SIP/2.0/UDP pc.example.org;branch=b",
            "SIP/2.0/UDP pc.example.org;branch=b;received=203.0.113.9",
        ),
        ("SIP/2.0/UDP 203.0.113.9;branch=b", "SIP/2.0/UDP 203.0.113.9;branch=b"),
        (
            # A sender does not say where it is seen from.
            "SIP/2.0/UDP 203.0.113.9;rport=1;received=198.51.100.1;branch=b",
            "SIP/2.0/UDP 203.0.113.9;rport=41000;received=203.0.113.9;branch=b",
        ),
    ],
)
def test_a_via_is_completed_with_where_it_came_from(via: str, expected: str) -> None:
    assert str(completed(Via.parse(via), UDP)) == expected


def test_an_ipv6_via_is_the_same_however_it_is_written() -> None:
    flow = Flow("udp", ("2001:db8::2", 5060), ("2001:db8::1", 5060))
    via = Via.parse("SIP/2.0/UDP [2001:DB8:0::1]:5060;branch=b")
    assert completed(via, flow) == via
    other = completed(Via.parse("SIP/2.0/UDP [2001:db8::7];branch=b"), flow)
    assert other.parameters["received"] == "2001:db8::1"


def test_with_rport_a_response_goes_back_to_where_the_datagram_came_from() -> None:
    via = Via.parse("SIP/2.0/UDP 10.0.0.1:5062;rport=41000;branch=b")
    assert way_back(via, UDP) == Destination("udp", *NAT, flow=UDP)


@pytest.mark.parametrize(("sent_by", "port"), [("10.0.0.1:5062", 5062), ("pc.example.org", 5060)])
def test_without_rport_a_response_goes_to_the_port_of_sent_by_at_the_source(
    sent_by: str, port: int
) -> None:
    via = Via.parse(f"SIP/2.0/UDP {sent_by};branch=b")
    target = (NAT[0], port)
    assert way_back(via, UDP) == Destination("udp", *target, flow=Flow("udp", HOME, target))


def test_nobody_can_send_our_responses_to_somebody_else() -> None:
    via = Via.parse("SIP/2.0/UDP 10.0.0.1;maddr=198.51.100.1;received=198.51.100.1;branch=b")
    assert way_back(via, UDP).host == NAT[0]


@pytest.mark.parametrize(
    ("transport", "sent_by", "port"),
    [("tcp", "10.0.0.1:5062", 5062), ("tcp", "10.0.0.1", 5060), ("tls", "10.0.0.1", 5061)],
)
def test_over_a_stream_a_response_takes_the_connection_and_else_opens_one_to_sent_by(
    transport: str, sent_by: str, port: int
) -> None:
    flow = Flow(transport, HOME, NAT, 4)  # type: ignore[arg-type]
    via = Via.parse(f"SIP/2.0/{transport.upper()} {sent_by};rport;branch=b")
    assert way_back(via, flow) == Destination(flow.transport, NAT[0], port, flow)
