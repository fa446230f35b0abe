"""The network of a region."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

import pytest

from infra.components.network import Network, NetworkArgs, layout
from infra.documents.network import INTERFACES, interface_policy, s3_policy
from infra.rules.model import Graph, Resource
from tests.infra.components.harness import BOUNDARY, KEY_ARN, PLACE, graph_of, named, only

SUBNET = "aws:ec2/subnet:Subnet"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
TABLE = "aws:ec2/routeTable:RouteTable"
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
ZONES = ("euc1-az1", "euc1-az2", "euc1-az3")


def graph(
    folder: Path, zones: tuple[str, ...] = ZONES, cidr: str = "10.20.0.0/16", preview: bool = False
) -> Graph:
    args = NetworkArgs(
        place=PLACE,
        cidr=cidr,
        zone_ids=zones,
        key_arn=KEY_ARN,
        boundary=BOUNDARY,
        logs_days=14,
    )
    return graph_of(folder, lambda opts: Network("network", args, opts), preview=preview)


def table_of(found: Graph, subnet: Resource) -> Resource:
    (way,) = [
        way
        for way in found.of(ASSOCIATION)
        if subnet.urn in (way.dependencies or {}).get("subnetId", ())
    ]
    assert way.dependencies is not None
    return found.resources[way.dependencies["routeTableId"][0]]


@pytest.mark.parametrize("zones", [2, 3])
@pytest.mark.parametrize("cidr", ["10.20.0.0/16", "10.20.64.0/18", "10.0.0.0/12"])
def test_subnets_lie_in_the_network_and_apart(zones: int, cidr: str) -> None:
    found = layout(cidr, zones)
    subnets = [IPv4Network(text) for text in (*found.public, *found.data)]
    assert len(subnets) == 2 * zones
    assert all(subnet.subnet_of(IPv4Network(cidr)) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))
    assert {IPv4Network(text).prefixlen for text in found.public} == {20}


def test_a_network_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.20\.0\.0/19 has no room for 3 zones"):
        layout("10.20.0.0/19", 3)


@pytest.mark.parametrize("zones", [ZONES, ZONES[:2]])
def test_every_zone_has_a_subnet_for_nodes_and_one_for_data(
    tmp_path: Path, zones: tuple[str, ...]
) -> None:
    found = graph(tmp_path, zones).of(SUBNET)
    for kind in ("public", "data"):
        placed = [s for s in found if s.name.startswith(f"network-{kind}-")]
        assert sorted(s.properties["availabilityZoneId"] for s in placed) == list(zones)
        assert not any(s.properties["mapPublicIpOnLaunch"] for s in placed)


def test_no_route_leads_out_of_a_data_subnet(tmp_path: Path) -> None:
    found = graph(tmp_path)
    for subnet in found.of(SUBNET):
        routes = table_of(found, subnet).properties.get("routes") or []
        if subnet.name.startswith("network-data-"):
            assert routes == []
        else:
            assert [route["cidrBlock"] for route in routes] == ["0.0.0.0/0"]
    gateways = [e for e in found.of(ENDPOINT) if e.properties["vpcEndpointType"] == "Gateway"]
    tables = {urn for e in gateways for urn in (e.dependencies or {})["routeTableIds"]}
    assert tables == {named(found, TABLE, "network-public").urn}


def test_the_default_security_group_lets_nothing_through(tmp_path: Path) -> None:
    group = only(graph(tmp_path), "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert group.properties["ingress"] == group.properties["egress"] == []


@pytest.mark.parametrize("preview", [False, True])
def test_every_endpoint_has_a_policy_that_is_known(tmp_path: Path, preview: bool) -> None:
    found = {
        endpoint.properties["serviceName"]: json.loads(endpoint.properties["policy"])
        for endpoint in graph(tmp_path, preview=preview).of(ENDPOINT)
    }
    service = "com.amazonaws.eu-central-1"
    expected = {f"{service}.{name}": interface_policy(PLACE, name) for name in INTERFACES}
    assert found == expected | {f"{service}.s3": s3_policy(PLACE)}


def test_interface_endpoints_stand_in_data_subnets_and_answer_the_vpc_alone(
    tmp_path: Path,
) -> None:
    found = graph(tmp_path)
    data = {s.urn for s in found.of(SUBNET) if s.name.startswith("network-data-")}
    group = only(found, "aws:ec2/securityGroup:SecurityGroup")
    (ingress,) = group.properties["ingress"]
    assert (ingress["fromPort"], ingress["cidrBlocks"]) == (443, ["10.20.0.0/16"])
    for endpoint in found.of(ENDPOINT):
        if endpoint.properties["vpcEndpointType"] == "Interface":
            assert endpoint.dependencies is not None
            assert set(endpoint.dependencies["subnetIds"]) == data
            assert endpoint.dependencies["securityGroupIds"] == (group.urn,)
            assert endpoint.properties["privateDnsEnabled"] is True


def test_the_flow_log_is_sealed_ends_and_is_written_within_the_boundary(tmp_path: Path) -> None:
    found = graph(tmp_path)
    group = only(found, "aws:cloudwatch/logGroup:LogGroup")
    assert group.properties["name"] == "/inland/eu-central-1/flow"
    assert group.properties["retentionInDays"] == 14
    assert group.properties["kmsKeyId"] == KEY_ARN
    assert group.properties["tags"] == {"inland:holds": "logs"}
    log = only(found, "aws:ec2/flowLog:FlowLog")
    assert log.dependencies is not None
    assert log.dependencies["logDestination"] == (group.urn,)
    assert log.properties["trafficType"] == "ALL"
    role = only(found, "aws:iam/role:Role")
    assert role.properties["permissionsBoundary"] == BOUNDARY
    assert role.urn in log.dependencies["iamRoleArn"]


def test_a_network_has_no_way_around_its_gateway(tmp_path: Path) -> None:
    types = {resource.type for resource in graph(tmp_path).resources.values()}
    assert not {t for t in types if "natGateway" in t or "peering" in t or "Eip" in t}
