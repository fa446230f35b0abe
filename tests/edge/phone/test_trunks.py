"""Whose call it is by the address it came from, or the name it proves."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.phone.trunks import Trunks
from tests.edge.phone.parts import trunk

LOGIN = {"username": "branch", "password_env": "P"}


def name_of(trunks: Trunks, source: str) -> str | None:
    found = trunks.of_source(source)
    return None if found is None else found.name


def test_the_narrowest_network_wins() -> None:
    trunks = Trunks(
        [
            trunk("wide", networks=("198.51.0.0/16", "2001:db8::/32")),
            trunk("narrow", networks=("198.51.100.0/24",)),
            trunk("one", networks=("198.51.100.7", "2001:db8::7")),
        ]
    )
    assert name_of(trunks, "198.51.100.7") == "one"
    assert name_of(trunks, "198.51.100.8") == "narrow"
    assert name_of(trunks, "198.51.101.8") == "wide"
    assert name_of(trunks, "198.52.0.1") is None
    assert name_of(trunks, "2001:db8::7") == "one"
    assert name_of(trunks, "2001:db8::8") == "wide"
    assert name_of(trunks, "2001:db9::8") is None


def test_an_ipv4_address_on_an_ipv6_socket_is_the_ipv4_address() -> None:
    assert name_of(Trunks([trunk()]), "::ffff:198.51.100.9") == "carrier"


def test_the_same_bits_in_the_other_family_are_nobody_s() -> None:
    assert name_of(Trunks([trunk(networks=("0.0.0.1",))]), "::1") is None


@pytest.mark.parametrize("source", ["", "carrier.example", "198.51.100", "::ffff:198.51.100.300"])
def test_what_is_no_address_is_nobody_s(source: str) -> None:
    assert name_of(Trunks([trunk()]), source) is None


def test_a_zone_is_no_part_of_an_address() -> None:
    assert name_of(Trunks([trunk(networks=("fe80::/64",))]), "fe80::1%eth0") == "carrier"


def test_a_trunk_is_found_by_its_name_and_by_its_login() -> None:
    trunks = Trunks([trunk(inbound_auth=LOGIN), trunk("other", networks=("192.0.2.1",))])
    assert [found and found.name for found in (trunks.named("other"), trunks.named("x"))] == [
        "other",
        None,
    ]
    found = trunks.of_login("branch")
    assert found is not None and found.name == "carrier"
    assert trunks.of_login("carrier") is None


def test_strangers_may_prove_themselves_only_where_a_trunk_has_a_password_and_no_network() -> None:
    assert not Trunks([trunk()]).take_strangers
    assert not Trunks([trunk(inbound_auth=LOGIN)]).take_strangers
    assert Trunks([trunk(inbound_auth=LOGIN, networks=())]).take_strangers


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 32)), min_size=1, max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_the_table_finds_what_a_search_through_all_networks_finds(
    drawn: list[tuple[int, int]], address: int
) -> None:
    networks = {
        ipaddress.ip_network((value >> (32 - length) << (32 - length), length))
        for value, length in drawn
    }
    owners = {network: f"t{index}" for index, network in enumerate(networks)}
    trunks = Trunks([trunk(name, networks=(str(net),)) for net, name in owners.items()])
    sources = [ipaddress.IPv4Address(address), *(network[0] for network in networks)]
    for source in sources:
        around = [network for network in networks if source in network]
        widest = max(around, key=lambda network: network.prefixlen, default=None)
        assert name_of(trunks, str(source)) == (None if widest is None else owners[widest])
