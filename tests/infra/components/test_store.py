"""The store of a region."""

from __future__ import annotations

import re
from pathlib import Path

import pulumi
import pytest

from infra.components.place import Place
from infra.components.store import Store, StoreArgs
from infra.documents import names
from infra.documents.store import access_string
from infra.rules.model import Graph, Resource
from tests.infra.components.harness import KEY_ARN, PLACE, graph_of, only

GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
USER = "aws:elasticache/user:User"


def graph(folder: Path, *, replicas: int = 1, preview: bool = False) -> Graph:
    args = StoreArgs(
        place=PLACE,
        vpc_id="vpc-1a2b3c4d",
        subnet_ids=["subnet-1a2b3c4d", "subnet-5e6f7a8b"],
        key_arn=KEY_ARN,
        tenants=("bank", "clinic"),
        clients=["sg-1a2b3c4d"],
        node_type="cache.r7g.large",
        replicas=replicas,
    )

    def make(opts: pulumi.ResourceOptions) -> None:
        store = Store("store", args, opts)
        pulumi.export("cache", store.cache)
        pulumi.export("users", store.users)
        pulumi.export("host", store.host)

    return graph_of(folder, make, preview=preview)


def group(folder: Path, replicas: int = 1) -> Resource:
    return only(graph(folder, replicas=replicas), GROUP)


def test_sessions_are_sealed_copied_to_another_zone_and_in_no_backup(tmp_path: Path) -> None:
    found = group(tmp_path).properties
    assert found["kmsKeyId"] == KEY_ARN
    assert found["atRestEncryptionEnabled"] is found["transitEncryptionEnabled"] is True
    assert found["transitEncryptionMode"] == "required"
    assert found["multiAzEnabled"] is found["automaticFailoverEnabled"] is True
    assert found["numCacheClusters"] == 2
    assert found["snapshotRetentionLimit"] == 0
    assert not {"globalReplicationGroupId", "finalSnapshotIdentifier", "authToken"} & set(found)
    assert found["tags"] == {"inland:holds": "sessions"}


def test_the_store_is_not_deleted_by_chance(tmp_path: Path) -> None:
    assert group(tmp_path).protect


@pytest.mark.parametrize("stack", ["eu-central-1", "ap-northeast-1.aaaaaaaaaaaaaaaa"])
def test_its_name_is_one_that_elasticache_takes(stack: str) -> None:
    """Up to 40 letters, digits and single hyphens (ElastiCache API reference)."""
    name = names.prefixed(Place(stack, stack.partition(".")[0], "111122223333", "EEA"))
    assert len(name) <= 40
    assert re.fullmatch(r"[a-z](-?[a-z0-9])*", name)


def test_each_tenant_logs_in_by_iam_as_a_user_of_its_own(tmp_path: Path) -> None:
    found = graph(tmp_path)
    for user in found.of(USER):
        assert user.properties["userId"] == user.properties["userName"]  # IAM wants them alike
        assert user.properties["authenticationMode"] == {"type": "iam"}
        tenant = user.properties["userId"].removeprefix("inland-")
        assert user.properties["accessString"] == access_string(tenant)
    members = only(found, "aws:elasticache/userGroup:UserGroup").properties
    assert members["userIds"] == ["inland-bank", "inland-clinic"]
    assert {members["engine"]} == {user.properties["engine"] for user in found.of(USER)}
    assert only(found, GROUP).properties["userGroupIds"] == [members["userGroupId"]]


def test_nobody_is_let_in_without_logging_in(tmp_path: Path) -> None:
    for user in graph(tmp_path).of(USER):
        assert user.properties["userName"] != "default"
        assert not {"noPasswordRequired", "passwords"} & set(user.properties)


def test_only_the_given_groups_reach_the_store(tmp_path: Path) -> None:
    walls = only(graph(tmp_path), "aws:ec2/securityGroup:SecurityGroup").properties
    (ingress,) = walls["ingress"]
    assert (ingress["fromPort"], ingress["toPort"], ingress["protocol"]) == (6379, 6379, "tcp")
    assert ingress["securityGroups"] == ["sg-1a2b3c4d"]
    assert not ingress.get("cidrBlocks")
    assert walls["egress"] == []


@pytest.mark.parametrize(("replicas", "followers"), [(1, "0"), (2, "1"), (5, "1")])
def test_no_session_is_dropped_for_room_and_one_replica_may_be_lost(
    tmp_path: Path, replicas: int, followers: str
) -> None:
    found = graph(tmp_path, replicas=replicas)
    parameters = only(found, "aws:elasticache/parameterGroup:ParameterGroup").properties
    assert parameters["family"] == "valkey8"
    assert only(found, GROUP).properties["engineVersion"].startswith("8.")
    settings = {one["name"]: one["value"] for one in parameters["parameters"]}
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["min-replicas-to-write"] == followers
    assert int(settings["timeout"]) > 0


def test_what_nodes_sign_their_logins_with_is_known_in_a_preview(tmp_path: Path) -> None:
    outputs = graph(tmp_path, preview=True).outputs
    assert outputs["cache"] == "inland-eu-central-1"
    assert outputs["users"] == {"bank": "inland-bank", "clinic": "inland-clinic"}
