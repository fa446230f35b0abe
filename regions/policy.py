"""Which regions may hold a caller's data: pure, deny by default, with a reason for each region."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime

from regions.geo import distance_km
from regions.models import (
    Catalogue,
    DataClass,
    Narrowing,
    Operation,
    Region,
    Rule,
    SectorRule,
    TenantPolicy,
)


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
    ``policy`` is the catalogue's ``version#digest``, ``on`` the day (UTC) it was asked about.
    """

    jurisdictions: tuple[str, ...]
    data_class: DataClass
    operation: Operation
    verdicts: tuple[Verdict, ...]
    allowed: tuple[str, ...]
    policy: str
    on: date


@dataclass(frozen=True, slots=True)
class _Question:
    catalogue: Catalogue
    jurisdictions: tuple[str, ...]
    tenant: TenantPolicy
    data_class: DataClass
    operation: Operation
    on: date


def allowed_set(
    catalogue: Catalogue,
    jurisdictions: Collection[str],
    tenant: TenantPolicy,
    data_class: DataClass,
    operation: Operation,
    *,
    on: date,
) -> Decision:
    """Intersect the law of every binding jurisdiction, then that of the tenant's sectors, then let
    the tenant's contract narrow the result.

    No jurisdiction, an unknown one, or one without a rule in force for this data denies every
    region. The result does not depend on the order of ``jurisdictions``.
    """
    binding = tuple(sorted(set(jurisdictions)))
    asked = _Question(catalogue, binding, tenant, data_class, operation, on)
    verdicts = tuple(_verdict(asked, region) for region in catalogue.regions)
    allowed = tuple(verdict.region for verdict in verdicts if verdict.allowed)
    return Decision(binding, data_class, operation, verdicts, allowed, catalogue.policy, on)


def day_of(unix_s: float) -> date:
    """The day (UTC) of a time, for :func:`allowed_set`."""
    return datetime.fromtimestamp(unix_s, UTC).date()


def failover(catalogue: Catalogue, region_id: str, *, on: date) -> tuple[str, ...]:
    """The regions that may take a region's own callers when it is lost, the nearest first.

    Its own callers are those bound by the law of the place, whatever their tenant's contract takes
    away. Empty: when it is lost, they are refused. Raises ``KeyError`` for an unknown region.
    """
    home = catalogue.region(region_id)
    decision = allowed_set(
        catalogue, (home.jurisdiction,), TenantPolicy(), DataClass.AUDIO, Operation.PROCESS, on=on
    )
    others = [catalogue.region(name) for name in decision.allowed if name != region_id]
    others.sort(
        key=lambda there: distance_km(
            home.latitude, home.longitude, there.latitude, there.longitude
        )
    )
    return tuple(there.id for there in others)


def _verdict(asked: _Question, region: Region) -> Verdict:
    if not asked.jurisdictions:
        return Verdict(region.id, False, "no jurisdiction is known, so nothing is allowed")
    place = asked.catalogue.jurisdiction(region.jurisdiction).name
    reasons: list[str] = []
    for jurisdiction in asked.jurisdictions:
        refusal = _law(asked, jurisdiction, region, reasons)
        if refusal is not None:
            return Verdict(region.id, False, refusal)
    for rule in asked.catalogue.sector_rules:
        refusal = _sector(asked, rule, region)
        if refusal is not None:
            return Verdict(region.id, False, refusal)
    tenant = asked.tenant
    for narrowing in (tenant, tenant.classes.get(asked.data_class)):
        refusal = None if narrowing is None else _refusal(narrowing, region)
        if refusal is not None:
            return Verdict(region.id, False, refusal)
    return Verdict(region.id, True, f"in {place}: {'; '.join(reasons)}")


def _law(asked: _Question, jurisdiction: str, region: Region, reasons: list[str]) -> str | None:
    """Why ``jurisdiction`` keeps ``region`` out; or None, and its ``reasons`` for letting it in."""
    what = f"{asked.operation} {asked.data_class}"
    spoken = [
        rule
        for rule in asked.catalogue.rules
        if rule.binds(jurisdiction, asked.data_class, asked.operation) and rule.begun(asked.on)
    ]
    if not spoken:
        return f"{jurisdiction} has no rule that lets anyone {what}"
    place = asked.catalogue.jurisdiction(region.jurisdiction).name
    for rule in spoken:
        words = f"{rule.reason} ({rule.source})"
        if rule.admits(region):
            pass
        elif rule.lapsed(asked.on):
            return f"in {place}: {words}; it lapsed after {rule.valid_until}, and keeps out still"
        else:
            found = _adequate(asked, rule, region) if rule.unless_adequate else None
            if found is None:
                return f"in {place}: {words}"
            words = found
        if not rule.lapsed(asked.on):
            reasons.append(words)
    if all(rule.lapsed(asked.on) for rule in spoken):
        last = max(rule.valid_until for rule in spoken if rule.valid_until is not None)
        return f"{jurisdiction} lets nobody {what} since its rules lapsed after {last}"
    return None


def _adequate(asked: _Question, rule: Rule, region: Region) -> str | None:
    """The adequacy decision that opens ``region`` past ``rule``, in words; or None."""
    if not asked.tenant.adequacy:
        return None
    for decision in asked.catalogue.adequacy:
        if (
            decision.covers(rule.jurisdiction, region, asked.data_class, asked.operation)
            and decision.in_force(asked.on)
            and not {*decision.except_sectors} & {*asked.tenant.sectors}
        ):
            limits = f", for {decision.limits}" if decision.limits else ""
            return f"found adequate by {rule.jurisdiction} ({decision.source}){limits}"
    return None


def _sector(asked: _Question, rule: SectorRule, region: Region) -> str | None:
    """Why the law of a sector keeps ``region`` out, or None when it does not."""
    sectors, laws = asked.tenant.sectors, asked.jurisdictions
    if not rule.binds(sectors, laws, asked.data_class, asked.operation):
        return None
    if not rule.begun(asked.on):
        return None
    words = f"{rule.reason} ({rule.source})"
    missing = rule.missing(region)
    if missing:
        return f"sector {rule.sector} requires {', '.join(missing)}: {words}"
    return (
        None if rule.stands(region) else f"sector {rule.sector} keeps its data elsewhere: {words}"
    )


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
