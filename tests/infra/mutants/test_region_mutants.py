"""Each way to break a rule is seen by the rule meant for it: in the gate, and in the pack."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from infra.graph.capture import capture
from infra.policy.not_shown import NOT_SHOWN
from infra.programs.region import main
from infra.rules.model import Graph, Scope
from infra.rules.registry import RULES, check
from tests.infra.components.shipped import FULL, REGION
from tests.infra.mutants.making import ACCOUNT
from tests.infra.mutants.mutant import Mutant
from tests.infra.mutants.region_mutants import REGION_MUTANTS
from tests.infra.policy.analyzer import Pack, running_pack

SCOPE = Scope("region", frozenset({FULL}), ACCOUNT)
OF_A_CONTROL_PLANE = {"control-plane-holds-nothing"}
OF_A_DEFAULT_PROVIDER = {"account-pin", "default-tags", "provider-region"}
"""What the pack says of a provider that the engine makes up, which the gate never meets."""
mutants = pytest.mark.parametrize(
    "mutant", REGION_MUTANTS, ids=[mutant.name for mutant in REGION_MUTANTS]
)


@cache
def spoiled(mutant: Mutant) -> Graph:
    return capture(REGION, FULL, program=mutant.spoil(main), preview=mutant.preview)


@pytest.fixture(scope="module")
def pack() -> Iterator[Pack]:
    """One process for all."""
    with running_pack() as found:
        found.configure(SCOPE)
        yield found


@mutants
def test_a_mutant_is_killed_in_the_gate_by_the_rule_meant_for_it(mutant: Mutant) -> None:
    found = {violation.rule for violation in check(spoiled(mutant), SCOPE)}
    assert found == {mutant.rule, *mutant.also}


@mutants
def test_a_mutant_is_killed_in_the_pack_by_the_same_rule(mutant: Mutant, pack: Pack) -> None:
    found = pack.judge(spoiled(mutant))
    if mutant.rule in NOT_SHOWN:
        assert found == set(), f"{mutant.rule} is shown after all"
    else:
        assert mutant.rule in found
    assert found <= {mutant.rule, *mutant.also} | OF_A_DEFAULT_PROVIDER


def test_every_rule_has_a_mutant() -> None:
    assert {mutant.rule for mutant in REGION_MUTANTS} == set(RULES) - OF_A_CONTROL_PLANE
