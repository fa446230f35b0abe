"""Which regions may hold a caller's data: pure, deny by default, with a reason for each region."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from regions.geo import distance_km
from regions.models import Catalogue, DataClass, Narrowing, Operation, Region, TenantPolicy


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one region is allowed, and the rule that decided, in words."""

    region: str
    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The allowed set for one kind of data, and how it came about.

    ``jurisdictions`` is sorted; ``verdicts`` has every region of the catalogue in its order;
    ``allowed`` are the ids of those that were let in, in the same order. Empty means refuse.
    """

    jurisdictions: tuple[str, ...]
    data_class: DataClass
    operation: Operation
    verdicts: tuple[Verdict, ...]
    allowed: tuple[str, ...]


def allowed_set(
    catalogue: Catalogue,
    jurisdictions: Collection[str],
    tenant: TenantPolicy,
    data_class: DataClass,
    operation: Operation,
) -> Decision:
    """Intersect the law of every binding jurisdiction, then let the tenant narrow the result.

    No jurisdiction, an unknown one, or one without a rule for this data denies every region. The
    result does not depend on the order of ``jurisdictions``.
    """
    binding = tuple(sorted(set(jurisdictions)))
    verdicts = tuple(
        _verdict(catalogue, binding, tenant, data_class, operation, region)
        for region in catalogue.regions
    )
    allowed = tuple(verdict.region for verdict in verdicts if verdict.allowed)
    return Decision(binding, data_class, operation, verdicts, allowed)


def failover(catalogue: Catalogue, region_id: str) -> tuple[str, ...]:
    """The regions that may take a region's own callers when it is lost, the nearest first.

    Its own callers are those bound by the law of the place, whatever their tenant's contract takes
    away. Empty: when it is lost, they are refused. Raises ``KeyError`` for an unknown region.
    """
    home = catalogue.region(region_id)
    decision = allowed_set(
        catalogue, (home.jurisdiction,), TenantPolicy(), DataClass.AUDIO, Operation.PROCESS
    )
    others = [catalogue.region(name) for name in decision.allowed if name != region_id]
    others.sort(
        key=lambda there: distance_km(
            home.latitude, home.longitude, there.latitude, there.longitude
        )
    )
    return tuple(there.id for there in others)


def _verdict(
    catalogue: Catalogue,
    jurisdictions: tuple[str, ...],
    tenant: TenantPolicy,
    data_class: DataClass,
    operation: Operation,
    region: Region,
) -> Verdict:
    if not jurisdictions:
        return Verdict(region.id, False, "no jurisdiction is known, so nothing is allowed")
    place = catalogue.jurisdiction(region.jurisdiction).name
    reasons: list[str] = []
    for jurisdiction in jurisdictions:
        rules = [r for r in catalogue.rules if r.binds(jurisdiction, data_class, operation)]
        if not rules:
            what = f"{jurisdiction} has no rule that lets anyone {operation} {data_class}"
            return Verdict(region.id, False, what)
        for rule in rules:
            words = f"{rule.reason} ({rule.source})"
            if not rule.admits(region):
                return Verdict(region.id, False, f"in {place}: {words}")
            reasons.append(words)
    for narrowing in (tenant, tenant.classes.get(data_class)):
        refusal = None if narrowing is None else _refusal(narrowing, region)
        if refusal is not None:
            return Verdict(region.id, False, refusal)
    return Verdict(region.id, True, f"in {place}: {'; '.join(reasons)}")


def _refusal(tenant: Narrowing, region: Region) -> str | None:
    """Why the tenant's contract keeps ``region`` out, or None when it does not."""
    if tenant.regions is not None and region.id not in tenant.regions:
        return "the tenant's contract does not list this region"
    if region.id in tenant.deny:
        return "the tenant's contract denies this region"
    missing = [name for name in tenant.attributes if name not in region.attributes]
    if missing:
        return f"the tenant's contract requires {', '.join(missing)}"
    return None
