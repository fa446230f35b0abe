"""A trunk is let in by its network, its password or both; nobody else is, and not for long."""

from __future__ import annotations

import pytest

from edge.phone.admission import (
    MAX_PROVEN,
    PROVEN_SECONDS,
    STRANGERS_BURST,
    STRANGERS_PER_SECOND,
    Challenge,
    Door,
    Forbidden,
    Silence,
    TrunkLimits,
    Welcome,
    judge,
)
from edge.phone.trunk import Trunk
from edge.phone.trunks import Trunks
from edge.transport.sip.wire.digest.server import Verdict as Proof
from tests.edge.phone.parts import trunk
from tests.fakes.clock import FakeClock

BY_NETWORK = trunk("by-network")
BY_BOTH = trunk(
    "by-both",
    networks=("192.0.2.0/24",),
    inbound_auth={"username": "both", "password_env": "P"},
)
BY_PASSWORD = trunk(
    "by-password", networks=(), inbound_auth={"username": "roaming", "password_env": "P"}
)
CARRIER, OFFICE, STRANGER = "198.51.100.7", "192.0.2.7", "203.0.113.9"
ROAMING = Proof("ok", "roaming")
BOTH = Proof("ok", "both")


@pytest.mark.parametrize(
    ("source", "proof", "admission"),
    [
        (CARRIER, None, Welcome(BY_NETWORK)),
        (CARRIER, Proof("bad", "x"), Welcome(BY_NETWORK)),
        (OFFICE, None, Challenge(stale=False)),
        (OFFICE, Proof("stale", "both"), Challenge(stale=True)),
        (OFFICE, Proof("bad", "both"), Forbidden("bad_password")),
        (OFFICE, Proof("unknown", "who"), Forbidden("bad_password")),
        (OFFICE, BOTH, Welcome(BY_BOTH)),
        (OFFICE, ROAMING, Welcome(BY_PASSWORD)),
        (STRANGER, None, Challenge(stale=False)),
        (STRANGER, ROAMING, Welcome(BY_PASSWORD)),
        (STRANGER, BOTH, Forbidden("other_trunk")),
        (STRANGER, Proof("bad", "roaming"), Forbidden("bad_password")),
    ],
    ids=str,
)
def test_network_and_password_decide(
    source: str, proof: Proof | None, admission: Welcome | Challenge | Forbidden
) -> None:
    assert judge(Trunks([BY_NETWORK, BY_BOTH, BY_PASSWORD]), source, proof) == admission


def test_a_stranger_is_not_even_asked_where_no_trunk_roams() -> None:
    trunks = Trunks([BY_NETWORK, BY_BOTH])
    assert judge(trunks, STRANGER, None) == Forbidden("stranger")
    assert judge(trunks, STRANGER, BOTH) == Forbidden("stranger")


def door(*trunks: Trunk) -> tuple[Door, FakeClock]:
    clock = FakeClock()
    return Door(Trunks(trunks), clock), clock


def answers(at: Door, source: str, proof: Proof | None = None, times: int = 100) -> int:
    return sum(not isinstance(at.admit(source, proof), Silence) for _ in range(times))


def test_a_stranger_hears_a_few_answers_then_nothing_then_one_at_a_time() -> None:
    at, clock = door(BY_NETWORK)
    assert answers(at, STRANGER) == STRANGERS_BURST
    clock.advance(1 / STRANGERS_PER_SECOND)
    assert answers(at, STRANGER) == 1
    assert answers(at, "203.0.113.10") == STRANGERS_BURST, "each source has its own rate"
    assert isinstance(at.admit(CARRIER, None), Welcome)


def test_a_subscriber_s_ipv6_addresses_are_one_source() -> None:
    at, _ = door(BY_NETWORK)
    assert answers(at, "2001:db8:1:2::1") == STRANGERS_BURST
    assert answers(at, "2001:db8:1:2:ffff::1") == 0
    assert answers(at, "2001:db8:1:3::1") == STRANGERS_BURST
    assert answers(at, "::ffff:203.0.113.9") == answers(at, "203.0.113.10") == STRANGERS_BURST


def test_passwords_are_guessed_at_the_strangers_rate_even_after_a_right_one() -> None:
    at, _ = door(BY_PASSWORD)
    assert isinstance(at.admit(STRANGER, ROAMING), Welcome)
    assert answers(at, STRANGER, Proof("bad", "roaming")) == STRANGERS_BURST


def test_a_trunk_without_a_network_is_challenged_for_each_call_once_it_has_shown_its_password() -> (
    None
):
    at, clock = door(BY_PASSWORD)
    assert answers(at, STRANGER) == STRANGERS_BURST
    assert isinstance(at.admit(STRANGER, ROAMING), Welcome), "the right password needs no rate"
    assert answers(at, STRANGER) == 100
    clock.advance(PROVEN_SECONDS)
    assert answers(at, STRANGER) == STRANGERS_BURST


def test_a_trunk_s_own_network_is_challenged_for_each_call() -> None:
    at, _ = door(BY_BOTH)
    assert answers(at, OFFICE) == 100
    assert answers(at, OFFICE, Proof("bad", "both")) == STRANGERS_BURST


def test_only_so_many_sources_are_remembered() -> None:
    at, _ = door(BY_PASSWORD)
    for number in range(MAX_PROVEN + 1):
        at.admit(f"10.0.{number >> 8}.{number & 255}", ROAMING)
    assert len(at._proven) == MAX_PROVEN
    assert answers(at, "10.0.0.0") == STRANGERS_BURST, "the oldest is a stranger again"


def test_a_trunk_brings_no_more_calls_than_it_may() -> None:
    clock = FakeClock()
    small, large = trunk("small", max_calls=2, calls_per_second=2), trunk("large")
    limits = TrunkLimits((small, large), clock)
    assert [limits.take(small, active) for active in (0, 1, 2)] == [True, True, False]
    assert not limits.take(small, 0), "two a second"
    assert limits.take(large, 50)
    clock.advance(0.5)
    assert [limits.take(small, 0), limits.take(small, 0)] == [True, False]
