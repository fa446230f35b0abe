"""Containers for secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pytest

from infra.components.secrets import Secrets, SecretsArgs
from infra.documents import names
from infra.documents.secrets import secret_policy
from infra.rules.model import Graph
from tests.infra.components.harness import CONTROL, KEY_ARN, PLACE, graph_of, only

SECRET = "aws:secretsmanager/secret:Secret"
POLICY = "aws:secretsmanager/secretPolicy:SecretPolicy"
NAMES = {"node-secret": names.node_secret(PLACE), "region-key": names.region_key(PLACE)}


def graph(folder: Path, *, preview: bool = False) -> Graph:
    def make(opts: pulumi.ResourceOptions) -> None:
        args = SecretsArgs(place=PLACE, key_arn=KEY_ARN, names=NAMES)
        pulumi.export("names", Secrets("secrets", args, opts).names)

    return graph_of(folder, make, preview=preview)


def test_secrets_are_sealed_recoverable_and_nowhere_else(tmp_path: Path) -> None:
    found = graph(tmp_path).of(SECRET)
    assert {secret.properties["name"] for secret in found} == set(NAMES.values())
    for secret in found:
        assert secret.properties["kmsKeyId"] == KEY_ARN
        assert secret.properties["recoveryWindowInDays"] == 7
        assert not secret.properties.get("replicas")
        assert secret.properties["tags"] == {"inland:holds": "secrets"}


def test_no_value_is_in_the_stack(tmp_path: Path) -> None:
    found = graph(tmp_path)
    assert not any("secretVersion" in resource.type for resource in found.resources.values())
    assert not any(resource.secrets for resource in found.resources.values())


def test_every_secret_has_its_policy(tmp_path: Path) -> None:
    found = graph(tmp_path)
    guarded = {urn for p in found.of(POLICY) for urn in (p.dependencies or {})["secretArn"]}
    assert guarded == {secret.urn for secret in found.of(SECRET)}
    for policy in found.of(POLICY):
        assert json.loads(policy.properties["policy"]) == secret_policy(PLACE)
        assert policy.properties["blockPublicPolicy"] is True


@pytest.mark.parametrize("preview", [False, True])
def test_names_are_known_in_a_preview(tmp_path: Path, preview: bool) -> None:
    assert graph(tmp_path, preview=preview).outputs["names"] == NAMES


def test_the_control_planes_secrets_are_named_for_region_and_replica(tmp_path: Path) -> None:
    assert names.signing_key(CONTROL, "a") == "inland/control-plane/ap-south-1/a/signing-key"
    assert names.operator_key(CONTROL) == "inland/control-plane/ap-south-1/operator-key"


def test_one_secret_can_stand_alone(tmp_path: Path) -> None:
    args = SecretsArgs(place=PLACE, key_arn=KEY_ARN, names={"turn": names.turn_secret(PLACE)})
    found = graph_of(tmp_path, lambda opts: Secrets("turn", args, opts))
    assert only(found, SECRET).properties["name"] == "inland/eu-central-1/turn"
