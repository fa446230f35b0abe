"""A new bundle reaches replicas and nodes seconds apart: who may be on which, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.contract import POLICY_GRACE_SECONDS
from control_plane.law import LawInForce
from regions.law import Law
from regions.models import TenantPolicy
from tests.control_plane.helpers import CATALOGUE
from tests.fakes.clock import FakeClock


def law(serial: int, *deny: str) -> Law:
    return Law(CATALOGUE, {"clinic": TenantPolicy(deny=deny)}, serial=serial)


BEFORE, NOW, NEWER = law(4), law(5, "eu-west-1"), law(6, "eu-west-3")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def rolling(clock: FakeClock) -> LawInForce:
    """A replica that has just taken bundle 5."""
    clock.advance(1_000)
    found = LawInForce(BEFORE, clock)
    clock.advance(1_000)
    found.replace(NOW)
    return found


def why_not(found: LawInForce, on: Law, serial: int | None, changed: float = 0.0) -> str | None:
    return found.rollout().why_not(on.policy, serial, changed)


def test_a_node_on_the_law_in_force_is_fit_for_good(rolling: LawInForce, clock: FakeClock) -> None:
    for _ in range(3):
        assert why_not(rolling, NOW, 5) is None
        assert why_not(rolling, NOW, None) is None
        clock.advance(10_000)


@pytest.mark.parametrize(("on", "serial"), [(BEFORE, 4), (BEFORE, None), (law(1), 1), (law(3), 3)])
def test_a_node_that_has_yet_to_hear_of_the_bundle_is_fit_for_the_grace_and_no_longer(
    rolling: LawInForce, clock: FakeClock, on: Law, serial: int | None
) -> None:
    clock.advance(POLICY_GRACE_SECONDS - 0.1)
    assert why_not(rolling, on, serial) is None
    clock.advance(0.1)
    assert why_not(rolling, on, serial) is not None


def test_a_node_that_heard_of_a_newer_bundle_first_is_fit_until_this_replica_should_have(
    rolling: LawInForce, clock: FakeClock
) -> None:
    clock.advance(10_000)
    changed = clock.monotonic()
    clock.advance(POLICY_GRACE_SECONDS - 0.1)
    assert why_not(rolling, NEWER, 6, changed) is None
    clock.advance(0.1)
    assert why_not(rolling, NEWER, 6, changed) == "of a newer policy"


def test_another_bundle_of_the_same_number_is_never_fit(rolling: LawInForce) -> None:
    assert why_not(rolling, law(5, "eu-west-3"), 5, 2_100.0) == "of another policy"


def test_a_node_without_a_bundle_on_a_law_that_was_never_in_force_is_unfit(
    rolling: LawInForce,
) -> None:
    assert why_not(rolling, law(0, "eu-south-1"), None) == "of another policy"
    alone = LawInForce(Law(CATALOGUE), FakeClock())
    assert why_not(alone, law(0, "eu-south-1"), None) == "of another policy"


def test_two_bundles_within_one_grace_leave_the_first_ones_nodes_fit(
    rolling: LawInForce, clock: FakeClock
) -> None:
    clock.advance(60)
    rolling.replace(NEWER)
    assert why_not(rolling, BEFORE, None) is None
    clock.advance(60)
    assert why_not(rolling, BEFORE, None) == "of another policy"
    assert why_not(rolling, NOW, None) is None
    clock.advance(60)
    assert why_not(rolling, NOW, None) == "of another policy"


def test_a_replica_that_starts_with_a_bundle_waits_for_the_nodes_as_well(clock: FakeClock) -> None:
    clock.advance(10_000)
    started = LawInForce(NOW, clock)
    assert why_not(started, BEFORE, 4, clock.monotonic()) is None
    clock.advance(POLICY_GRACE_SECONDS)
    assert why_not(started, BEFORE, 4, clock.monotonic()) == "of an older policy"


def test_laws_whose_grace_is_over_are_forgotten(clock: FakeClock) -> None:
    found = LawInForce(law(1), clock)
    for serial in range(2, 50):
        clock.advance(POLICY_GRACE_SECONDS / 4)
        found.replace(law(serial, f"eu-west-{serial}"))
    assert len(found.rollout().before) <= 4


@given(st.lists(st.integers(0, 300), max_size=6), st.sampled_from([None, 1, 4, 5, 6, 7, 9]))
def test_whatever_happened_nobody_stays_fit_on_another_law_for_longer_than_the_grace(
    waits: list[int], serial: int | None
) -> None:
    clock = FakeClock()
    rolling = LawInForce(BEFORE, clock)
    for number, wait in enumerate(waits):
        clock.advance(wait)
        rolling.replace(law(5 + number, f"eu-west-{number % 3 + 1}"))
    changed = clock.monotonic()
    clock.advance(POLICY_GRACE_SECONDS)
    strange = law(serial or 0, "ap-south-1")
    assert why_not(rolling, strange, serial, changed) is not None
    assert why_not(rolling, rolling.now, serial, changed) is None
