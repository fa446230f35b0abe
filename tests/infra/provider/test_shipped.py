"""What Terraform's AWS provider says of every shipped stack, and that it can say no."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import infra
from infra.graph.capture import capture
from infra.rules.model import Graph, Resource
from infra.settings.load import stack_of
from tests.infra.provider.judge import Judge, judge

VARIABLE = "INLAND_TERRAFORM_AWS_PROVIDER"
BINARY = os.environ.get(VARIABLE, "")
pytestmark = [
    pytest.mark.skipif(
        not BINARY, reason=f"{VARIABLE} does not name a terraform-provider-aws of version 5"
    ),
    pytest.mark.timeout(300),
]

ROOT = Path(infra.__file__).parent
FILES = sorted(
    file
    for project in ("region", "control_plane")
    for file in (ROOT / project).glob("Pulumi.*.yaml")
)
FULL = ROOT / "region" / "Pulumi.eu-central-1.yaml"
PROVIDER = "pulumi:providers:aws"
WRONG: list[tuple[str, str, Any, str]] = [
    ("aws:iam/role:Role", "name", "x" * 65, "name"),
    ("aws:iam/rolePolicy:RolePolicy", "policy", "{not JSON", "policy"),
    ("aws:lb/targetGroup:TargetGroup", "protocol", "SIP", "protocol"),
    ("aws:kms/key:Key", "deletionWindowInDays", 3, "deletion_window_in_days"),
    ("aws:elasticache/replicationGroup:ReplicationGroup", "numCacheClusters", 1, ""),
    ("aws:ec2/launchTemplate:LaunchTemplate", "imageIdentity", "ami-1", ""),
    (PROVIDER, "retryMode", "eager", ""),
]
"""A type, one of its properties, a value that it cannot have, and where the provider sees it."""


@dataclass(frozen=True)
class Court:
    """The judge, and the address where AWS would be, at which nobody answers."""

    judge: Judge
    cloud: socket.socket


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    folder = tmp_path_factory.mktemp("judge")
    with socket.create_server(("127.0.0.1", 0)) as cloud:
        cloud.setblocking(False)
        port = cloud.getsockname()[1]
        with judge(Path(BINARY), folder, f"http://127.0.0.1:{port}") as sworn:
            yield Court(sworn, cloud)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return capture(FULL.parent, stack_of(FULL))


@pytest.mark.parametrize("file", FILES, ids=stack_of)
def test_the_provider_has_nothing_against_a_shipped_stack(file: Path, court: Court) -> None:
    assert court.judge.opinions(capture(file.parent, stack_of(file))) == []


def test_nor_against_what_a_preview_knows_of_it(court: Court) -> None:
    assert court.judge.opinions(capture(FULL.parent, stack_of(FULL), preview=True)) == []


@pytest.mark.parametrize(
    ("type_", "key", "value", "at"), WRONG, ids=[f"{type_}.{key}" for type_, key, _, _ in WRONG]
)
def test_a_wrong_value_is_refused(
    type_: str, key: str, value: Any, at: str, graph: Graph, court: Court
) -> None:
    spoiled = graph.of(type_)[0]
    wrong = replace(spoiled, properties={**spoiled.properties, key: value})
    (opinion,) = court.judge.opinions(_alone(wrong, graph))
    assert opinion.refused
    assert (opinion.urn, opinion.at) == (wrong.urn, at)


def test_nobody_was_asked(graph: Graph, court: Court) -> None:
    assert court.judge.opinions(graph) == []
    with pytest.raises(BlockingIOError):
        court.cloud.accept()


def _alone(resource: Resource, graph: Graph) -> Graph:
    """The resource and its provider."""
    provider = graph.provider_of(resource)
    both = [resource] if provider is None else [provider, resource]
    return replace(graph, resources={one.urn: one for one in both})
