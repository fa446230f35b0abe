"""Each rule passes a stack that keeps it and refuses one that does not."""

from __future__ import annotations

import pytest

from infra.rules.model import Graph, Scope
from infra.rules.registry import RULES, check
from tests.infra.rules.small_stacks import (
    CONTROL_PLANE_SCOPE,
    SCOPE,
    small_control_plane,
    small_region,
)
from tests.infra.rules.spoiled import SPOILED, SPOILED_CONTROL_PLANE
from tests.infra.rules.spoiling import Spoil


@pytest.mark.parametrize(
    ("graph", "scope"),
    [(small_region(), SCOPE), (small_control_plane(), CONTROL_PLANE_SCOPE)],
    ids=["region", "control plane"],
)
def test_a_stack_that_keeps_every_rule_passes(graph: Graph, scope: Scope) -> None:
    assert check(graph, scope) == ()


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [(rule, spoil) for rule, _, spoil in SPOILED],
    ids=[f"{rule}: {way}" for rule, way, _ in SPOILED],
)
def test_a_region_that_breaks_a_rule_is_refused_by_it(rule: str, spoil: Spoil) -> None:
    assert rule in {found.rule for found in check(spoil(small_region()), SCOPE)}


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [(rule, spoil) for rule, _, spoil in SPOILED_CONTROL_PLANE],
    ids=[f"{rule}: {way}" for rule, way, _ in SPOILED_CONTROL_PLANE],
)
def test_a_control_plane_that_breaks_a_rule_is_refused_by_it(rule: str, spoil: Spoil) -> None:
    found = check(spoil(small_control_plane()), CONTROL_PLANE_SCOPE)
    assert rule in {violation.rule for violation in found}


def test_no_rule_goes_without_a_stack_that_breaks_it() -> None:
    broken = {rule for rule, _, _ in (*SPOILED, *SPOILED_CONTROL_PLANE)}
    assert broken == set(RULES)


def test_violations_are_sorted_and_said_once() -> None:
    spoil = next(spoil for rule, _, spoil in SPOILED if rule == "foreign-region-name")
    found = check(spoil(small_region()), SCOPE)
    assert list(found) == sorted(set(found))
    assert all(violation.message for violation in found)
