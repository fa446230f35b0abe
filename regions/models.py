"""The catalogue's types: where Inland can run, which law binds whom, what a tenant adds to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from regions import coherence
from regions.errors import Fault, Faults, Path

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
"""An id that people write: lower case, digits, dot, dash, underscore."""
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""
Words = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
"""A sentence for people."""


class DataClass(StrEnum):
    """What kind of data a rule speaks of."""

    AUDIO = "audio"
    RECORDING = "recording"
    TRANSCRIPT = "transcript"
    VARIABLES = "variables"
    METRICS = "metrics"
    ROUTING = "routing"


class Operation(StrEnum):
    """What is done with it."""

    PROCESS = "process"
    STORE = "store"
    REPLICATE = "replicate"
    EXPORT = "export"


class Strict(BaseModel):
    """Immutable, refuses unknown keys, converts nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Term(Strict):
    """The days on which something holds, first and last included, by UTC. Open where not given."""

    valid_from: date | None = None
    valid_until: date | None = None

    def begun(self, on: date) -> bool:
        """Whether it holds on that day, or did before."""
        return self.valid_from is None or self.valid_from <= on

    def lapsed(self, on: date) -> bool:
        """Whether its last day is over."""
        return self.valid_until is not None and self.valid_until < on

    def in_force(self, on: date) -> bool:
        """Whether it holds on that day."""
        return self.begun(on) and not self.lapsed(on)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValueError("ends before it begins: correct `valid_from` or `valid_until`")
        return self


class Region(Strict):
    """A place where Inland can run."""

    id: Id
    name: Words
    cloud: Id
    country: CountryCode
    jurisdiction: Id
    """The body of law that holds where the machines stand."""
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    attributes: tuple[Id, ...] = ()
    """What a tenant may require of it: ``hipaa-baa``, ``dedicated``."""


class Alias(Strict):
    """What another cloud calls a place: no two of them number their regions alike."""

    cloud: Words
    names: tuple[Id, ...] = Field(min_length=1)
    """As that cloud spells it, and as people misspell it."""
    place: Words
    region: Id | None = None
    """The region of the catalogue that stands there, if one does."""

    def explain(self, name: str) -> str:
        """A sentence for whoever wrote ``name`` where a region of the catalogue was wanted."""
        here = f"here it is {self.region}" if self.region else "the catalogue has no region there"
        return f"{name} is {self.cloud}'s name for {self.place}: {here}"


class Jurisdiction(Strict):
    """A body of law, and the countries whose callers it binds."""

    id: Id
    name: Words
    """As it stands after "in": with an article where English wants one."""
    countries: tuple[CountryCode, ...] = Field(min_length=1)
    source: Words
    read_on: date
    """When the source was read: older readings deserve another look."""


class Rule(Term):
    """Where a jurisdiction lets some classes of data go, for some operations.

    It allows the named ``regions`` and every region that stands in one of ``in_jurisdictions``;
    an empty list allows nothing and says why. Rules that speak of the same data all bind: what
    one of them keeps out stays out.

    A rule both lets in and keeps out, and the two end differently, so that no lapse ever widens:
    after ``valid_until`` it lets nothing in, and goes on keeping out what it kept out until it is
    removed from the catalogue. Before ``valid_from`` it is not there.
    """

    jurisdiction: Id
    classes: tuple[DataClass, ...] = Field(min_length=1)
    operations: tuple[Operation, ...] = Field(min_length=1)
    regions: tuple[Id, ...] | None = None
    in_jurisdictions: tuple[Id, ...] | None = None
    unless_adequate: bool = False
    """Whether it gives way to an adequacy decision of its jurisdiction, which a tenant asked for.
    A rule that keeps data at home for a reason of its own does not."""
    source: Words
    reason: Words

    def binds(self, jurisdiction: str, data_class: DataClass, operation: Operation) -> bool:
        """Whether the rule speaks of this."""
        return (
            self.jurisdiction == jurisdiction
            and data_class in self.classes
            and operation in self.operations
        )

    def admits(self, region: Region) -> bool:
        """Whether the rule lets its data into ``region``."""
        return region.id in (self.regions or ()) or region.jurisdiction in (
            self.in_jurisdictions or ()
        )

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.regions is None and self.in_jurisdictions is None:
            raise ValueError("says nothing of where: add `regions` or `in_jurisdictions`")
        return self


class Sector(Strict):
    """A trade with law of its own, which a tenant declares to be in."""

    id: Id
    name: Words


class SectorRule(Term):
    """What a sector asks for besides the law: it takes regions away, and cannot add one.

    A region must have all ``attributes``, and be among ``regions`` or stand in one of
    ``in_jurisdictions`` where either is given. Before ``valid_from`` the rule is not there; after
    ``valid_until`` it binds on until it is removed, since its end would widen.
    """

    sector: Id
    jurisdiction: Id | None = None
    """Whose callers it is for; without it, everyone's."""
    classes: tuple[DataClass, ...] = Field(min_length=1)
    operations: tuple[Operation, ...] = Field(min_length=1)
    attributes: tuple[Id, ...] = ()
    regions: tuple[Id, ...] | None = None
    in_jurisdictions: tuple[Id, ...] | None = None
    source: Words
    reason: Words

    def binds(
        self,
        sectors: Collection[str],
        jurisdictions: Collection[str],
        data_class: DataClass,
        operation: Operation,
    ) -> bool:
        """Whether the rule speaks of this."""
        return (
            self.sector in sectors
            and (self.jurisdiction is None or self.jurisdiction in jurisdictions)
            and data_class in self.classes
            and operation in self.operations
        )

    def missing(self, region: Region) -> tuple[str, ...]:
        """The attributes that the rule requires and ``region`` lacks."""
        return tuple(name for name in self.attributes if name not in region.attributes)

    def stands(self, region: Region) -> bool:
        """Whether ``region`` is where the rule wants its data."""
        if self.regions is None and self.in_jurisdictions is None:
            return True
        return region.id in (self.regions or ()) or region.jurisdiction in (
            self.in_jurisdictions or ()
        )

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.attributes and self.regions is None and self.in_jurisdictions is None:
            raise ValueError("asks for nothing: add `attributes`, `regions` or `in_jurisdictions`")
        return self


class Adequacy(Term):
    """A jurisdiction's finding that data are as well protected in another as at home.

    It opens the other's regions for ``process`` alone, only past rules that say
    ``unless_adequate``, and only for tenants that ask for it. It is not there outside its dates.
    """

    jurisdiction: Id
    recognises: Id
    classes: tuple[DataClass, ...] = Field(min_length=1)
    except_sectors: tuple[Id, ...] = ()
    """Tenants in one of these cannot use it."""
    limits: Words | None = None
    """Whom or what it covers, where that is not everything: for the tenant's counsel."""
    source: Words
    decided_on: date

    def covers(
        self, jurisdiction: str, region: Region, data_class: DataClass, operation: Operation
    ) -> bool:
        """Whether the decision speaks of this."""
        return (
            operation is Operation.PROCESS
            and self.jurisdiction == jurisdiction
            and self.recognises == region.jurisdiction
            and data_class in self.classes
        )


class Catalogue(Strict):
    """Every region, jurisdiction and rule of one version of the world."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,31}$")]
    regions: tuple[Region, ...] = Field(min_length=1)
    jurisdictions: tuple[Jurisdiction, ...] = Field(min_length=1)
    rules: tuple[Rule, ...]
    aliases: tuple[Alias, ...] = ()
    sectors: tuple[Sector, ...] = ()
    sector_rules: tuple[SectorRule, ...] = ()
    adequacy: tuple[Adequacy, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The first 12 hex digits of the SHA-256 of the catalogue as canonical JSON."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def policy(self) -> str:
        """``version#digest``: nodes that differ in it do not serve each other's calls."""
        return f"{self.version}#{self.digest}"

    def region(self, region_id: str) -> Region:
        """The region of that id. Raises ``KeyError`` when there is none."""
        return self._regions[region_id]

    def jurisdiction(self, jurisdiction_id: str) -> Jurisdiction:
        """The jurisdiction of that id. Raises ``KeyError`` when there is none."""
        return self._jurisdictions[jurisdiction_id]

    def jurisdiction_of(self, country: str) -> str | None:
        """The id of the jurisdiction that binds callers in ``country`` (ISO 3166-1 alpha-2).

        None when the catalogue does not cover the country, which means that nothing is allowed.
        """
        return self._by_country.get(country)

    def alias(self, name: str) -> Alias | None:
        """What another cloud means by ``name``, or None when the catalogue knows of nothing."""
        return next((alias for alias in self.aliases if name in alias.names), None)

    def hint(self, name: str) -> str:
        """What to add to "no such region": empty, or the place that ``name`` means elsewhere."""
        alias = self.alias(name)
        return "" if alias is None else f" ({alias.explain(name)})"

    @cached_property
    def _regions(self) -> dict[str, Region]:
        return {region.id: region for region in self.regions}

    @cached_property
    def _jurisdictions(self) -> dict[str, Jurisdiction]:
        return {jurisdiction.id: jurisdiction for jurisdiction in self.jurisdictions}

    @cached_property
    def _by_country(self) -> dict[str, str]:
        return {country: law.id for law in self.jurisdictions for country in law.countries}

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        faults = tuple(coherence.faults(self))
        if faults:
            raise Faults(faults)
        return self


class Narrowing(Strict):
    """What a tenant's contract takes away. There is no way to write that it adds a region."""

    regions: tuple[Id, ...] | None = None
    """Only these, when given; an empty list allows nothing."""
    deny: tuple[Id, ...] = ()
    """Never these."""
    attributes: tuple[Id, ...] = ()
    """Only regions that have all of these."""


class TenantPolicy(Narrowing):
    """A tenant's narrowing for all data, and more of it for single data classes.

    ``adequacy`` is the only word of it that can open anything, and opens no more than the
    catalogue's adequacy decisions do.
    """

    sectors: tuple[Id, ...] = ()
    """The trades that the tenant is in: their rules bind besides the law."""
    adequacy: bool = False
    """Whether the tenant uses adequacy decisions, for ``process``."""
    classes: dict[DataClass, Narrowing] = Field(default_factory=dict)

    def faults(self, catalogue: Catalogue) -> Iterator[Fault]:
        """What the catalogue does not have, and where this policy names it.

        Whoever loads a policy refuses it when there is any: a slip in ``deny`` would leave the
        region that was meant open, one in ``sectors`` the sector's law aside.
        """
        parts: list[tuple[Path, Narrowing]] = [((), self)]
        parts += [(("classes", name.value), part) for name, part in self.classes.items()]
        known = {region.id for region in catalogue.regions}
        for where, part in parts:
            for key, names in (("regions", part.regions or ()), ("deny", part.deny)):
                for number, name in enumerate(names):
                    if name not in known:
                        words = f"the catalogue has no region {name!r}{catalogue.hint(name)}"
                        yield Fault((*where, key, number), words)
        sectors = [sector.id for sector in catalogue.sectors]
        for number, name in enumerate(self.sectors):
            if name not in sectors:
                words = (
                    f"the catalogue has no sector {name!r}: it has {', '.join(sectors) or 'none'}"
                )
                yield Fault(("sectors", number), words)
