"""Whether the parts of a catalogue fit together: nothing twice, nothing that is not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from regions.errors import Fault, Path

if TYPE_CHECKING:
    from regions.models import Adequacy, Catalogue, Rule, SectorRule


def faults(catalogue: Catalogue) -> Iterator[Fault]:
    """Everything that does not fit, and at which key."""
    yield from _repeated(catalogue)
    for number, region in enumerate(catalogue.regions):
        law = catalogue.jurisdiction_of(region.country)
        where: Path = ("regions", number, "jurisdiction")
        if region.jurisdiction not in {found.id for found in catalogue.jurisdictions}:
            words = f"region {region.id!r} names unknown jurisdiction {region.jurisdiction!r}"
            yield Fault(where, words)
        elif law != region.jurisdiction:
            yield Fault(
                where,
                f"region {region.id!r} stands in {region.country!r}, which is not a country "
                f"of its jurisdiction {region.jurisdiction!r}",
            )
    for number, rule in enumerate(catalogue.rules):
        yield from _of_rule(catalogue, ("rules", number), rule)
    for number, sector_rule in enumerate(catalogue.sector_rules):
        yield from _of_rule(catalogue, ("sector_rules", number), sector_rule)
    for number, decision in enumerate(catalogue.adequacy):
        yield from _of_adequacy(catalogue, ("adequacy", number), decision)
    known = {region.id for region in catalogue.regions}
    for number, alias in enumerate(catalogue.aliases):
        if alias.region is not None and alias.region not in known:
            words = f"alias {alias.names[0]!r} names unknown region {alias.region!r}"
            yield Fault(("aliases", number, "region"), words)
        for name in sorted({*alias.names} & known):
            words = f"alias {name!r} is a region of this catalogue"
            yield Fault(("aliases", number, "names"), words)


def _repeated(catalogue: Catalogue) -> Iterator[Fault]:
    ids: Sequence[tuple[str, list[tuple[Path, str]]]] = (
        ("region", [(("regions", i, "id"), r.id) for i, r in enumerate(catalogue.regions)]),
        (
            "jurisdiction",
            [(("jurisdictions", i, "id"), law.id) for i, law in enumerate(catalogue.jurisdictions)],
        ),
        (
            "alias",
            [
                (("aliases", i, "names", j), name)
                for i, alias in enumerate(catalogue.aliases)
                for j, name in enumerate(alias.names)
            ],
        ),
        ("sector", [(("sectors", i, "id"), s.id) for i, s in enumerate(catalogue.sectors)]),
    )
    for what, places in ids:
        for where, name, _ in _again(places):
            yield Fault(where, f"{what} {name!r} is listed twice")
    countries: list[tuple[Path, str]] = [
        (("jurisdictions", i, "countries", j), country)
        for i, law in enumerate(catalogue.jurisdictions)
        for j, country in enumerate(law.countries)
    ]
    for where, country, first in _again(countries):
        laws = sorted({catalogue.jurisdictions[int(p[1])].id for p in (first, where)})
        words = f"country {country!r} is listed twice (in {', '.join(laws)})"
        yield Fault(where, f"{words}: one jurisdiction binds it")


def _again(places: list[tuple[Path, str]]) -> Iterator[tuple[Path, str, Path]]:
    """Each name that was there before: where it is again, the name, where it was first."""
    seen: dict[str, Path] = {}
    for where, name in places:
        if name in seen:
            yield where, name, seen[name]
        seen.setdefault(name, where)


def _of_rule(catalogue: Catalogue, where: Path, rule: Rule | SectorRule) -> Iterator[Fault]:
    laws = {law.id for law in catalogue.jurisdictions}
    if rule.jurisdiction is not None and rule.jurisdiction not in laws:
        words = f"names unknown jurisdiction {rule.jurisdiction!r}"
        yield Fault((*where, "jurisdiction"), words)
    for number, name in enumerate(rule.in_jurisdictions or ()):
        if name not in laws:
            words = f"names unknown jurisdiction {name!r}"
            yield Fault((*where, "in_jurisdictions", number), words)
    known = {region.id for region in catalogue.regions}
    for number, name in enumerate(rule.regions or ()):
        if name not in known:
            words = f"allows unknown region {name!r}{catalogue.hint(name)}"
            yield Fault((*where, "regions", number), words)
    sector = getattr(rule, "sector", None)
    if sector is not None and sector not in {found.id for found in catalogue.sectors}:
        yield Fault((*where, "sector"), f"names unknown sector {sector!r}")


def _of_adequacy(catalogue: Catalogue, where: Path, decision: Adequacy) -> Iterator[Fault]:
    laws = {law.id for law in catalogue.jurisdictions}
    for key, name in (
        ("jurisdiction", decision.jurisdiction),
        ("recognises", decision.recognises),
    ):
        if name not in laws:
            yield Fault((*where, key), f"names unknown jurisdiction {name!r}")
    if decision.jurisdiction == decision.recognises:
        yield Fault((*where, "recognises"), "a jurisdiction needs no decision on itself")
    sectors = {found.id for found in catalogue.sectors}
    for number, name in enumerate(decision.except_sectors):
        if name not in sectors:
            yield Fault((*where, "except_sectors", number), f"names unknown sector {name!r}")
