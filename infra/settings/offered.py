"""What AWS offers where: instance types, cache nodes, zones. A table with the day it was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from regions.models import Id, Strict, Words
from regions.strict_yaml import load_yaml

Architecture = Literal["amd64", "arm64"]
"""As Debian names its images: ``arm64`` is Graviton."""
ZoneName = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,4}[0-9]-az[0-9]$")]
"""The id of an Availability Zone, the same in every account: ``euc1-az1``."""


@dataclass(frozen=True, slots=True)
class InstanceType:
    """Of EC2."""

    name: str
    vcpus: int
    memory_gib: int
    architecture: Architecture


class Family(Strict):
    """Instance types that differ in size only; a size is its vCPU and its memory in GiB."""

    architecture: Architecture
    sizes: dict[Id, tuple[int, int]] = Field(min_length=1)


class Offer(Strict):
    """What one region has."""

    zones: tuple[ZoneName, ...] = Field(min_length=2, max_length=3)
    families: tuple[Id, ...] = Field(min_length=1)
    cache_nodes: tuple[Id, ...] = Field(min_length=1)


class Offered(Strict):
    """The table. What is not in it was not checked, and is refused."""

    read_on: date
    sources: tuple[Words, ...] = Field(min_length=1)
    families: dict[Id, Family]
    regions: dict[Id, Offer]

    def instance_type(self, name: str) -> InstanceType:
        """The type called ``name`` (``c7g.xlarge``). Raises ``KeyError`` when it is not known."""
        family, _, size = name.partition(".")
        found = self.families[family]
        vcpus, memory = found.sizes[size]
        return InstanceType(name, vcpus, memory, found.architecture)

    def instance_types(self, region: str) -> tuple[str, ...]:
        """Every type that ``region`` has; none when the region is not in the table."""
        offer = self.regions.get(region)
        if offer is None:
            return ()
        return tuple(
            f"{family}.{size}" for family in offer.families for size in self.families[family].sizes
        )

    def refusal_of_instance(self, region: str, name: str) -> str | None:
        """Why a node in ``region`` cannot be a ``name``, with the cure; None when it can."""
        known = self.instance_types(region)
        return None if name in known else self._refusal(region, name, known)

    def refusal_of_cache(self, region: str, name: str) -> str | None:
        """Why the store in ``region`` cannot run on ``name``, with the cure; None when it can."""
        offer = self.regions.get(region)
        known = () if offer is None else offer.cache_nodes
        return None if name in known else self._refusal(region, name, known)

    def _refusal(self, region: str, name: str, known: tuple[str, ...]) -> str:
        if not known:
            return (
                f"nothing is known of what {region} offers (table of {self.read_on}): "
                "add the region to a copy of offered.yaml and give it with --offered"
            )
        close = get_close_matches(name, known, n=1, cutoff=0.4) or [known[0]]
        return (
            f"{name} is not offered in {region}, as far as was checked on {self.read_on}: take "
            f"{close[0]}, or see the console and add it to a copy of offered.yaml (--offered)"
        )

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        named = {family for offer in self.regions.values() for family in offer.families}
        unknown = sorted(named - {*self.families})
        if unknown:
            raise ValueError(f"no sizes are given for {', '.join(unknown)}: add them to families")
        return self


def load_offered(path: Path | None = None) -> Offered:
    """The table in ``path``, or the one that comes with Inland. Raises ``ConfigError``."""
    if path is not None:
        return load_yaml(path, Offered)
    with as_file(files("infra.settings") / "offered.yaml") as packaged:
        return load_yaml(packaged, Offered)
