"""Relays: who reaches them, and whom they reach."""

from __future__ import annotations

from pathlib import Path

from pulumi import ResourceOptions

from infra.cloud_init.document import Bundle, TurnRole
from infra.components.turn import Turn, TurnArgs
from infra.rules.model import Graph
from infra.settings.region import Range
from infra.settings.region import Turn as TurnSettings
from tests.infra.components.harness import BOUNDARY, KEY_ARN, PLACE, graph_of, only
from tests.infra.components.shipped import TEMPLATE, told

PEERS = ("10.16.0.0/20", "10.16.16.0/20")


def turn(folder: Path) -> Graph:
    args = TurnArgs(
        place=PLACE,
        settings=TurnSettings(instance_type="t4g.small", nodes=Range(min=2, max=4)),
        domain="eu.example.org",
        zone_id="Z0EXAMPLE",
        bundle=Bundle(bucket="software", release="a" * 64, site="b" * 64),
        secret="inland/eu-central-1/turn",
        vpc_id="vpc-1",
        vpc_cidr="10.16.0.0/16",
        peers=PEERS,
        subnet_ids=["subnet-1"],
        ingress_firewall="sg-ingress",
        targets=["arn:turn", "arn:turns"],
        boundary=BOUNDARY,
        key_arn=KEY_ARN,
    )

    def make(opts: ResourceOptions) -> None:
        Turn("turn", args, opts)

    return graph_of(folder, make)


def test_relays_send_to_the_edges_networks_only(tmp_path: Path) -> None:
    role = told(only(turn(tmp_path), TEMPLATE)).role
    assert isinstance(role, TurnRole)
    assert role.peers == PEERS


def test_plain_tcp_of_a_relay_is_open_to_the_balancer_alone(tmp_path: Path) -> None:
    rules = only(turn(tmp_path), "aws:ec2/securityGroup:SecurityGroup").properties["ingress"]
    (tcp,) = [rule for rule in rules if rule["protocol"] == "tcp"]
    assert (tcp["fromPort"], tcp["toPort"]) == (3478, 3478)
    assert tcp["securityGroups"] == ["sg-ingress"]
    assert not tcp.get("cidrBlocks")


def test_relayed_media_comes_from_inside(tmp_path: Path) -> None:
    graph = turn(tmp_path)
    rules = only(graph, "aws:ec2/securityGroup:SecurityGroup").properties["ingress"]
    role = told(only(graph, TEMPLATE)).role
    assert isinstance(role, TurnRole)
    (media,) = [rule for rule in rules if rule["fromPort"] == role.relay_ports[0]]
    assert (media["protocol"], media["toPort"]) == ("udp", role.relay_ports[1])
    assert media["cidrBlocks"] == ["10.16.0.0/16"]


def test_world_reaches_one_port_of_a_relay(tmp_path: Path) -> None:
    rules = only(turn(tmp_path), "aws:ec2/securityGroup:SecurityGroup").properties["ingress"]
    open_ = [rule for rule in rules if "0.0.0.0/0" in (rule.get("cidrBlocks") or ())]
    assert [(rule["protocol"], rule["fromPort"], rule["toPort"]) for rule in open_] == [
        ("udp", 3478, 3478)
    ]


def test_relays_join_both_doors_and_scale_on_load(tmp_path: Path) -> None:
    graph = turn(tmp_path)
    group = only(graph, "aws:autoscaling/group:Group").properties
    assert group["targetGroupArns"] == ["arn:turn", "arn:turns"]
    tracked = only(graph, "aws:autoscaling/policy:Policy").properties
    metric = tracked["targetTrackingConfiguration"]["predefinedMetricSpecification"]
    assert metric == {"predefinedMetricType": "ASGAverageCPUUtilization"}


def test_a_relay_reads_its_own_secret_and_no_other(tmp_path: Path) -> None:
    policy = only(turn(tmp_path), "aws:iam/rolePolicy:RolePolicy").properties["policy"]
    assert "secret:inland/eu-central-1/turn-??????" in policy
    assert "region-key" not in policy
