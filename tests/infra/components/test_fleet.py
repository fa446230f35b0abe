"""A fleet: what its machines are, how they come, go, and are replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pulumi import ResourceOptions

from infra.cloud_init.document import Bundle, EdgeRole, SessionKeys, StoreAddress, TurnRole
from infra.components.fleet import (
    DRAIN_HOOK,
    DRAIN_SECONDS,
    LAUNCH_HOOK,
    ByCalls,
    ByLoad,
    Fleet,
    FleetArgs,
    NodeRole,
    Scaling,
)
from infra.components.machine import Tenancy, architecture
from infra.documents.statements import allow
from infra.rules.model import Graph
from infra.settings.offered import load_offered
from infra.settings.region import Range
from tests.infra.components.harness import BOUNDARY, KEY_ARN, PLACE, graph_of, only
from tests.infra.components.shipped import TEMPLATE, told, user_data

GROUP = "aws:autoscaling/group:Group"
POLICY = "aws:autoscaling/policy:Policy"
EDGE = EdgeRole(
    control_planes=("https://a.eu-central-1.control.example.org",),
    store=StoreAddress(host="store.internal", cache="sessions", users={"clinic": "inland-clinic"}),
    data_networks=("10.20.240.0/24",),
    session_keys=SessionKeys(account="111122223333", prefix="alias/inland/eu-central-1/"),
    calls=60,
    media_ports=(20_000, 29_999),
    node_secret="inland/eu-central-1/node-secret",
    region_key="inland/eu-central-1/region-key",
    certificate="arn:aws:acm:eu-central-1:111122223333:certificate/one",
)


def fleet(
    folder: Path,
    *,
    preview: bool = False,
    instance_type: str = "c7g.large",
    image_id: str | None = None,
    tenancy: Tenancy = "default",
    nodes: Range | None = None,
    scaling: Scaling | None = None,
    role: NodeRole = EDGE,
) -> Graph:
    args = FleetArgs(
        place=PLACE,
        of="edge",
        domain="eu.example.org",
        zone_id="Z0EXAMPLE",
        bundle=Bundle(bucket="software", release="a" * 64, site="b" * 64),
        instance_type=instance_type,
        image_id=image_id,
        tenancy=tenancy,
        nodes=nodes or Range(min=2, max=5),
        scaling=scaling,
        role=role,
        statements=[allow("Something", ["s3:GetObject"])],
        boundary=BOUNDARY,
        key_arn=KEY_ARN,
        subnet_ids=["subnet-1", "subnet-2"],
        security_group="sg-1",
    )

    def make(opts: ResourceOptions) -> None:
        Fleet("edge", args, opts)

    return graph_of(folder, make, preview=preview)


def group(graph: Graph) -> dict[str, Any]:
    return dict(only(graph, GROUP).properties)


def template(graph: Graph) -> dict[str, Any]:
    return dict(only(graph, TEMPLATE).properties)


def test_credentials_of_a_node_need_a_token_and_do_not_leave_the_machine(tmp_path: Path) -> None:
    options = template(fleet(tmp_path))["metadataOptions"]
    assert options == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
        "httpProtocolIpv6": "disabled",
        "instanceMetadataTags": "disabled",
    }


def test_disk_is_sealed_with_the_stacks_key_and_ends_with_its_machine(tmp_path: Path) -> None:
    (disk,) = template(fleet(tmp_path))["blockDeviceMappings"]
    assert disk["deviceName"] == "/dev/xvda"
    assert disk["ebs"]["encrypted"] == "true"
    assert disk["ebs"]["kmsKeyId"] == KEY_ARN
    assert disk["ebs"]["deleteOnTermination"] == "true"


@pytest.mark.parametrize(
    ("instance_type", "image"), [("c7g.large", "arm64"), ("c7i.large", "amd64")]
)
def test_image_is_debians_newest_for_the_processor(
    tmp_path: Path, instance_type: str, image: str
) -> None:
    found = template(fleet(tmp_path, instance_type=instance_type))["imageId"]
    assert found == f"resolve:ssm:/aws/service/debian/release/12/latest/{image}"


def test_image_that_the_operator_names_is_taken(tmp_path: Path) -> None:
    found = template(fleet(tmp_path, image_id="ami-0123456789abcdef0"))
    assert found["imageId"] == "ami-0123456789abcdef0"


def test_processor_read_from_the_name_is_that_of_every_type_in_the_table() -> None:
    table = load_offered()
    for family, sizes in table.families.items():
        for size in sizes.sizes:
            assert architecture(f"{family}.{size}") == sizes.architecture


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        ("a1.large", "arm64"),
        ("g5.xlarge", "amd64"),
        ("g5g.xlarge", "arm64"),
        ("im4gn.large", "arm64"),
        ("m7i-flex.large", "amd64"),
        ("u-6tb1.metal", "amd64"),
    ],
)
def test_processor_of_unusual_families(instance_type: str, expected: str) -> None:
    assert architecture(instance_type) == expected


@pytest.mark.parametrize("tenancy", ["default", "dedicated"])
def test_tenancy_is_the_one_asked_for(tmp_path: Path, tenancy: Tenancy) -> None:
    assert template(fleet(tmp_path, tenancy=tenancy))["placement"] == {"tenancy": tenancy}


def test_both_hooks_are_made_with_the_group(tmp_path: Path) -> None:
    launch, drain = group(fleet(tmp_path))["initialLifecycleHooks"]
    assert launch == {
        "name": LAUNCH_HOOK,
        "lifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "defaultResult": "ABANDON",
        "heartbeatTimeout": 900,
    }
    assert drain["name"] == DRAIN_HOOK
    assert drain["lifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert drain["defaultResult"] == "CONTINUE"


def test_hook_waits_longer_than_the_drain_that_the_node_is_told(tmp_path: Path) -> None:
    graph = fleet(tmp_path)
    lifecycle = told(only(graph, TEMPLATE)).lifecycle
    drain = group(graph)["initialLifecycleHooks"][1]
    assert lifecycle.drain_seconds == DRAIN_SECONDS < drain["heartbeatTimeout"] <= 7200
    assert (lifecycle.launch_hook, lifecycle.terminate_hook) == (LAUNCH_HOOK, DRAIN_HOOK)
    assert lifecycle.group == group(graph)["name"]


def test_a_node_is_replaced_by_one_that_works_already(tmp_path: Path) -> None:
    found = group(fleet(tmp_path))
    policy = found["instanceMaintenancePolicy"]
    preferences = found["instanceRefresh"]["preferences"]
    for window in (policy, preferences):
        assert (window["minHealthyPercentage"], window["maxHealthyPercentage"]) == (100, 110)
    assert preferences["scaleInProtectedInstances"] == "Refresh"
    assert found["maxInstanceLifetime"] == 30 * 24 * 3600


def test_a_change_of_the_template_replaces_the_nodes(tmp_path: Path) -> None:
    graph = fleet(tmp_path)
    resource = only(graph, GROUP)
    assert resource.properties["launchTemplate"]["version"] == "1"
    assert resource.dependencies is not None
    assert only(graph, TEMPLATE).urn in resource.dependencies["launchTemplate"]


def test_pulumi_does_not_wait_for_nodes_that_wait_for_secrets(tmp_path: Path) -> None:
    assert group(fleet(tmp_path))["waitForCapacityTimeout"] == "0"


def test_fleet_that_counts_calls_is_kept_at_sixty_percent(tmp_path: Path) -> None:
    graph = fleet(tmp_path, scaling=ByCalls(60))
    tracked = only(graph, POLICY).properties["targetTrackingConfiguration"]
    assert tracked["targetValue"] == 36
    assert tracked["customizedMetricSpecification"] == {
        "namespace": "Inland",
        "metricName": "ActiveCallsPerNode",
        "statistic": "Average",
        "metricDimensions": [{"name": "AutoScalingGroupName", "value": "inland-eu-central-1-edge"}],
    }


@pytest.mark.parametrize(
    ("scaling", "protected"), [(ByCalls(60), True), (ByLoad(50), False), (None, False)]
)
def test_only_nodes_whose_agent_lifts_the_protection_have_it(
    tmp_path: Path, scaling: Scaling | None, protected: bool
) -> None:
    assert group(fleet(tmp_path, scaling=scaling))["protectFromScaleIn"] is protected


def test_fleet_without_scaling_has_no_policy(tmp_path: Path) -> None:
    assert fleet(tmp_path).of(POLICY) == []


def test_warm_pool_has_as_many_as_were_asked_for(tmp_path: Path) -> None:
    pool = group(fleet(tmp_path, nodes=Range(min=2, max=9, warm=3)))["warmPool"]
    assert pool == {"poolState": "Stopped", "minSize": 3, "maxGroupPreparedCapacity": 5}


def test_fleet_without_warm_nodes_has_no_pool(tmp_path: Path) -> None:
    assert group(fleet(tmp_path)).get("warmPool") is None


def test_what_a_template_starts_says_whose_it_is(tmp_path: Path) -> None:
    graph = fleet(tmp_path)
    kinds = {spec["resourceType"]: spec["tags"] for spec in template(graph)["tagSpecifications"]}
    assert set(kinds) == {"instance", "volume", "network-interface"}
    for tags in kinds.values():
        assert tags["inland:stack"] == "eu-central-1"
    assert all(tag["propagateAtLaunch"] for tag in group(graph)["tags"])


def test_machines_get_a_role_inside_the_boundary(tmp_path: Path) -> None:
    graph = fleet(tmp_path)
    role = only(graph, "aws:iam/role:Role")
    assert role.properties["permissionsBoundary"] == BOUNDARY
    policy = only(graph, "aws:iam/rolePolicy:RolePolicy").properties["policy"]
    assert "OnlyThisRegion" in policy


def test_user_data_of_a_relay_is_for_a_relay(tmp_path: Path) -> None:
    role = TurnRole(
        turn_secret="inland/x/turn", relay_ports=(49_152, 65_535), peers=("10.0.0.0/8",)
    )
    found = only(fleet(tmp_path, role=role), TEMPLATE)
    assert told(found).role == role
    assert "inland-turn.service" in user_data(found)


def test_everything_is_known_before_anything_is_made(tmp_path: Path) -> None:
    up = template(fleet(tmp_path))
    preview = template(fleet(tmp_path, preview=True))
    assert preview["userData"] == up["userData"]
