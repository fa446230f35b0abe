from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from edge.egress.nft import ruleset, user_name
from edge.egress.resolve import Found
from tests.edge.egress.site import SETTINGS, found

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


async def rules(user: str | None = None, **changes: Any) -> str:
    return ruleset(await found(**changes), user=user, at=AT)


def elements(text: str, name: str) -> set[str]:
    """Of the last definition of a set, without comments."""
    block = re.findall(rf"  set {name} {{\n(.*?)\n  }}", text, re.DOTALL)
    return set(re.findall(r'^      (\S+(?: \. \d+)?) comment "', "".join(block), re.MULTILINE))


async def test_the_sets_hold_exactly_the_addresses_in_use() -> None:
    text = await rules()
    assert elements(text, "tcp4") == {
        *("203.0.113.1 . 443", "203.0.113.2 . 6379", "203.0.113.3 . 443", "203.0.113.4 . 5071"),
    }
    assert elements(text, "tcp6") == {"2001:db8::1 . 443"}
    assert elements(text, "sip4") == {"192.0.2.10 . 5060"}
    assert elements(text, "dns4") == {"203.0.113.53"}
    assert elements(text, "sip6") == elements(text, "dns6") == set()


async def test_what_nothing_allowed_is_counted_and_refused_at_the_end() -> None:
    text = await rules()
    *_, last = re.findall(r"^    (.*)$", text, re.MULTILINE)
    assert last == "counter name refused reject with icmpx admin-prohibited"
    assert "policy drop;" in text


async def test_the_names_are_listed_with_when_to_ask_again() -> None:
    text = await rules()
    assert "as of 2026-11-21T12:00:00Z" in text
    assert "#   store.example.org: 203.0.113.2" in text
    assert "#   control.example.org: 2001:db8::1, 203.0.113.1" in text
    assert "leads elsewhere" in text


async def test_without_names_nothing_has_to_be_asked_again() -> None:
    text = await rules(
        control_planes=["https://203.0.113.1"],
        store=None,
        sip=None,
        environ={"CLINIC_BOOKING_URL": "http://127.0.0.1:1"},
    )
    assert "No name had to be resolved" in text
    assert "sport { }" not in text


async def test_one_users_programs_can_be_held_back_alone() -> None:
    assert 'meta skuid != "inland" accept' in await rules(user="inland")
    text = await rules()
    assert "skuid" not in text
    assert "every program of this machine" in text


@pytest.mark.parametrize("text", ['in"land', "root accept", "", "Inland", "-x", "a\nb"])
def test_what_is_no_user_cannot_become_a_rule(text: str) -> None:
    with pytest.raises(ValueError, match="user"):
        user_name(text)


async def test_one_address_of_two_services_is_one_element() -> None:
    same: dict[str, Any] = SETTINGS["store"] | {"redis": "rediss://203.0.113.1:443"}
    text = await rules(store=same)
    assert text.count("203.0.113.1 . 443") == 1
    assert "control plane, session store" in text


def test_a_barrier_without_ways_still_lets_answers_out() -> None:
    nowhere = Found(tcp=(), sip_udp=(), networks=(), sip_ports=(), media=(), resolvers=())
    text = ruleset(nowhere, user=None, at=AT)
    assert "ct state established,related counter accept" in text
    assert "elements" not in text
