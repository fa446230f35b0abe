"""The boundary, the service control policy, and roles that stay behind the fence."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pytest

from infra.components.guardrails import Guardrails, GuardrailsArgs
from infra.components.role import Role, RoleArgs
from infra.documents.control import service_control_policy
from infra.documents.fence import boundary, fenced, policies_of_role
from infra.documents.statements import Statement, allow
from infra.documents.trust import for_instances
from infra.rules.model import Graph
from tests.infra.components.harness import PLACE, graph_of, named, only

POLICY = "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
FEW = [allow("Metrics", ["cloudwatch:PutMetricData"])]
MANY = [
    allow(f"Part{number}", ["s3:GetObject"], [f"arn:aws:s3:::bucket/{number}"] * 150)
    for number in range(4)
]


def graph(folder: Path, statements: list[Statement], *, preview: bool = False) -> Graph:
    def make(opts: pulumi.ResourceOptions) -> None:
        rails = Guardrails("rails", GuardrailsArgs(place=PLACE, regions=("eu-central-1",)), opts)
        args = RoleArgs(
            place=PLACE,
            name="edge",
            trust=for_instances(),
            statements=statements,
            boundary=rails.boundary,
        )
        role = Role("edge", args, opts)
        pulumi.export("boundary", rails.boundary)
        pulumi.export("scp", rails.service_control_policy)
        pulumi.export("role", role.arn)

    return graph_of(folder, make, preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_the_boundary_is_known_and_made_before_any_role(tmp_path: Path, preview: bool) -> None:
    found = graph(tmp_path, FEW, preview=preview)
    policy = only(found, POLICY)
    arn = "arn:aws:iam::111122223333:policy/inland-eu-central-1-boundary"
    assert found.outputs["boundary"] == arn
    assert json.loads(policy.properties["policy"]) == boundary(PLACE)
    role = only(found, "aws:iam/role:Role")
    assert role.properties["permissionsBoundary"] == arn
    assert role.dependencies is not None
    assert role.dependencies["permissionsBoundary"] == (policy.urn,)


def test_the_service_control_policy_is_told_and_not_attached(tmp_path: Path) -> None:
    found = graph(tmp_path, FEW)
    assert json.loads(found.outputs["scp"]) == service_control_policy(["eu-central-1"])
    assert not any("organizations" in resource.type for resource in found.resources.values())


@pytest.mark.parametrize("preview", [False, True])
def test_a_role_has_what_it_is_given_and_the_fence(tmp_path: Path, preview: bool) -> None:
    found = graph(tmp_path, FEW, preview=preview)
    policy = only(found, "aws:iam/rolePolicy:RolePolicy")
    assert json.loads(policy.properties["policy"]) == fenced(PLACE, FEW)
    assert found.outputs["role"] == "arn:aws:iam::111122223333:role/inland-eu-central-1-edge"
    profile = only(found, "aws:iam/instanceProfile:InstanceProfile")
    assert profile.properties["role"] == "inland-eu-central-1-edge"


def test_a_long_role_has_managed_policies_besides(tmp_path: Path) -> None:
    found = graph(tmp_path, MANY)
    inline, *managed = policies_of_role(PLACE, MANY)
    assert len(managed) == 2
    policy = only(found, "aws:iam/rolePolicy:RolePolicy")
    assert json.loads(policy.properties["policy"]) == inline
    for number, expected in enumerate(managed, start=2):
        policy = named(found, POLICY, f"edge-{number}")
        assert json.loads(policy.properties["policy"]) == expected
        attachment = named(found, ATTACHMENT, f"edge-{number}")
        assert attachment.properties["role"] == "inland-eu-central-1-edge"
        assert attachment.properties["policyArn"].endswith(f":policy/{policy.properties['name']}")
        assert attachment.dependencies is not None
        assert attachment.dependencies["policyArn"] == (policy.urn,)
