"""The policy pack applies the same rules, in its own process, to what the engine shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from infra.policy.not_shown import NOT_SHOWN
from infra.rules.model import Graph, Scope
from infra.rules.registry import RULES, check
from tests.infra.policy.analyzer import POLICIES, Pack, running_pack
from tests.infra.rules.small_stacks import (
    ACCOUNT,
    CONTROL_PLANE_SCOPE,
    SCOPE,
    named,
    small_control_plane,
    small_region,
    spoil,
    swap,
)
from tests.infra.rules.spoiled import SPOILED, SPOILED_CONTROL_PLANE
from tests.infra.rules.spoiling import CACHE, Spoil

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")
SETTINGS = {
    "inland-region:region": "eu-central-1",
    "inland-region:jurisdiction": "eea",
    "inland-region:accountId": ACCOUNT,
    "inland-region:vpcCidr": "10.16.0.0/16",
    "inland-region:domain": "eu.example.org",
    "inland-region:zoneId": "Z0EXAMPLE",
    "inland-region:controlPlanes": json.dumps(["https://a.eu-central-1.example.org"]),
    "inland-region:release": json.dumps({"version": "1", "sha256": "0" * 64, "site": "0" * 64}),
    "inland-region:edge": json.dumps(
        {"instanceType": "c7g.xlarge", "nodes": {"min": 1, "max": 2}, "callsPerNode": 60}
    ),
    "inland-region:tenants": json.dumps([{"id": "clinic"}]),
    "inland-region:monthlyBudgetUsd": "100",
}


@pytest.fixture(scope="module")
def pack() -> Iterator[Pack]:
    with running_pack(config=SETTINGS) as found:
        yield found


def test_the_pack_is_mandatory_and_says_how_it_is_configured(pack: Pack) -> None:
    info = pack.info()
    assert info.name == "inland-residency"
    assert [policy.name for policy in info.policies] == list(POLICIES)
    assert {"kind", "regions", "accountId"} == set(dict(info.policies[0].configSchema.properties))


@pytest.mark.parametrize(
    ("graph", "scope"),
    [(small_region(), SCOPE), (small_control_plane(), CONTROL_PLANE_SCOPE)],
    ids=["region", "control plane"],
)
def test_a_stack_that_keeps_every_rule_passes_the_pack(
    pack: Pack, graph: Graph, scope: Scope
) -> None:
    pack.configure(scope)
    assert pack.resource_rules(graph) == set()
    assert pack.stack_rules(graph) == set()


@pytest.mark.parametrize(
    ("scope", "rule", "broken"),
    [(SCOPE, rule, broken) for rule, _, broken in SPOILED]
    + [(CONTROL_PLANE_SCOPE, rule, broken) for rule, _, broken in SPOILED_CONTROL_PLANE],
    ids=[f"{rule}: {way}" for rule, way, _ in (*SPOILED, *SPOILED_CONTROL_PLANE)],
)
def test_the_pack_refuses_what_the_gate_refuses(
    pack: Pack, scope: Scope, rule: str, broken: Spoil
) -> None:
    pack.configure(scope)
    graph = broken(small_region() if scope is SCOPE else small_control_plane())
    if rule in NOT_SHOWN:
        assert rule not in pack.judge(graph), f"{rule} is shown after all"
    else:
        assert rule in pack.judge(graph)


def test_the_pack_says_no_more_than_the_gate(pack: Pack) -> None:
    """Except of a default provider, which the engine makes and the gate never meets, and where
    something is not shown to it, which is then missing."""
    pack.configure(SCOPE)
    for rule, way, broken in SPOILED:
        if rule not in ("explicit-provider", "no-lookup"):
            graph = broken(small_region())
            gate = {found.rule for found in check(graph, SCOPE)}
            assert pack.judge(graph) <= gate, f"{rule}: {way}"


def test_a_resource_is_refused_before_it_is_made_where_it_shows_by_itself(pack: Pack) -> None:
    pack.configure(SCOPE)
    for rule in ("foreign-region-name", "role-actions", "world-open-port", "key-policy"):
        broken = next(broken for name, _, broken in SPOILED if name == rule)
        assert rule in {name for name, _ in pack.resource_rules(broken(small_region()))}


def test_a_secret_property_that_is_not_set_is_no_secret(pack: Pack) -> None:
    """pulumi-aws marks ``authToken`` of every replication group, given or not."""
    pack.configure(SCOPE)
    for value, said in ((None, set()), ("x", {"no-secret-value"})):
        graph = spoil(small_region(), CACHE, authToken=value)
        marked = replace(named(graph, CACHE), secrets=frozenset({"authToken"}))
        assert pack.judge(swap(graph, marked)) == said


def test_what_the_engine_does_not_show_is_a_rule_of_the_gate() -> None:
    assert set(NOT_SHOWN) < set(RULES)


def test_without_configuration_the_stacks_own_settings_say_what_it_may_be(pack: Pack) -> None:
    pack.configure(None)
    assert pack.judge(small_region()) == set()
    broken = next(broken for rule, _, broken in SPOILED if rule == "foreign-account")
    assert "foreign-account" in pack.judge(broken(small_region()))


def test_a_stack_of_which_nobody_says_what_it_may_be_is_refused() -> None:
    with running_pack(config={}) as unknown:
        unknown.configure(None)
        assert unknown.judge(small_region()) == {"scope-unknown"}
