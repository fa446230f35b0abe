"""Each rule passes a stack that keeps it and refuses one that does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra.rules.model import UNKNOWN, Graph, Scope
from infra.rules.registry import RULES, check, check_resource
from tests.infra.rules.small_stacks import (
    ACCOUNT,
    CONTROL_PLANE_SCOPE,
    OTHER_ACCOUNT,
    REGION,
    SCOPE,
    allow,
    deny,
    document,
    named,
    plus,
    small_control_plane,
    small_region,
    spoil,
)
from tests.infra.rules.spoiled import SPOILED, SPOILED_CONTROL_PLANE
from tests.infra.rules.spoiling import LOGS, Spoil, asked, by_account, having


@pytest.mark.parametrize(
    ("graph", "scope"),
    [(small_region(), SCOPE), (small_control_plane(), CONTROL_PLANE_SCOPE)],
    ids=["region", "control plane"],
)
def test_a_stack_that_keeps_every_rule_passes(graph: Graph, scope: Scope) -> None:
    assert check(graph, scope) == ()


@pytest.mark.parametrize(
    ("rule", "broken"),
    [(rule, broken) for rule, _, broken in SPOILED],
    ids=[f"{rule}: {way}" for rule, way, _ in SPOILED],
)
def test_a_region_that_breaks_a_rule_is_refused_by_it(rule: str, broken: Spoil) -> None:
    assert rule in {found.rule for found in check(broken(small_region()), SCOPE)}


@pytest.mark.parametrize(
    ("rule", "broken"),
    [(rule, broken) for rule, _, broken in SPOILED_CONTROL_PLANE],
    ids=[f"{rule}: {way}" for rule, way, _ in SPOILED_CONTROL_PLANE],
)
def test_a_control_plane_that_breaks_a_rule_is_refused_by_it(rule: str, broken: Spoil) -> None:
    found = check(broken(small_control_plane()), CONTROL_PLANE_SCOPE)
    assert rule in {violation.rule for violation in found}


def test_no_rule_goes_without_a_stack_that_breaks_it() -> None:
    broken = {rule for rule, _, _ in (*SPOILED, *SPOILED_CONTROL_PLANE)}
    assert broken == set(RULES)


def test_a_key_of_the_stack_is_known_by_its_alias_where_dependencies_are_not() -> None:
    alias = plus(small_region(), "aws:kms/alias:Alias", {"name": "alias/inland/data"})
    for name, kept in (("alias/inland/data", True), ("alias/inland/other", False)):
        text = f"arn:aws:kms:{REGION}:{ACCOUNT}:{name}"
        spoiled = spoil(having(LOGS, dependencies={})(alias), LOGS, kmsKeyId=text)
        assert ("own-key" not in {found.rule for found in check(spoiled, SCOPE)}) is kept


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/x", True),
        (f"arn:aws:kms:us-east-1:{ACCOUNT}:key/x", False),
        (f"arn:aws:kms:{REGION}:{OTHER_ACCOUNT}:key/x", False),
        ("alias/aws/secretsmanager", False),
        (UNKNOWN, True),
        (None, False),
    ],
)
def test_a_key_seen_alone_is_at_least_of_the_account_and_the_region(key: Any, kept: bool) -> None:
    """As the pack meets a resource before it is made: nothing says where the key comes from."""
    graph = having(LOGS, dependencies=None)(spoil(small_region(), LOGS, kmsKeyId=key))
    rules = {found.rule for found in check_resource(named(graph, LOGS), graph, SCOPE)}
    assert ("own-key" not in rules) is kept


def test_a_question_to_the_stacks_own_region_is_fine() -> None:
    token = "aws:index/getAvailabilityZones:getAvailabilityZones"
    assert check(asked(token, region=REGION)(small_region()), SCOPE) == ()
    assert check(asked(token)(small_region()), SCOPE) == ()


def test_an_output_may_name_other_regions_only_in_a_policy_that_denies() -> None:
    condition = {"StringNotEquals": {"aws:RequestedRegion": [REGION, "eu-west-1"]}}
    for statement, kept in (
        (deny("*", Condition=condition), True),
        (allow("*", "eu-west-1"), False),
    ):
        outputs = {"serviceControlPolicy": document(statement)}
        assert (check(replace(small_region(), outputs=outputs), SCOPE) == ()) is kept


def test_a_boundary_has_the_fence_whatever_it_allows() -> None:
    policy = document(allow(["autoscaling:CompleteLifecycleAction"]))
    found = check(spoil(small_region(), "aws:iam/policy:Policy", policy=policy), SCOPE)
    assert {violation.rule for violation in found} == {"role-boundary"}


def test_a_bucket_may_name_the_account_and_the_region_of_its_endpoint() -> None:
    assert check(by_account(ACCOUNT)(small_region()), SCOPE) == ()


def test_violations_are_sorted_and_said_once() -> None:
    broken = next(broken for rule, _, broken in SPOILED if rule == "foreign-region-name")
    found = check(broken(small_region()), SCOPE)
    assert list(found) == sorted(set(found))
    assert all(violation.message for violation in found)
