"""The way in: ports open to the world, and who else is let in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from infra.rules import allowed_types as types
from infra.rules.identity import is_
from infra.rules.model import Graph, Resource, Scope, Value
from infra.rules.values import entries, holds, maps

OPEN_TCP: Final = frozenset({443, 5061, 5349})
"""HTTPS, SIP over TLS, TURN over TLS."""
LEAST_OPEN_UDP: Final = 1024
CLEAR_SIP: Final = 5060
"""Signalling in the clear comes from the carriers' networks only."""
_WIDE: Final = {4: 8, 6: 16}
"""A block with fewer bits than this is the world, or one of the halves that add up to it."""
NARROWEST_CARRIER: Final = {4: 16, 6: 32}
"""A carrier's gateways are in a block with at least so many bits."""
_CARRIERS: Final = frozenset({5060, 5061})
"""SIP, in the clear and by TLS."""


_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


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


def inbound_source(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """Who is let in is the world, the stack's own network, or by SIP alone a carrier.

    What the world may reach, and that groups are the stack's, other rules say.
    """
    found = [network.properties.get("cidrBlock") for network in graph.of(types.VPC)]
    own = [ipaddress.ip_network(cidr) for cidr in found if isinstance(cidr, str)]
    for resource in graph.resources.values():
        for opening in _openings(resource):
            for source in opening.sources:
                if not _wide(source) and not _expected(source, opening, own):
                    yield resource.urn, f"{opening.where} lets {source} in, which nobody knows"


def _expected(source: str, opening: _Opening, own: list[_Network]) -> bool:
    network = ipaddress.ip_network(source, strict=False)
    # Of one family by then, which the type checker cannot see.
    if any(network.version == one.version and network.subnet_of(one) for one in own):  # type: ignore[arg-type]
        return True
    low, high = opening.ports
    return (
        opening.protocol in ("tcp", "udp")
        and low == high
        and low in _CARRIERS
        and network.prefixlen >= NARROWEST_CARRIER[network.version]
    )


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
    for network in graph.of(types.VPC):
        if not any(
            is_(group, "vpcId", group.properties.get("vpcId"), network) for group in emptied
        ):
            yield network.urn, "its default security group is not emptied"
