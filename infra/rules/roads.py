"""The way out: roads to other networks, load balancers and names that lead elsewhere, messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from infra.rules import allowed_types as types
from infra.rules.identity import is_
from infra.rules.model import UNKNOWN, Graph, Resource, Scope, Value
from infra.rules.values import block, entries, holds, maps, true

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
_ROUTED: Final = frozenset({"gatewayId", "cidrBlock", "ipv6CidrBlock"})
"""What a route may say. That the gateway is the stack's own, ``own-reference`` says."""
_OF_A_ROUTE: Final = frozenset(
    {"destinationCidrBlock", "destinationIpv6CidrBlock", "gatewayId", "region", "routeTableId"}
)
_COMPUTED: Final = frozenset({"id", "instanceId", "instanceOwnerId", "origin", "state"})
"""What AWS answers of a route."""
_KINDS: Final = frozenset({"Gateway", "Interface"})
_ANSWERS: Final = frozenset({"fixed-response", "forward", "redirect"})
_PROOF: Final = re.compile(r"_[0-9a-z]+\.acm-validations\.aws\.?")
"""By which ACM sees that a domain is ours."""


def no_road_out(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """No peering, gateway or accelerator joins the network to another, no endpoint leaves, and no
    load balancer sends callers elsewhere."""
    if resource.type.startswith(_ROADS):
        yield f"{resource.type} leads out of the region"
    if resource.type == types.ENDPOINT:
        yield from _endpoint(resource, scope)
    if resource.type == types.ROUTE_TABLE:
        if entries(resource.properties.get("propagatingVgws")):
            yield "propagatingVgws lets a gateway of somebody else write routes"
        for index, route in enumerate(maps(resource.properties.get("routes"))):
            yield from _route(f"routes[{index}]", route, _ROUTED)
    if resource.type == types.ROUTE:
        yield from _route("the route", resource.properties, _OF_A_ROUTE | _COMPUTED)
    for name in ("defaultActions", "actions"):
        if resource.type in (types.LISTENER, types.LISTENER_RULE):
            for index, action in enumerate(maps(resource.properties.get(name))):
                yield from _answer(f"{name}[{index}]", action)


def _endpoint(resource: Resource, scope: Scope) -> Iterator[str]:
    region = resource.properties.get("serviceRegion")
    if holds(region) and region is not UNKNOWN and region not in scope.regions:
        yield f"serviceRegion is {region}"
    kind = resource.properties.get("vpcEndpointType")
    if holds(kind) and kind not in _KINDS:
        yield f"vpcEndpointType is {kind}"
    service = str(resource.properties.get("serviceName"))
    match = re.fullmatch(r"com\.amazonaws\.([a-z0-9-]+)\.[a-z0-9.-]+", service)
    if match is None or match[1] not in scope.regions:
        yield f"serviceName is {service}, no service of AWS in the region"


def _route(where: str, route: Any, expected: frozenset[str]) -> Iterator[str]:
    for name in sorted(set(route) - expected):
        if holds(route[name]) and route[name] is not UNKNOWN:
            yield f"{where}.{name} leads out of the network"


def _answer(where: str, action: Any) -> Iterator[str]:
    if action.get("type") not in _ANSWERS:
        yield f"{where}.type is {action.get('type')}"
    redirect = block(action.get("redirect"))
    if holds(redirect.get("host")) and redirect.get("host") != "#{host}":
        yield f"{where}.redirect.host sends callers elsewhere"
    if holds(redirect.get("protocol")) and redirect.get("protocol") not in ("HTTPS", "#{protocol}"):
        yield f"{where}.redirect.protocol sends callers to plain HTTP"


def record_home(graph: Graph, scope: Scope) -> Iterator[tuple[str, str]]:
    """The stack's names lead to its own load balancers, or prove to ACM that they are its own."""
    found = graph.of(types.RECORD)
    own = {
        str(record.properties.get("name")).rstrip(".")
        for record in found
        if record.properties.get("type") in ("A", "AAAA")
    }
    for record in found:
        yield from ((record.urn, wrong) for wrong in _record(record, graph, own))


def _record(record: Resource, graph: Graph, own: set[str]) -> Iterator[str]:
    kind = record.properties.get("type")
    values = record.properties.get("records")
    if kind in ("A", "AAAA"):
        if holds(values):
            yield "records are addresses, of whom nobody knows: use an alias"
        aliases = maps(record.properties.get("aliases"))
        if not aliases or not all(_balancer(record, alias, graph) for alias in aliases):
            yield "aliases is not a load balancer of this stack"
    elif kind == "SRV":
        for value in entries(values):
            if str(value).split()[-1].rstrip(".") not in own:
                yield f"records lead to {value}, which is no name of this stack"
    elif kind in ("CNAME", UNKNOWN):
        for value in [UNKNOWN] if values is UNKNOWN else values or [None]:
            if not _proof(record, value, graph):
                yield f"records lead to {value}, and prove no certificate"
    else:
        yield f"type {kind} is not one that a stack needs"


def _balancer(record: Resource, alias: Any, graph: Graph) -> bool:
    return any(
        is_(record, "aliases", alias.get("name"), balancer, "dnsName")
        and is_(record, "aliases", alias.get("zoneId"), balancer, "zoneId")
        for balancer in graph.of(types.LOAD_BALANCER)
    )


def _proof(record: Resource, value: Value, graph: Graph) -> bool:
    if isinstance(value, str):
        return _PROOF.fullmatch(value) is not None
    waits = (record.dependencies or {}).get("records", ())
    return value is UNKNOWN and any(one.urn in waits for one in graph.of(types.CERTIFICATE))


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
