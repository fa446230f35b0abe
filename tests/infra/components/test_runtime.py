"""A whole region, as the unmodified program makes it from a shipped stack file."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra.cloud_init.document import EdgeRole
from infra.cloud_init.user_data import MAX_BYTES
from infra.components.edges import HEALTH_PORT
from infra.rules.iam import Request, decide, statements
from infra.rules.model import Graph, Resource
from infra.settings.region import MOST_CARRIERS
from tests.infra.components.harness import named
from tests.infra.components.shipped import (
    BARE,
    FULL,
    STACKS,
    TEMPLATE,
    made_with,
    shipped,
    templates,
    told,
    user_data,
)

GROUP = "aws:autoscaling/group:Group"
FIREWALL = "aws:ec2/securityGroup:SecurityGroup"
KEY = "aws:kms/key:Key"
WORLD = "0.0.0.0/0"
RULES_PER_GROUP = 60
"""Amazon VPC User Guide, "Amazon VPC quotas", 2026-11-21."""
CARRIERS = ["192.0.2.0/28", "198.51.100.16/28"]


def edges(graph: Graph) -> list[Resource]:
    return [found for found in templates(graph) if isinstance(told(found).role, EdgeRole)]


def role_of(graph: Graph, name: str) -> EdgeRole:
    role = told(named(graph, TEMPLATE, name)).role
    assert isinstance(role, EdgeRole)
    return role


def inward(graph: Graph, name: str) -> list[dict[str, Any]]:
    return list(named(graph, FIREWALL, name).properties["ingress"])


def verdict(graph: Graph, fleet: str, action: str, resource: str, **context: str) -> str:
    """What the policy of a fleet's role says to a request in the stack's own region."""
    policy = named(graph, "aws:iam/rolePolicy:RolePolicy", fleet).properties["policy"]
    around = {"aws:RequestedRegion": "eu-central-1"} | context
    return decide(statements(policy), Request(action, resource, context=around))


# What comes of every shipped stack file


@pytest.mark.parametrize("stack", STACKS)
def test_shipped_stack_asks_nobody_anything(stack: str) -> None:
    assert shipped(stack).invokes == ()


@pytest.mark.parametrize("stack", STACKS)
def test_machines_of_a_shipped_stack_get_user_data_that_ec2_takes(stack: str) -> None:
    sizes = [len(user_data(template).encode()) for template in templates(shipped(stack))]
    assert sizes
    assert max(sizes) <= MAX_BYTES


@pytest.mark.parametrize("stack", STACKS)
def test_preview_registers_what_up_registers(stack: str) -> None:
    assert set(shipped(stack, preview=True).resources) == set(shipped(stack).resources)


def test_a_second_run_is_the_same() -> None:
    shipped.cache_clear()
    first = shipped()
    shipped.cache_clear()
    assert shipped() == first


def test_no_output_is_secret_or_empty() -> None:
    graph = shipped()
    assert graph.secret_outputs == frozenset()
    assert set(graph.outputs) == {
        "stack",
        "region",
        "domain",
        "sipAddress",
        "turnAddress",
        "recordingsBucket",
        "softwareBucket",
        "autoScalingGroups",
        "secrets",
        "serviceControlPolicy",
    }


def test_secrets_are_named_and_have_no_value_in_the_stack() -> None:
    graph = shipped()
    assert graph.of("aws:secretsmanager/secretVersion:SecretVersion") == []
    assert graph.outputs["secrets"] == [
        "inland/eu-central-1/node-secret",
        "inland/eu-central-1/region-key",
        "inland/eu-central-1/phone",
        "inland/eu-central-1/turn",
    ]


def test_user_data_names_secrets_and_holds_none() -> None:
    for template in templates(shipped()):
        text = user_data(template)
        found = set(re.findall(r"inland/eu-central-1/[a-z-]+", text))
        assert found
        assert found <= set(shipped().outputs["secrets"])
        assert not re.search(r"(?i)BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}", text)


def test_one_provider_makes_everything_and_knows_one_account() -> None:
    graph = shipped()
    (provider,) = graph.of("pulumi:providers:aws")
    assert provider.properties["region"] == "eu-central-1"
    assert provider.properties["allowedAccountIds"] == '["111122223333"]'
    made = [found for found in graph.resources.values() if found.type.startswith("aws:")]
    assert made
    assert {found.provider for found in made} == {provider.urn}
    assert [found.urn for found in made if "region" in found.properties] == []


# Who reaches a node


@pytest.mark.parametrize("fleet", ["edge", "edge-demo-bank"])
def test_world_reaches_exactly_signalling_media_and_sip_over_tls(fleet: str) -> None:
    open_ = {
        (rule["protocol"], rule["fromPort"], rule["toPort"])
        for rule in inward(shipped(), fleet)
        if WORLD in rule["cidrBlocks"]
    }
    assert open_ == {("tcp", 443, 443), ("udp", 20_000, 29_999), ("tcp", 5061, 5061)}


@pytest.mark.parametrize("fleet", ["edge", "edge-demo-bank"])
def test_only_carriers_reach_sip_in_the_clear(fleet: str) -> None:
    clear = [rule for rule in inward(shipped(), fleet) if rule["fromPort"] == 5060]
    assert {rule["protocol"] for rule in clear} == {"tcp", "udp"}
    assert all(rule["cidrBlocks"] == CARRIERS for rule in clear)


def test_rules_of_the_most_carriers_fit_into_a_security_group() -> None:
    carriers = [f"192.0.2.{number}/32" for number in range(MOST_CARRIERS)]
    for group in made_with(FULL, {"sip": {"carriers": carriers}}).of(FIREWALL):
        for way in ("ingress", "egress"):
            sources = [
                source
                for rule in group.properties[way]
                for source in (*(rule.get("cidrBlocks") or ()), *(rule.get("securityGroups") or ()))
            ]
            assert len(sources) <= RULES_PER_GROUP, f"{group.name} {way}"


def test_health_is_asked_from_inside_only() -> None:
    (health,) = [rule for rule in inward(shipped(), "edge") if rule["fromPort"] == HEALTH_PORT]
    assert health["cidrBlocks"] == ["10.16.0.0/16"]


def test_stack_without_telephone_and_relays_opens_nothing_for_them() -> None:
    graph = shipped(BARE)
    assert graph.of("aws:lb/loadBalancer:LoadBalancer") == []
    assert {rule["fromPort"] for rule in inward(graph, "edge")} == {443, 20_000, HEALTH_PORT}
    assert "sipAddress" not in graph.outputs
    assert role_of(graph, "edge").phone_secret is None
    assert role_of(graph, "edge").turn_secret is None


def test_store_lets_in_the_nodes_that_take_calls_and_nobody_else() -> None:
    graph = shipped()
    (rule,) = inward(graph, "store")
    assert not rule.get("cidrBlocks")
    store = named(graph, FIREWALL, "store")
    assert store.dependencies is not None
    members = {urn for urn in store.dependencies["ingress"] if f"{FIREWALL}::" in urn}
    assert members == {named(graph, FIREWALL, name).urn for name in ("edge", "edge-demo-bank")}


# What a node is


def test_every_disk_is_sealed_with_the_regions_key() -> None:
    graph = shipped()
    key = named(graph, KEY, "keys")
    for template in templates(graph):
        assert template.dependencies is not None
        assert key.urn in template.dependencies["blockDeviceMappings"]


def test_nodes_are_told_of_the_store_the_certificate_and_their_own_tenants() -> None:
    role = role_of(shipped(), "edge")
    assert role.store.host.endswith(".cache.amazonaws.com")
    assert role.store.users == {"demo-clinic": "inland-demo-clinic"}
    assert role.certificate.startswith("arn:aws:acm:eu-central-1:111122223333:certificate/")
    assert role.tenants is None
    assert role.turn_secret == "inland/eu-central-1/turn"


def test_telephone_calls_come_to_the_shared_fleet() -> None:
    graph = shipped()
    assert len(named(graph, GROUP, "edge").properties["targetGroupArns"]) == 2
    assert named(graph, GROUP, "edge-demo-bank").properties["targetGroupArns"] == []


def test_every_fleet_is_watched_and_every_machine_of_the_store() -> None:
    names = {
        alarm.properties["name"].removeprefix("inland-eu-central-1-")
        for alarm in shipped().of("aws:cloudwatch/metricAlarm:MetricAlarm")
    }
    assert names == {
        "certificate",
        "edge-none-in-service",
        "edge-capacity",
        "edge-late-media",
        "edge-demo-bank-none-in-service",
        "edge-demo-bank-capacity",
        "edge-demo-bank-late-media",
        "turn-none-in-service",
        "sip-unhealthy",
        "sips-unhealthy",
        "turn-unhealthy",
        "turns-unhealthy",
        "store-001-memory",
        "store-001-cpu",
        "store-002-memory",
        "store-002-cpu",
    }


# Tenants kept apart


def test_dedicated_fleet_runs_on_hardware_of_its_own_and_serves_its_tenant_only() -> None:
    graph = shipped()
    tenancy = {
        template.name: template.properties["placement"]["tenancy"] for template in edges(graph)
    }
    assert tenancy == {"edge": "default", "edge-demo-bank": "dedicated"}
    role = role_of(graph, "edge-demo-bank")
    assert role.tenants == ("demo-bank",)
    assert role.store.users == {"demo-bank": "inland-demo-bank"}


@pytest.mark.parametrize(
    ("fleet", "own", "other"),
    [
        ("edge", "demo-clinic", "demo-bank"),
        ("edge-demo-bank", "demo-bank", "demo-clinic"),
    ],
)
def test_nodes_reach_their_own_tenants_sessions_and_recordings_only(
    fleet: str, own: str, other: str
) -> None:
    graph = shipped()
    users = "arn:aws:elasticache:eu-central-1:111122223333:user:inland-"
    bucket = "arn:aws:s3:::inland-recordings-111122223333-eu-central-1/"
    for tenant, expected in ((own, "allow"), (other, "none")):
        assert verdict(graph, fleet, "elasticache:Connect", users + tenant) == expected
        recording = f"{bucket}{fleet}/{tenant}/call"
        assert verdict(graph, fleet, "s3:PutObject", recording) == expected
        arn = "arn:aws:kms:eu-central-1:111122223333:key/any"
        session = {
            "kms:ResourceAliases": f"alias/inland/eu-central-1/{tenant}",
            "kms:EncryptionContext:inland:tenant": tenant,
            "kms:EncryptionContext:inland:region": "eu-central-1",
        }
        assert verdict(graph, fleet, "kms:Encrypt", arn, **session) == expected


def test_each_fleet_keeps_its_recordings_apart_in_the_stacks_bucket_under_the_stacks_key() -> None:
    graph = shipped()
    key = named(graph, KEY, "recordings-key")
    for fleet in ("edge", "edge-demo-bank"):
        place = role_of(graph, fleet).recordings
        assert place is not None
        bucket = named(graph, "aws:s3/bucket:Bucket", "recordings").properties["bucket"]
        assert (place.bucket, place.prefix, place.account) == (bucket, fleet, "111122223333")
        assert place.key == key.made["arn"]
        assert place.days == 30


def test_a_tenants_key_is_for_the_nodes_of_the_tenants_fleet() -> None:
    graph = shipped()
    aliases = {alias.properties["name"] for alias in graph.of("aws:kms/alias:Alias")}
    for fleet, tenant in (("edge", "demo-clinic"), ("edge-demo-bank", "demo-bank")):
        role = role_of(graph, fleet)
        assert {role.session_keys.alias(each) for each in role.store.users} <= aliases
        policy = named(graph, KEY, f"keys-{tenant}").properties["policy"]
        nodes = f"arn:aws:iam::111122223333:role/inland-eu-central-1-{fleet}"
        assert f'"ArnEquals":{{"aws:PrincipalArn":"{nodes}"}}' in policy


def test_a_node_does_nothing_in_another_region() -> None:
    bucket = "arn:aws:s3:::inland-recordings-111122223333-eu-central-1/demo-clinic/call"
    elsewhere = {"aws:RequestedRegion": "us-east-1"}
    assert verdict(shipped(), "edge", "s3:PutObject", bucket, **elsewhere) == "deny"


def test_a_fleet_ends_no_machine_of_another_fleet() -> None:
    action = "autoscaling:CompleteLifecycleAction"
    group = "arn:aws:autoscaling:eu-central-1:111122223333:autoScalingGroup:x:autoScalingGroupName/"
    bank, shared = f"{group}inland-eu-central-1-edge-demo-bank", f"{group}inland-eu-central-1-edge"
    assert verdict(shipped(), "edge-demo-bank", action, bank) == "allow"
    assert verdict(shipped(), "edge-demo-bank", action, shared) == "none"


def test_tenant_with_an_account_of_its_own_shares_neither_nodes_nor_hardware() -> None:
    settings = {
        "accountId": "222222222222",
        "vpcCidr": "10.96.0.0/16",
        "domain": "eu-central-1.museum.example.org",
        "zoneId": "Z0EXAMPLEOWN",
        "tenants": [{"id": "museum", "isolation": "dedicated-account"}],
    }
    graph = made_with(f"{FULL}.museum", settings)
    assert [template.name for template in edges(graph)] == ["edge"]
    assert role_of(graph, "edge").tenants == ("museum",)
    placement = named(graph, TEMPLATE, "edge").properties["placement"]
    assert placement == {"tenancy": "dedicated"}
    assert len(named(graph, GROUP, "edge").properties["targetGroupArns"]) == 2


def test_where_every_tenant_has_a_fleet_there_is_no_shared_one() -> None:
    edge = {"instanceType": "c7g.xlarge", "nodes": {"min": 2, "max": 6}, "callsPerNode": 60}
    tenant = {"id": "demo-bank", "isolation": "dedicated-fleet", "edge": edge}
    graph = made_with(FULL, {"tenants": [tenant]})
    assert [template.name for template in edges(graph)] == ["edge-demo-bank"]
    assert len(named(graph, GROUP, "edge-demo-bank").properties["targetGroupArns"]) == 2
