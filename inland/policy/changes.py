"""What a bundle changes of what is allowed: pure, asked of the algebra itself.

Each tenant with a contract in either bundle is asked about, and a tenant without one; under each
jurisdiction, and for each country that another law binds from now on; for each class of data and
each operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from regions.bundle import Body
from regions.law import UNBOUND
from regions.models import Catalogue, DataClass, Operation, TenantPolicy
from regions.policy import allowed_set


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data is asked about: callers under a jurisdiction, or of a country that changed it."""

    words: str
    before: str | None
    """The jurisdiction that binds by the old bundle; None: no law of it does."""
    after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Regions that one kind of data loses or wins. ``tenant`` is None for all without contract."""

    tenant: str | None
    subject: Subject
    data_class: DataClass
    operation: Operation
    loses: tuple[str, ...]
    wins: tuple[str, ...]


def changes(old: Body, new: Body, *, on: date) -> Iterator[Change]:
    """Everything that ``new`` allows and ``old`` does not on that day, and the reverse."""
    same_catalogue = old.catalogue == new.catalogue
    seen: dict[tuple[str, str], list[Change]] = {}
    for tenant in (None, *sorted({*old.contracts, *new.contracts})):
        before = UNBOUND if tenant is None else old.contracts.get(tenant, UNBOUND)
        after = UNBOUND if tenant is None else new.contracts.get(tenant, UNBOUND)
        if same_catalogue and before == after:
            continue
        key = (before.model_dump_json(), after.model_dump_json())
        if key not in seen:
            seen[key] = list(_of_contract(old.catalogue, new.catalogue, before, after, on))
        for found in seen[key]:
            yield Change(
                tenant, found.subject, found.data_class, found.operation, found.loses, found.wins
            )


def places(old: Catalogue, new: Catalogue) -> Iterator[str]:
    """What a region itself is from now on, in words: a rule that names it means another place."""
    before = {region.id: region for region in old.regions}
    for region in new.regions:
        was = before.get(region.id)
        if was is None or was == region:
            continue
        for name in ("country", "jurisdiction", "cloud", "attributes"):
            one, other = getattr(was, name), getattr(region, name)
            if one != other:
                yield f"{region.id}: {name} {_said(one)} becomes {_said(other)}"


def replica_keys(old: Body, new: Body) -> Iterator[str]:
    """Which regions' replica keys come, go or change, in words."""
    for region in sorted({*old.replica_keys, *new.replica_keys}):
        one, other = old.replica_keys.get(region), new.replica_keys.get(region)
        if one != other:
            what = "is added" if one is None else "is taken away" if other is None else "changes"
            yield f"replica key of {region} {what}"


def subjects(old: Catalogue, new: Catalogue) -> Iterator[Subject]:
    """Jurisdictions of either, then countries that another one binds from now on."""
    laws = dict.fromkeys(law.id for law in (*old.jurisdictions, *new.jurisdictions))
    known_before = {law.id for law in old.jurisdictions}
    known_after = {law.id for law in new.jurisdictions}
    for law in laws:
        yield Subject(
            law, law if law in known_before else None, law if law in known_after else None
        )
    countries = {
        country: None
        for law in (*old.jurisdictions, *new.jurisdictions)
        for country in law.countries
    }
    for country in sorted(countries):
        before, after = old.jurisdiction_of(country), new.jurisdiction_of(country)
        if before != after:
            yield Subject(f"{country} ({before or 'no law'} to {after or 'no law'})", before, after)


def _of_contract(
    old: Catalogue, new: Catalogue, before: TenantPolicy, after: TenantPolicy, on: date
) -> Iterator[Change]:
    for subject in subjects(old, new):
        for data_class in DataClass:
            for operation in Operation:
                had = _allowed(old, subject.before, before, data_class, operation, on)
                has = _allowed(new, subject.after, after, data_class, operation, on)
                loses = tuple(region for region in had if region not in has)
                wins = tuple(region for region in has if region not in had)
                if loses or wins:
                    yield Change(None, subject, data_class, operation, loses, wins)


def _allowed(
    catalogue: Catalogue,
    law: str | None,
    contract: TenantPolicy,
    data_class: DataClass,
    operation: Operation,
    on: date,
) -> tuple[str, ...]:
    laws = () if law is None else (law,)
    return allowed_set(catalogue, laws, contract, data_class, operation, on=on).allowed


def _said(value: object) -> str:
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)
