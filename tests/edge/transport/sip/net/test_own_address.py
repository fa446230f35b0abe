"""What Via and Contact say of us towards each far end."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from edge.transport.sip.core.flow import Address, Destination, Flow, Transport
from edge.transport.sip.net.own_address import OwnAddress, source_for
from edge.transport.sip.net.settings import Advertised
from tests.edge.transport.sip.net.desk import needs_ipv6
from tests.fakes.clock import FakeClock

LISTENERS: list[tuple[Transport, Address]] = [
    ("udp", ("10.0.0.1", 5060)),
    ("tcp", ("10.0.0.1", 5062)),
    ("tls", ("10.0.0.1", 5061)),
    ("udp", ("2001:db8::5", 5060)),
]


def numeric(destination: Destination) -> Destination | None:
    return destination if destination.host[0].isdigit() or ":" in destination.host else None


def own(advertised: Advertised | None = None) -> OwnAddress:
    made = OwnAddress(FakeClock(), advertised, numeric)
    made.listeners = LISTENERS
    return made


@pytest.mark.parametrize(
    ("transport", "host", "address", "contact"),
    [
        ("udp", "192.0.2.1", ("10.0.0.1", 5060), "sip:inland@10.0.0.1:5060"),
        ("tcp", "192.0.2.1", ("10.0.0.1", 5062), "sip:inland@10.0.0.1:5062;transport=tcp"),
        ("tls", "192.0.2.1", ("10.0.0.1", 5061), "sip:inland@10.0.0.1:5061;transport=tls"),
        ("udp", "2001:db8::9", ("2001:db8::5", 5060), "sip:inland@[2001:db8::5]:5060"),
        ("udp", "name.example.com", ("10.0.0.1", 5060), "sip:inland@10.0.0.1:5060"),
    ],
)
def test_each_transport_and_family_has_its_own_address(
    transport: Transport, host: str, address: Address, contact: str
) -> None:
    destination = Destination(transport, host)
    assert own().local(destination) == address
    assert own().contact(destination) == contact


def test_behind_a_nat_the_outside_is_advertised_in_its_own_family_only() -> None:
    outside = own(Advertised("203.0.113.7", {"udp": 15060}))
    assert outside.local(Destination("udp", "192.0.2.1")) == ("203.0.113.7", 15060)
    assert outside.local(Destination("tcp", "192.0.2.1")) == ("203.0.113.7", 5062)
    assert outside.local(Destination("udp", "2001:db8::9")) == ("2001:db8::5", 5060)


def test_an_advertised_name_is_for_everybody() -> None:
    outside = own(Advertised("sip.example.com"))
    assert outside.local(Destination("udp", "2001:db8::9")) == ("sip.example.com", 5060)


def test_far_ends_on_our_side_of_the_nat_are_told_our_own_address() -> None:
    outside = own(Advertised("203.0.113.7", local=(ip_network("10.0.0.0/8"),)))
    assert outside.local(Destination("udp", "10.2.3.4"))[0] == "10.0.0.1"
    assert outside.local(Destination("udp", "127.0.0.1"))[0] == "10.0.0.1"
    assert outside.local(Destination("udp", "192.0.2.1"))[0] == "203.0.113.7"


def test_a_flow_tells_which_of_our_addresses_the_far_end_knows() -> None:
    flow = Flow("udp", ("10.0.0.9", 5070), ("192.0.2.1", 5060))
    assert own().local(Destination("udp", "192.0.2.1", 5060, flow)) == ("10.0.0.9", 5070)
    stream = Flow("tcp", ("10.0.0.9", 41234), ("192.0.2.1", 5060), 3)
    assert own().local(Destination("tcp", "192.0.2.1", 5060, stream)) == ("10.0.0.9", 5062)


def test_a_socket_that_is_bound_to_all_addresses_says_the_one_that_routing_chooses() -> None:
    anywhere = own()
    anywhere.listeners = [("udp", ("0.0.0.0", 5060))]
    assert anywhere.local(Destination("udp", "127.0.0.1")) == ("127.0.0.1", 5060)


@needs_ipv6
def test_the_route_is_asked_for_ipv6_too() -> None:
    assert source_for("::1") == "::1"


def test_without_a_route_something_is_said_all_the_same() -> None:
    assert source_for("255.255.255.255") == "127.0.0.1"
