"""What two stacks may not share: addresses, names, accounts, tenants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from infra.settings.control_plane import ControlPlaneStack
from infra.settings.fleets import Found
from infra.settings.names import parse_stack_name
from infra.settings.networks import networks_of, overlapping
from infra.settings.region import RegionStack
from regions.errors import ConfigError

Stack = RegionStack | ControlPlaneStack
LETTERS = "abcd"
"""Names of the replicas in one region of the control plane."""


def replica_urls(stack: ControlPlaneStack) -> tuple[str, ...]:
    """Where nodes beat: every replica of every region."""
    return tuple(
        f"https://{letter}.{replicas.region}.{stack.domain}"
        for replicas in stack.regions
        for letter in LETTERS[: replicas.replicas]
    )


def problems_beside(name: str, stack: Stack, others: Mapping[str, Stack]) -> Iterator[Found]:
    """What is wrong with ``stack`` because of the ``others``, which do not hold it."""
    yield from _addresses(stack, others)
    yield from _names(stack, others)
    yield from _accounts(name, stack, others)
    yield from _policy_keys(stack, others)
    if isinstance(stack, RegionStack):
        yield from _tenants(name, stack, others)
        yield from _control_planes(stack, others)
    else:
        yield from _node_secrets(stack, others)


def _addresses(stack: Stack, others: Mapping[str, Stack]) -> Iterator[Found]:
    taken = [(other, cidr) for other, held in others.items() for _, cidr in networks_of(held)]
    own: list[tuple[str, str]] = []
    for key, cidr in networks_of(stack):
        for other, held in overlapping(cidr, [*taken, *own]):
            yield key, f"{cidr} overlaps {held} of {other}: give each its own range"
        own.append((f"{key[0]}[{key[1]}]" if len(key) > 1 else "this stack", cidr))


def _names(stack: Stack, others: Mapping[str, Stack]) -> Iterator[Found]:
    for other, held in others.items():
        if held.domain == stack.domain:
            yield (
                ("domain",),
                f"{stack.domain} is {other}'s too: nodes would take each other's names; give "
                "each stack its own",
            )
        elif isinstance(stack, RegionStack) and isinstance(held, ControlPlaneStack):
            covered = [
                region for region in held.regions if _covers(stack.domain, region.region, held)
            ]
            if covered:
                yield (
                    ("domain",),
                    f"nodes may write names below {stack.domain}, and those of the control plane "
                    f"({held.domain}) are there: choose a domain beside it",
                )
        if held.zone_id == stack.zone_id and held.account_id != stack.account_id:
            yield (
                ("zoneId",),
                f"{stack.zone_id} is in account {held.account_id} ({other}), and this stack in "
                f"{stack.account_id}: delegate a zone to this account",
            )


def _covers(domain: str, region: str, plane: ControlPlaneStack) -> bool:
    return f"a.{region}.{plane.domain}".endswith(f".{domain}")


def _accounts(name: str, stack: Stack, others: Mapping[str, Stack]) -> Iterator[Found]:
    for other, held in others.items():
        if held.account_id != stack.account_id:
            continue
        if isinstance(stack, ControlPlaneStack) or isinstance(held, ControlPlaneStack):
            yield (
                ("accountId",),
                f"{stack.account_id} is {other}'s too: the control plane is in several "
                "jurisdictions, a region's account in one; give it an account of its own",
            )
        elif held.jurisdiction != stack.jurisdiction:
            yield (
                ("accountId",),
                f"{stack.account_id} is {other}'s too, which is in {held.jurisdiction!r}: one "
                f"account, one jurisdiction; take another for {stack.jurisdiction!r}",
            )
        elif _tenant_of(name) != _tenant_of(other):
            owner = _tenant_of(name) or _tenant_of(other)
            yield (
                ("accountId",),
                f"{stack.account_id} is {other}'s too: {owner!r} was promised an account of its "
                "own; take another",
            )


def _policy_keys(stack: Stack, others: Mapping[str, Stack]) -> Iterator[Found]:
    """A node and a control plane that trust no key in common have no law in common either: the
    node would get no calls. They may differ for a while, when a key is replaced."""
    for other, held in others.items():
        if isinstance(held, ControlPlaneStack) == isinstance(stack, ControlPlaneStack):
            continue
        ours, theirs = {*stack.policy_keys}, {*held.policy_keys}
        if (ours or theirs) and not ours & theirs:
            yield (
                ("policyKeys",),
                f"none is among those of {other}: nodes and the control plane would not go by the "
                "same bundle; write the same keys in every stack",
            )


def _tenants(name: str, stack: RegionStack, others: Mapping[str, Stack]) -> Iterator[Found]:
    for other, held in others.items():
        if isinstance(held, ControlPlaneStack) or _region_of(other) != _region_of(name):
            continue
        elsewhere = {tenant.id for tenant in held.tenants}
        for number, tenant in enumerate(stack.tenants):
            if tenant.id in elsewhere:
                yield (
                    ("tenants", number, "id"),
                    f"{tenant.id!r} is in {other} too, in the same region: keep one",
                )


def _control_planes(stack: RegionStack, others: Mapping[str, Stack]) -> Iterator[Found]:
    planes = [held for held in others.values() if isinstance(held, ControlPlaneStack)]
    if not planes:
        return
    wanted = [url for plane in planes for url in replica_urls(plane)]
    for number, url in enumerate(stack.control_planes):
        if url not in wanted:
            near = get_close_matches(url, wanted, n=1, cutoff=0)
            yield (
                ("controlPlanes", number),
                f"the control plane has no replica {url}: did you mean {near[0]}?",
            )
    missing = [url for url in wanted if url not in stack.control_planes]
    if missing:
        yield (
            ("controlPlanes",),
            f"nodes beat to every replica of the control plane: add {', '.join(missing)}",
        )


def _node_secrets(stack: ControlPlaneStack, others: Mapping[str, Stack]) -> Iterator[Found]:
    known = sorted(other for other, held in others.items() if isinstance(held, RegionStack))
    for name in stack.node_secrets if known else ():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            yield ("nodeSecrets", name), f"there is no stack {name}: {hint}"


def _region_of(name: str) -> str:
    return name.partition(".")[0]


def _tenant_of(name: str) -> str | None:
    try:
        return parse_stack_name(name).tenant
    except ConfigError:
        return None
