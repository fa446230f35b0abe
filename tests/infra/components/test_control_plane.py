"""The control plane: each replica reachable by name, nothing that could keep a caller's data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.cloud_init.document import ControlPlaneRole
from infra.components.control_plane import secrets_by_region
from infra.graph.capture import capture
from infra.rules.model import Graph, Resource
from tests.infra.components.shipped import templates, told

PROJECT = Path(__file__).parents[3] / "infra" / "control_plane"
REGIONS = ("ap-south-1", "eu-central-1")
DOMAIN = "control.example.org"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return capture(PROJECT, "control-plane")


def records(graph: Graph) -> dict[tuple[str, str | None], Resource]:
    found = graph.of("aws:route53/record:Record")
    return {
        (str(one.properties["name"]), one.properties.get("setIdentifier")): one
        for one in found
        if one.properties["type"] == "A"
    }


def test_callers_are_led_to_the_nearest_region_that_answers(graph: Graph) -> None:
    for region in REGIONS:
        record = records(graph)[(DOMAIN, region)]
        assert record.properties["latencyRoutingPolicies"] == [{"region": region}]
        assert record.properties["healthCheckId"]
        assert record.properties["aliases"][0]["evaluateTargetHealth"] is True


def test_route_53_asks_each_region_over_https_whether_it_is_ready(graph: Graph) -> None:
    checks = graph.of("aws:route53/healthCheck:HealthCheck")
    assert {check.properties["fqdn"] for check in checks} == {
        f"{region}.{DOMAIN}" for region in REGIONS
    }
    for check in checks:
        assert (check.properties["type"], check.properties["resourcePath"]) == ("HTTPS", "/readyz")


def test_every_replica_has_a_name_that_leads_to_it_alone(graph: Graph) -> None:
    rules = graph.of("aws:lb/listenerRule:ListenerRule")
    hosts = [rule.properties["conditions"][0]["hostHeader"]["values"] for rule in rules]
    assert sorted(hosts) == [[f"a.{region}.{DOMAIN}"] for region in REGIONS]
    targets = [rule.properties["actions"][0]["targetGroupArn"] for rule in rules]
    assert len({*targets}) == len(targets)
    assert {(f"a.{region}.{DOMAIN}", None) for region in REGIONS} <= {*records(graph)}


def test_a_replica_is_one_machine_that_ends_before_the_next_starts(graph: Graph) -> None:
    groups = graph.of("aws:autoscaling/group:Group")
    assert len(groups) == len(REGIONS)
    for group in groups:
        assert (group.properties["minSize"], group.properties["maxSize"]) == (1, 1)
        policy = group.properties["instanceMaintenancePolicy"]
        assert policy == {"minHealthyPercentage": 0, "maxHealthyPercentage": 100}
        assert group.properties["healthCheckType"] == "ELB"


def test_a_replica_hears_its_load_balancer_only(graph: Graph) -> None:
    groups = {
        str(one.properties["name"]): one for one in graph.of("aws:ec2/securityGroup:SecurityGroup")
    }
    for region in REGIONS:
        (rule,) = groups[f"inland-control-plane-{region}-replicas"].properties["ingress"]
        assert rule["fromPort"] == rule["toPort"] == 8080
        assert rule.get("cidrBlocks") is None
        assert len(rule["securityGroups"]) == 1
        (front,) = groups[f"inland-control-plane-{region}-front"].properties["ingress"]
        assert (front["fromPort"], front["cidrBlocks"]) == (443, ["0.0.0.0/0"])


def test_callers_addresses_are_in_no_access_log(graph: Graph) -> None:
    for balancer in graph.of("aws:lb/loadBalancer:LoadBalancer"):
        assert "accessLogs" not in balancer.properties
        assert "connectionLogs" not in balancer.properties


def test_the_certificate_names_what_the_region_answers_to(graph: Graph) -> None:
    for certificate in graph.of("aws:acm/certificate:Certificate"):
        assert certificate.properties["domainName"] == DOMAIN
        region_name, wildcard = certificate.properties["subjectAlternativeNames"]
        assert wildcard == f"*.{region_name}"
        assert certificate.properties.get("options") is None


def test_everything_is_made_by_its_own_region_s_provider(graph: Graph) -> None:
    for one in graph.resources.values():
        provider = graph.provider_of(one)
        name = one.properties.get("name")
        if provider is not None and isinstance(name, str) and name.startswith("inland-control"):
            assert str(provider.properties["region"]) in name, one.urn


def test_a_replica_is_told_of_all_replicas_and_of_no_secret(graph: Graph) -> None:
    for template in templates(graph):
        role = told(template).role
        assert isinstance(role, ControlPlaneRole)
        assert role.replica_urls == (
            f"https://a.eu-central-1.{DOMAIN}",
            f"https://a.ap-south-1.{DOMAIN}",
        )
        assert re.fullmatch(r"inland/control-plane/[a-z0-9-]+/a/signing-key", role.signing_key)


def test_digests_of_a_region_s_stacks_are_gathered() -> None:
    digests = {"eu-central-1": "1" * 64, "eu-central-1.bank": "2" * 64, "ap-south-1": "3" * 64}
    assert secrets_by_region(digests) == {
        "ap-south-1": ("3" * 64,),
        "eu-central-1": ("1" * 64, "2" * 64),
    }
