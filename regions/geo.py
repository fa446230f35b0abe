"""How far a caller is from a region, before anyone has measured a round trip."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from math import asin, cos, radians, sin, sqrt

from pydantic import Field

from regions.models import CountryCode, Strict, Words
from regions.strict_yaml import load_yaml

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""


class Country(Strict):
    """A country's name for people and the position of its capital, degrees."""

    name: Words
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class _Countries(Strict):
    countries: dict[CountryCode, Country]


def distance_km(
    latitude_1: float, longitude_1: float, latitude_2: float, longitude_2: float
) -> float:
    """The great-circle distance of two points in degrees, by the haversine formula."""
    phi_1, phi_2 = radians(latitude_1), radians(latitude_2)
    across = sin((phi_2 - phi_1) / 2) ** 2
    along = sin(radians(longitude_2 - longitude_1) / 2) ** 2
    chord = across + cos(phi_1) * cos(phi_2) * along
    # Rounding can lift the chord of two antipodes a hair above 1.
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, chord)))


def country_position(code: str) -> tuple[float, float] | None:
    """Latitude and longitude of the country's capital, or None when the table lacks it."""
    country = _countries().get(code)
    return None if country is None else (country.latitude, country.longitude)


def country_name(code: str) -> str | None:
    """The country's English name, or None when the table lacks it."""
    country = _countries().get(code)
    return None if country is None else country.name


def country_names() -> dict[str, str]:
    """Every country of the table: code to name, by code."""
    return {code: country.name for code, country in sorted(_countries().items())}


@cache
def _countries() -> dict[str, Country]:
    with as_file(files("regions") / "countries.yaml") as packaged:
        return load_yaml(packaged, _Countries).countries
