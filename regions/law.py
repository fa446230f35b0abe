"""The law in force: the catalogue, and what the tenants' contracts take away from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from regions.models import Catalogue, DataClass, Narrowing, TenantPolicy

UNBOUND = TenantPolicy()
"""No contract: the law alone, without adequacy."""


@dataclass(frozen=True)
class Law:
    """What every decision of one moment is made by.

    ``serial`` counts the operator's signed bundles; 0 is the catalogue that a program started with.
    ``contracts`` maps tenants to their contracts, ``replica_keys`` regions to the X25519 public
    keys (32 bytes) that their replicas are sealed for.
    """

    catalogue: Catalogue
    contracts: Mapping[str, TenantPolicy] = field(default_factory=lambda: MappingProxyType({}))
    replica_keys: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    serial: int = 0

    @cached_property
    def policy(self) -> str:
        """``version#digest`` of the catalogue and the contracts; of the catalogue alone without.

        Pinned by tokens, tags and receipts.
        """
        if not self.contracts:
            return self.catalogue.policy
        contracts = {
            name: policy.model_dump(mode="json") for name, policy in self.contracts.items()
        }
        text = json.dumps([self.catalogue.digest, contracts], sort_keys=True, separators=(",", ":"))
        return f"{self.catalogue.version}#{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def contract(self, tenant: str) -> TenantPolicy:
        """The tenant's contract, as far as a bundle brought one."""
        return self.contracts.get(tenant, UNBOUND)


def formerly(
    before: Mapping[str, float], policy: str, *, now: float, grace: float
) -> dict[str, float]:
    """Policies that were in force a moment ago, with when their grace ends: those of ``before``
    that still have some, and ``policy``, which another one replaces. All are seconds of one clock.
    """
    return {each: until for each, until in before.items() if now < until} | {policy: now + grace}


def both(one: TenantPolicy, other: TenantPolicy) -> TenantPolicy:
    """A policy that allows what both allow, and nothing else.

    The order does not matter to what is allowed. Adequacy opens something, so both must want it.
    """
    narrowed = _both(one, other)
    classes = {
        data_class: _both(
            one.classes.get(data_class, _NOTHING_TAKEN),
            other.classes.get(data_class, _NOTHING_TAKEN),
        )
        for data_class in DataClass
        if data_class in one.classes or data_class in other.classes
    }
    return TenantPolicy(
        regions=narrowed.regions,
        deny=narrowed.deny,
        attributes=narrowed.attributes,
        sectors=_union(one.sectors, other.sectors),
        adequacy=one.adequacy and other.adequacy,
        classes=classes,
    )


_NOTHING_TAKEN = Narrowing()


def _both(one: Narrowing, other: Narrowing) -> Narrowing:
    regions = one.regions if other.regions is None else other.regions
    if one.regions is not None and other.regions is not None:
        regions = tuple(region for region in one.regions if region in other.regions)
    return Narrowing(
        regions=regions,
        deny=_union(one.deny, other.deny),
        attributes=_union(one.attributes, other.attributes),
    )


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))
