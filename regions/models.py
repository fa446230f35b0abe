"""The catalogue's types: where Inland can run, which law binds whom, what a tenant adds to it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

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


class Rule(Strict):
    """Where a jurisdiction lets some classes of data go, for some operations.

    It allows the named ``regions`` and every region that stands in one of ``in_jurisdictions``;
    an empty list allows nothing and says why. Rules that speak of the same data all bind: what
    one of them keeps out stays out.
    """

    jurisdiction: Id
    classes: tuple[DataClass, ...] = Field(min_length=1)
    operations: tuple[Operation, ...] = Field(min_length=1)
    regions: tuple[Id, ...] | None = None
    in_jurisdictions: tuple[Id, ...] | None = None
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


class Catalogue(Strict):
    """Every region, jurisdiction and rule of one version of the world."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,31}$")]
    regions: tuple[Region, ...] = Field(min_length=1)
    jurisdictions: tuple[Jurisdiction, ...] = Field(min_length=1)
    rules: tuple[Rule, ...]
    aliases: tuple[Alias, ...] = ()

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
        problems = [*self._repeated(), *self._dangling()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _repeated(self) -> Iterable[str]:
        for what, ids in (
            ("region", [region.id for region in self.regions]),
            ("jurisdiction", [law.id for law in self.jurisdictions]),
            ("alias", [name for alias in self.aliases for name in alias.names]),
        ):
            yield from (f"{what} {name!r} is listed twice" for name in _twice(ids))
        countries = [country for law in self.jurisdictions for country in law.countries]
        for country in _twice(countries):
            laws = ", ".join(law.id for law in self.jurisdictions if country in law.countries)
            yield f"country {country!r} is listed twice (in {laws}): one jurisdiction binds it"

    def _dangling(self) -> Iterable[str]:
        for region in self.regions:
            law = self._by_country.get(region.country)
            if region.jurisdiction not in self._jurisdictions:
                yield f"region {region.id!r} names unknown jurisdiction {region.jurisdiction!r}"
            elif law != region.jurisdiction:
                yield (
                    f"region {region.id!r} stands in {region.country!r}, which is not a country "
                    f"of its jurisdiction {region.jurisdiction!r}"
                )
        for number, rule in enumerate(self.rules):
            named = (rule.jurisdiction, *(rule.in_jurisdictions or ()))
            for name in sorted({*named} - {*self._jurisdictions}):
                yield f"rules[{number}] names unknown jurisdiction {name!r}"
            for name in sorted({*(rule.regions or ())} - {*self._regions}):
                yield f"rules[{number}] allows unknown region {name!r}"
        for alias in self.aliases:
            if alias.region is not None and alias.region not in self._regions:
                yield f"alias {alias.names[0]!r} names unknown region {alias.region!r}"
            for name in sorted({*alias.names} & {*self._regions}):
                yield f"alias {name!r} is a region of this catalogue"


class Narrowing(Strict):
    """What a tenant's contract takes away. There is no way to write that it adds a region."""

    regions: tuple[Id, ...] | None = None
    """Only these, when given; an empty list allows nothing."""
    deny: tuple[Id, ...] = ()
    """Never these."""
    attributes: tuple[Id, ...] = ()
    """Only regions that have all of these."""


class TenantPolicy(Narrowing):
    """A tenant's narrowing for all data, and more of it for single data classes."""

    classes: dict[DataClass, Narrowing] = Field(default_factory=dict)

    def unknown_regions(self, catalogue: Catalogue) -> tuple[str, ...]:
        """Region ids that the catalogue does not have, sorted.

        Whoever loads a policy refuses it when there are any: a slip in ``deny`` would leave the
        region that was meant open.
        """
        parts = (self, *self.classes.values())
        named = {name for part in parts for name in (*(part.regions or ()), *part.deny)}
        return tuple(sorted(named - {region.id for region in catalogue.regions}))


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
