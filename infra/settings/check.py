"""What is wrong with a stack, alone and beside the others of its project. Pure functions.

A stack file that can be read may still contradict the catalogue, AWS, or another stack. Each
refusal says the cure. Whether an image (``imageId``) suits its instance type is not checked: only
AWS can tell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from infra.settings.control_plane import ControlPlaneStack
from infra.settings.fleets import Found, problems_of_edge, problems_of_machines
from infra.settings.names import StackName, parse_stack_name
from infra.settings.neighbours import problems_beside
from infra.settings.networks import networks_of, refusal_of_carrier, refusal_of_vpc
from infra.settings.offered import Offered
from infra.settings.problems import Problem, project_of
from infra.settings.region import RegionStack, Tenant
from regions.errors import ConfigError
from regions.models import Catalogue

CLOUD = "aws"
_TENANT = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_TENANT_LENGTH = 16
"""Names of buckets hold account, region and tenant in 63 characters."""


def check_stack(
    name: str,
    stack: RegionStack | ControlPlaneStack,
    siblings: Mapping[str, RegionStack | ControlPlaneStack],
    catalogue: Catalogue,
    offered: Offered,
) -> list[Problem]:
    """Everything that is wrong with stack ``name``; ``siblings`` are the other stacks, by name."""
    found: list[Found] = []
    if isinstance(stack, ControlPlaneStack):
        found += _control_plane(stack, catalogue, offered)
    else:
        try:
            parsed = parse_stack_name(name)
        except ConfigError as error:
            return [Problem(name, ("region",), str(error))]
        found += _region(parsed, stack, catalogue)
        found += _machines(parsed.region, stack, offered)
        found += _tenants(parsed, stack)
    found += [
        (key, words)
        for key, cidr in networks_of(stack)
        if (words := refusal_of_vpc(cidr)) is not None
    ]
    others = {other: held for other, held in siblings.items() if other != name}
    found += problems_beside(name, stack, others)
    return [Problem(name, key, words, project_of(stack)) for key, words in found]


def _region(name: StackName, stack: RegionStack, catalogue: Catalogue) -> Iterator[Found]:
    if stack.region is None:
        yield (
            ("region",),
            f"is missing: add `region: {name.region}`, so that a copied file is found out",
        )
    elif stack.region != name.region:
        yield (
            ("region",),
            f"the stack is named for {name.region} and written for {stack.region}: rename the "
            f"file to Pulumi.{stack.region}.yaml, or write what {name.region} needs",
        )
    refusal = _refusal_of_region(name.region, catalogue)
    if refusal is not None:
        yield ("region",), refusal
        return
    jurisdiction = catalogue.region(name.region).jurisdiction
    if stack.jurisdiction != jurisdiction:
        yield (
            ("jurisdiction",),
            f"{name.region} stands in {jurisdiction!r}, not in {stack.jurisdiction!r}: data of "
            f"{stack.jurisdiction!r} may not be kept there; name the stack for a region of "
            f"{stack.jurisdiction!r}, or write {jurisdiction}",
        )


def _refusal_of_region(region: str, catalogue: Catalogue) -> str | None:
    ids = [known.id for known in catalogue.regions if known.cloud == CLOUD]
    known = next((found for found in catalogue.regions if found.id == region), None)
    if known is None:
        return (
            f"{region} is not in the catalogue {catalogue.version}{catalogue.hint(region)}, "
            f"so no law is known there: take one of {', '.join(ids)}, or add it to the catalogue"
        )
    if known.cloud != CLOUD:
        return f"{region} is a region of {known.cloud!r}: these stacks are made on AWS only"
    return None


def _machines(region: str, stack: RegionStack, offered: Offered) -> Iterator[Found]:
    yield from problems_of_edge(stack.edge, ("edge",), region, offered)
    for number, tenant in enumerate(stack.tenants):
        if tenant.edge is not None:
            at = ("tenants", number, "edge")
            yield from problems_of_edge(tenant.edge, at, region, offered)
    if stack.turn is not None:
        yield from problems_of_machines(
            stack.turn.instance_type, stack.turn.nodes, ("turn",), region, offered
        )
    refusal = offered.refusal_of_cache(region, stack.store.node_type)
    if refusal is not None:
        yield ("store", "nodeType"), refusal
    for number, carrier in enumerate(stack.sip.carriers if stack.sip else ()):
        words = refusal_of_carrier(carrier)
        if words is not None:
            yield ("sip", "carriers", number), words


def _tenants(name: StackName, stack: RegionStack) -> Iterator[Found]:
    counts = Counter(tenant.id for tenant in stack.tenants)
    for number, tenant in enumerate(stack.tenants):
        at = ("tenants", number)
        if counts[tenant.id] > 1:
            counts[tenant.id] = 1
            yield (*at, "id"), f"{tenant.id!r} is listed twice: keep one"
        if len(tenant.id) > _TENANT_LENGTH or _TENANT.fullmatch(tenant.id) is None:
            yield (
                (*at, "id"),
                f"{tenant.id!r} cannot be part of names in AWS: at most {_TENANT_LENGTH} small "
                "letters, digits and single dashes, a letter first",
            )
        for field, words in _isolation(name, tenant):
            yield (*at, field), words
    if name.tenant is not None and [tenant.id for tenant in stack.tenants] != [name.tenant]:
        yield (
            ("tenants",),
            f"the stack is that of {name.tenant!r} alone: list that one and no other",
        )


def _isolation(name: StackName, tenant: Tenant) -> Iterator[tuple[str, str]]:
    if tenant.isolation == "dedicated-fleet" and tenant.edge is None:
        yield "edge", "is missing: a dedicated fleet says its instanceType, nodes and callsPerNode"
    if tenant.isolation != "dedicated-fleet" and tenant.edge is not None:
        yield (
            "edge",
            f"a tenant that is {tenant.isolation} has no fleet of its own: remove edge, or "
            "write isolation: dedicated-fleet",
        )
    if name.tenant is None and tenant.isolation == "dedicated-account":
        yield (
            "isolation",
            "a tenant with an account of its own has a stack of its own: move it to "
            f"Pulumi.{name.region}.{tenant.id}.yaml",
        )
    if name.tenant is not None and tenant.isolation != "dedicated-account":
        yield (
            "isolation",
            f"the stack {name} is one tenant's own account: write dedicated-account, or move "
            f"the tenant to Pulumi.{name.region}.yaml",
        )


def _control_plane(
    stack: ControlPlaneStack, catalogue: Catalogue, offered: Offered
) -> Iterator[Found]:
    seen: set[str] = set()
    for number, replicas in enumerate(stack.regions):
        at = ("regions", number)
        if replicas.region in seen:
            yield (
                (*at, "region"),
                f"{replicas.region} is listed twice: raise `replicas` of the first instead",
            )
        seen.add(replicas.region)
        refusal = _refusal_of_region(replicas.region, catalogue)
        if refusal is not None:
            yield (*at, "region"), refusal
            continue
        words = offered.refusal_of_instance(replicas.region, replicas.instance_type)
        if words is not None:
            yield (*at, "instanceType"), words
