"""A control plane that could keep data or leave its regions is refused by the right rule."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

import infra
from infra.graph.capture import capture
from infra.graph.project import configuration
from infra.policy.not_shown import NOT_SHOWN
from infra.programs.control_plane import main
from infra.rules.model import Graph
from infra.rules.registry import check
from infra.settings.load import load_control_plane_stack
from infra.settings.scope import scope_of
from tests.infra.mutants.control_plane_mutants import CONTROL_PLANE_MUTANTS
from tests.infra.mutants.mutant import Mutant
from tests.infra.policy.analyzer import Pack, running_pack

FOLDER = Path(infra.__file__).parent / "control_plane"
STACK = "control-plane"
FILE = FOLDER / f"Pulumi.{STACK}.yaml"
SCOPE = scope_of(STACK, load_control_plane_stack(FILE))
mutants = pytest.mark.parametrize(
    "mutant", CONTROL_PLANE_MUTANTS, ids=[mutant.name for mutant in CONTROL_PLANE_MUTANTS]
)


@cache
def spoiled(mutant: Mutant) -> Graph:
    return capture(FOLDER, STACK, program=mutant.spoil(main), preview=mutant.preview)


@pytest.fixture(scope="module")
def pack() -> Iterator[Pack]:
    with running_pack("inland-control-plane", STACK) as found:
        found.configure(SCOPE)
        yield found


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_the_shipped_control_plane_keeps_every_rule(preview: bool, pack: Pack) -> None:
    graph = capture(FOLDER, STACK, preview=preview)
    assert check(graph, SCOPE) == ()
    assert pack.judge(graph) == set()


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
        assert found == {mutant.rule, *mutant.also}


def test_the_pack_finds_the_regions_of_a_control_plane_in_its_settings() -> None:
    config = configuration(FOLDER, STACK).values
    with running_pack("inland-control-plane", STACK, config) as unconfigured:
        unconfigured.configure(None)
        assert unconfigured.judge(spoiled(CONTROL_PLANE_MUTANTS[0])) == {
            CONTROL_PLANE_MUTANTS[0].rule,
            *CONTROL_PLANE_MUTANTS[0].also,
        }


def test_a_control_plane_may_know_the_digests_of_regions_where_it_is_not() -> None:
    settings = yaml.safe_load(FILE.read_text())["config"]
    secrets = {"inland-control-plane:nodeSecrets": {"me-central-1": "0" * 64}}
    assert check(capture(FOLDER, STACK, config=settings | secrets), SCOPE) == ()
