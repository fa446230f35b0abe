"""The way in and the way out: ports open to the world, roads to other networks, endpoints."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from infra.rules import allowed_types as types
from infra.rules.iam import Request, Statement, Unreadable, decide, seen, statements
from infra.rules.model import UNKNOWN, Graph, Resource, Scope, Value
from infra.rules.outsiders import STRANGER
from infra.rules.values import entries, holds, maps, true

OPEN_TCP: Final = frozenset({443, 5061, 5349})
"""HTTPS, SIP over TLS, TURN over TLS."""
LEAST_OPEN_UDP: Final = 1024
CLEAR_SIP: Final = 5060
"""Signalling in the clear comes from the carriers' networks only."""
_WIDE: Final = {4: 8, 6: 16}
"""A block with fewer bits than this is the world, or one of the halves that add up to it."""
_ROADS: Final = (
    "aws:ec2/vpcPeering",
    "aws:ec2/peeringConnection",
    "aws:ec2/customerGateway",
    "aws:ec2/vpn",
    "aws:ec2transitgateway/",
    "aws:directconnect/",
    "aws:networkmanager/",
    "aws:globalaccelerator/",
    "aws:cloudfront/",
    "aws:vpclattice/",
    "aws:route53/zoneAssociation",
    "aws:route53/vpcAssociation",
    "aws:ec2/natGateway",
    "aws:ec2/vpcEndpointService",
)


@dataclass(frozen=True, slots=True)
class _Opening:
    """One rule of a security group that lets traffic in."""

    where: str
    protocol: str
    ports: tuple[Value, Value]
    sources: tuple[str, ...]
    lists: tuple[str, ...]

    @property
    def world(self) -> bool:
        return any(_wide(source) for source in self.sources) or bool(self.lists)


def _wide(source: str) -> bool:
    try:
        network = ipaddress.ip_network(source, strict=False)
    except ValueError:
        return True
    return network.prefixlen < _WIDE[network.version]


def _openings(resource: Resource) -> Iterator[_Opening]:
    found = resource.properties
    if resource.type == types.SECURITY_GROUP:
        for index, rule in enumerate(maps(found.get("ingress"))):
            yield _opening(f"ingress[{index}]", rule)
    elif resource.type == "aws:ec2/securityGroupRule:SecurityGroupRule":
        if found.get("type") != "egress":
            yield _opening("the rule", found)
    elif resource.type == "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
        yield _opening("the rule", found)


def _opening(where: str, rule: Any) -> _Opening:
    sources = [
        str(source)
        for name in ("cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")
        for source in entries(rule.get(name))
    ]
    lists = [name for name in ("prefixListIds", "prefixListId") if holds(rule.get(name))]
    protocol = str(rule.get("protocol") or rule.get("ipProtocol") or "-1").lower()
    named = {"6": "tcp", "17": "udp", "all": "-1", "1": "icmp", "58": "icmpv6"}
    ports = (rule.get("fromPort"), rule.get("toPort"))
    return _Opening(where, named.get(protocol, protocol), ports, tuple(sources), tuple(lists))


def world_open_port(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """The world reaches TCP 443, 5061 and 5349, and UDP for media; SIP in the clear it does not."""
    for opening in _openings(resource):
        if not opening.world or opening.protocol not in ("tcp", "udp"):
            continue
        low, high = opening.ports
        known = isinstance(low, int | float) and isinstance(high, int | float)
        if not known or not _offered(opening.protocol, low, high):
            yield f"{opening.where} opens {opening.protocol} {low} to {high} to the world"


def _offered(protocol: str, low: float, high: float) -> bool:
    if protocol == "tcp":
        return low == high and low in OPEN_TCP
    return low >= LEAST_OPEN_UDP and not low <= CLEAR_SIP <= high


def world_open_protocol(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Nobody is let in by all protocols, not even a neighbour."""
    for opening in _openings(resource):
        if opening.protocol == "-1" and (opening.sources or opening.lists):
            yield f"{opening.where} opens all protocols"
        elif opening.world and opening.protocol not in ("tcp", "udp", "icmp", "icmpv6"):
            yield f"{opening.where} opens protocol {opening.protocol} to the world"


def default_group_empty(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """A network's default security group, which anything unnamed falls into, lets nothing pass."""
    emptied = graph.of("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    for group in emptied:
        for name in ("ingress", "egress"):
            if holds(group.properties.get(name)):
                yield group.urn, f"{name} is set"
    for network in graph.of("aws:ec2/vpc:Vpc"):
        if not any(
            network.urn in (group.dependencies or {}).get("vpcId", ())
            or group.properties.get("vpcId") == network.properties.get("id", UNKNOWN)
            for group in emptied
        ):
            yield network.urn, "its default security group is not emptied"


def no_road_out(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """No peering, gateway or accelerator joins the network to another, and no endpoint leaves."""
    if resource.type.startswith(_ROADS):
        yield f"{resource.type} leads out of the region"
    if resource.type == types.ENDPOINT:
        region = resource.properties.get("serviceRegion")
        if holds(region) and region not in scope.regions:
            yield f"serviceRegion is {region}"
        service = str(resource.properties.get("serviceName"))
        if service.startswith("com.amazonaws.vpce."):
            yield "serviceName is somebody's own service, wherever that runs"
    if resource.type == "aws:ec2/routeTable:RouteTable":
        for index, route in enumerate(maps(resource.properties.get("routes"))):
            yield from _route(f"routes[{index}]", route)
    if resource.type == "aws:ec2/route:Route":
        yield from _route("the route", resource.properties)


def _route(where: str, route: Any) -> Iterator[str]:
    for name in ("vpcPeeringConnectionId", "transitGatewayId", "natGatewayId", "coreNetworkArn"):
        if holds(route.get(name)):
            yield f"{where}.{name} leads out of the network"


def endpoint_policy(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Through the endpoint of S3 no node reaches a bucket of another account."""
    service = str(resource.properties.get("serviceName"))
    if resource.type != types.ENDPOINT or not service.endswith(".s3"):
        return
    document = resource.properties.get("policy")
    if document is None:
        yield "policy is not set: every bucket of the world could be reached"
        return
    if not seen(document):
        return
    try:
        found = statements(document)
    except Unreadable as error:
        yield f"policy {error}"
        return
    for action in ("s3:PutObject", "s3:GetObject"):
        if any(_reaches(found, action, scope.account_id, region) for region in scope.regions):
            yield f"policy lets {action} reach buckets of other accounts"


def _reaches(found: list[Statement], action: str, account_id: str, region: str) -> bool:
    insider = f"arn:aws:iam::{account_id}:role/any"
    context = {
        "aws:PrincipalAccount": account_id,
        "aws:PrincipalArn": insider,
        "aws:RequestedRegion": region,
        "aws:ResourceAccount": STRANGER,
        "aws:SecureTransport": "true",
        "s3:ResourceAccount": STRANGER,
    }
    request = Request(action, "arn:aws:s3:::any-bucket/probe", insider, context=context)
    return decide(found, request) == "allow"


def no_access_logs(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """A load balancer keeps no list of callers' addresses."""
    if resource.type != "aws:lb/loadBalancer:LoadBalancer":
        return
    for name in ("accessLogs", "connectionLogs"):
        for found in maps(resource.properties.get(name)):
            if true(found.get("enabled")) or found.get("enabled") is UNKNOWN:
                yield f"{name} is on: it would keep callers' addresses"


def subscription_home(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Alarms go to a mailbox or to a queue of the account, and to no address of somebody else.

    Alarms name stacks and figures, and no caller.
    """
    if resource.type != types.SUBSCRIPTION:
        return
    protocol = resource.properties.get("protocol")
    endpoint = resource.properties.get("endpoint")
    if protocol == "sqs":
        parts = str(endpoint).split(":")
        home = len(parts) > 5 and parts[3] in scope.regions and parts[4] == scope.account_id
        if not home and endpoint is not UNKNOWN:
            yield f"endpoint {endpoint} is not a queue of this stack's account and region"
    elif protocol != "email":
        yield f"protocol {protocol} takes messages out of the region"
