"""Where a description may make us send."""

from __future__ import annotations

import pytest

from edge.transport.sip.media.destination import usable


@pytest.mark.parametrize(
    ("address", "family"),
    [
        (("192.0.2.1", 5004), 4),
        (("10.0.0.7", 1024), 4),
        (("2001:db8::1", 65_535), 6),
        (("fd00::1", 5004), 6),
    ],
)
def test_a_telephones_address_is_used(address: tuple[str, int], family: int) -> None:
    assert usable(address, family=family, loopback=False) == address


def test_addresses_come_out_in_their_usual_form() -> None:
    spelled = ("2001:DB8:0:0::1", 5004)
    assert usable(spelled, family=6, loopback=False) == ("2001:db8::1", 5004)
    assert usable(("::ffff:192.0.2.1", 5004), family=4, loopback=False) == ("192.0.2.1", 5004)


@pytest.mark.parametrize(
    "address",
    [
        None,
        ("192.0.2.1", 0),
        ("192.0.2.1", 53),
        ("192.0.2.1", 65_536),
        ("224.0.0.1", 5004),
        ("255.255.255.255", 5004),
        ("0.0.0.0", 5004),
        ("127.0.0.1", 5004),
        ("::1", 5004),
        ("2001:db8::1", 5004),
        ("phone.example", 5004),
        ("", 5004),
    ],
)
def test_nothing_is_sent_to_groups_services_names_or_this_machine(
    address: tuple[str, int] | None,
) -> None:
    assert usable(address, family=4, loopback=False) is None


@pytest.mark.parametrize("host", ["ff02::1", "::", "::1", "fe80::1%eth0", "::ffff:192.0.2.1"])
def test_nor_to_their_like_in_ipv6(host: str) -> None:
    assert usable((host, 5004), family=6, loopback=False) is None


def test_a_caller_on_this_machine_is_reached_when_that_was_meant() -> None:
    assert usable(("127.0.0.1", 5004), family=4, loopback=True) == ("127.0.0.1", 5004)
