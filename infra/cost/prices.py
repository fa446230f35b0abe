"""The price table: US dollars on demand, per region, with where and when each figure was read."""

from __future__ import annotations

from datetime import date
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from regions.errors import ConfigError
from regions.models import Id, Strict, Words
from regions.strict_yaml import load_yaml

Usd = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
SIZES = {
    "nano": 1 / 16,
    "micro": 1 / 8,
    "small": 1 / 4,
    "medium": 1 / 2,
    "large": 1,
    "xlarge": 2,
    "2xlarge": 4,
    "4xlarge": 8,
    "8xlarge": 16,
    "12xlarge": 24,
    "16xlarge": 32,
    "24xlarge": 48,
}
"""What a size costs, in ``large`` of the same family."""


class Source(Strict):
    """Where figures were read: the page or record, its day as far as known, and which figures."""

    title: Words
    date: Words
    covers: Words


class Marked(Strict):
    """Prices, some of which nobody has read again."""

    unconfirmed: tuple[Id, ...] = ()
    """Names of entries that no record was read for."""

    def confirmed(self, *entries: str) -> bool:
        """Whether all of these entries were read somewhere."""
        return not set(entries) & {*self.unconfirmed}

    @model_validator(mode="after")
    def _marks_its_own(self) -> Self:
        unknown = sorted({*self.unconfirmed} - {*type(self).model_fields})
        if unknown:
            raise ValueError(f"unconfirmed names no entry: {', '.join(unknown)}")
        return self


class Everywhere(Marked):
    """What costs the same in all regions. A month is 730 hours."""

    public_ipv4_hour: Usd
    dedicated_region_hour: Usd
    dedicated_factor: Annotated[float, Field(ge=1, le=10)]
    metric_month: Usd
    alarm_month: Usd
    dashboard_month: Usd
    key_month: Usd
    key_requests_10k: Usd
    secret_month: Usd
    zone_month: Usd
    queries_million: Usd
    health_check_month: Usd
    wildcard_certificate: Usd
    certificate_days: int = Field(ge=1, le=400)


class RegionPrices(Marked):
    """What differs from region to region."""

    instances: dict[Id, Usd]
    """Family to the price of its ``large`` an hour, Linux, shared hardware."""
    cache_nodes: dict[Id, Usd]
    """Valkey, an hour."""
    data_out_gb: Usd
    """To the internet, first 10 TB of a month; what goes beyond costs less."""
    disk_gb_month: Usd
    """EBS gp3 with the throughput that is included."""
    nlb_hour: Usd
    nlb_unit_hour: Usd
    alb_hour: Usd
    alb_unit_hour: Usd
    endpoint_hour: Usd
    """An interface endpoint in one zone."""
    endpoint_gb: Usd
    logs_gb: Usd
    """Taken in by CloudWatch Logs, flow logs too."""
    logs_gb_month: Usd
    objects_gb_month: Usd
    """S3 Standard."""
    puts_thousand: Usd

    def instance_hour(self, name: str) -> float:
        """A node called ``c7g.xlarge``, an hour. Raises ``KeyError`` when there is no price."""
        family, _, size = name.partition(".")
        return self.instances[family] * SIZES[size]


class Prices(Strict):
    """The table."""

    read_on: date
    sources: tuple[Source, ...] = Field(min_length=1)
    everywhere: Everywhere
    regions: dict[Id, RegionPrices]

    def region(self, region: str) -> RegionPrices:
        """The prices of one region. Raises ``ConfigError`` when there are none."""
        if region not in self.regions:
            known = ", ".join(sorted(self.regions))
            raise ConfigError(
                f"no prices are known for {region}, only for {known}: give a table that has it "
                "with --prices"
            )
        return self.regions[region]


def load_prices(path: Path | None = None) -> Prices:
    """The table in ``path``, or the one that comes with Inland. Raises ``ConfigError``."""
    if path is not None:
        return load_yaml(path, Prices)
    with as_file(files("infra.cost") / "prices.yaml") as packaged:
        return load_yaml(packaged, Prices)
