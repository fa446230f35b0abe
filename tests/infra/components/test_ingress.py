"""The load balancer: its doors, who may come through them, and the names that lead there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pulumi import ResourceOptions

from infra.components.fleet import DRAIN_SECONDS
from infra.components.ingress import Door, Ingress, IngressArgs, sip_doors, sip_records
from infra.components.turn import turn_doors
from infra.rules.model import Graph
from tests.infra.components.harness import PLACE, graph_of, only
from tests.infra.components.harness import named as named_of

BALANCER = "aws:lb/loadBalancer:LoadBalancer"
TARGETS = "aws:lb/targetGroup:TargetGroup"
LISTENER = "aws:lb/listener:Listener"
RECORD = "aws:route53/record:Record"
CARRIERS = ("192.0.2.0/28", "198.51.100.16/28")
CERTIFICATE = "arn:aws:acm:eu-central-1:111122223333:certificate/one"
DOORS = (*sip_doors(CARRIERS, 8080), *turn_doors())


def ingress(folder: Path, doors: tuple[Door, ...] = DOORS) -> Graph:
    args = IngressArgs(
        place=PLACE,
        vpc_id="vpc-1",
        vpc_cidr="10.16.0.0/16",
        subnet_ids=["subnet-1", "subnet-2"],
        domain="eu.example.org",
        zone_id="Z0EXAMPLE",
        doors=doors,
        hosts=("sip", "turn"),
        certificate_arn=CERTIFICATE,
    )

    def make(opts: ResourceOptions) -> None:
        made = Ingress("ingress", args, opts)
        sip_records("ingress", "eu.example.org", "Z0EXAMPLE", ResourceOptions(parent=made))

    return graph_of(folder, make)


def properties(graph: Graph, type_: str, door: str) -> dict[str, Any]:
    return dict(named_of(graph, type_, f"ingress-{door}").properties)


def test_carriers_alone_reach_sip_in_the_clear(tmp_path: Path) -> None:
    rules = only(ingress(tmp_path), "aws:ec2/securityGroup:SecurityGroup").properties["ingress"]
    clear = [rule for rule in rules if rule["fromPort"] <= 5060 <= rule["toPort"]]
    assert {rule["protocol"] for rule in clear} == {"tcp", "udp"}
    assert all(tuple(rule["cidrBlocks"]) == CARRIERS for rule in clear)


def test_world_reaches_exactly_the_encrypted_doors_and_the_relay(tmp_path: Path) -> None:
    rules = only(ingress(tmp_path), "aws:ec2/securityGroup:SecurityGroup").properties["ingress"]
    open_ = {
        (rule["protocol"], rule["fromPort"], rule["toPort"])
        for rule in rules
        if "0.0.0.0/0" in rule["cidrBlocks"]
    }
    assert open_ == {("tcp", 5061, 5061), ("udp", 3478, 3478), ("tcp", 5349, 5349)}


def test_balancer_sends_to_nodes_only(tmp_path: Path) -> None:
    rules = only(ingress(tmp_path), "aws:ec2/securityGroup:SecurityGroup").properties["egress"]
    assert all(rule["cidrBlocks"] == ["10.16.0.0/16"] for rule in rules)
    ports = {(rule["protocol"], rule["fromPort"]) for rule in rules}
    assert ports == {
        ("tcp", 5060),
        ("udp", 5060),
        ("tcp", 5061),
        ("tcp", 8080),
        ("udp", 3478),
        ("tcp", 3478),
    }


@pytest.mark.parametrize("door", ["sip", "sips", "turn"])
def test_nodes_see_who_calls(tmp_path: Path, door: str) -> None:
    assert properties(ingress(tmp_path), TARGETS, door)["preserveClientIp"] == "true"


def test_tls_of_telephones_is_passed_through(tmp_path: Path) -> None:
    listener = properties(ingress(tmp_path), LISTENER, "sips")
    assert listener["protocol"] == "TCP"
    assert listener.get("certificateArn") is None


def test_tls_of_relays_ends_at_the_balancer_with_the_stacks_certificate(tmp_path: Path) -> None:
    graph = ingress(tmp_path)
    listener = properties(graph, LISTENER, "turns")
    assert (listener["protocol"], listener["port"]) == ("TLS", 5349)
    assert listener["certificateArn"] == CERTIFICATE
    assert listener["sslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2")
    targets = properties(graph, TARGETS, "turns")
    assert (targets["protocol"], targets["port"]) == ("TCP", 3478)
    assert targets["preserveClientIp"] == "false"


@pytest.mark.parametrize("door", ["sip", "sips"])
def test_telephone_calls_come_to_nodes_that_are_ready(tmp_path: Path, door: str) -> None:
    check = properties(ingress(tmp_path), TARGETS, door)["healthCheck"]
    assert (check["protocol"], check["port"], check["path"]) == ("HTTP", "8080", "/readyz")
    assert check["matcher"] == "200"


def test_cancel_finds_the_node_that_rings(tmp_path: Path) -> None:
    stickiness = properties(ingress(tmp_path), TARGETS, "sip")["stickiness"]
    assert stickiness == {"type": "source_ip", "enabled": True}


def test_a_relay_that_leaves_keeps_its_flows_for_the_longest_call(tmp_path: Path) -> None:
    graph = ingress(tmp_path)
    assert properties(graph, TARGETS, "turn")["deregistrationDelay"] == DRAIN_SECONDS == 3600


def test_a_node_that_leaves_is_not_held_up_by_its_telephone_flows(tmp_path: Path) -> None:
    assert properties(ingress(tmp_path), TARGETS, "sip")["deregistrationDelay"] == 120


def test_balancer_is_protected_as_carriers_know_its_addresses(tmp_path: Path) -> None:
    assert only(ingress(tmp_path), BALANCER).protect


def test_balancer_keeps_no_log_of_who_called(tmp_path: Path) -> None:
    assert only(ingress(tmp_path), BALANCER).properties.get("accessLogs") is None


def test_names_of_balancer_and_targets_fit_in_32_characters(tmp_path: Path) -> None:
    for resource in ingress(tmp_path).of(BALANCER, TARGETS):
        assert len(resource.properties["name"]) <= 32


def test_records_lead_carriers_to_the_balancer(tmp_path: Path) -> None:
    graph = ingress(tmp_path)
    services = {
        record.properties["name"]: record.properties["records"]
        for record in graph.of(RECORD)
        if record.properties["type"] == "SRV"
    }
    assert services == {
        "_sip._udp.eu.example.org": ["10 10 5060 sip.eu.example.org."],
        "_sip._tcp.eu.example.org": ["10 10 5060 sip.eu.example.org."],
        "_sips._tcp.eu.example.org": ["10 10 5061 sip.eu.example.org."],
    }
    hosts = {
        record.properties["name"]
        for record in graph.of(RECORD)
        if record.properties["type"] == "A" and record.properties["aliases"]
    }
    assert hosts == {"sip.eu.example.org", "turn.eu.example.org"}
