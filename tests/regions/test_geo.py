"""Distances are those of a globe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.catalogue import load_catalogue
from regions.geo import country_name, country_names, country_position, distance_km

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        ((0.0, 0.0), (0.0, 180.0), 20015.1),  # half the equator, on the mean sphere
        ((90.0, 0.0), (-90.0, 77.0), 20015.1),  # pole to pole
        ((0.0, 0.0), (0.0, 1.0), 111.19),  # a degree of the equator
        ((60.0, 10.0), (60.0, 10.0), 0.0),
        ((0.0, 179.5), (0.0, -179.5), 111.19),  # across the date line
    ],
)
def test_known_distances(a: tuple[float, float], b: tuple[float, float], km: float) -> None:
    assert distance_km(*a, *b) == pytest.approx(km, abs=0.1)


@given(latitudes, longitudes, latitudes, longitudes)
def test_distance_is_symmetric_and_at_most_half_around(
    lat_1: float, lon_1: float, lat_2: float, lon_2: float
) -> None:
    there = distance_km(lat_1, lon_1, lat_2, lon_2)
    assert 0 <= there <= 20015.2
    assert there == pytest.approx(distance_km(lat_2, lon_2, lat_1, lon_1), abs=1e-6)


@pytest.mark.parametrize(
    "code", ["IN", "AE", "GB", "US", "CH", "SA", "JP", "BR", "AU", "CA", "SG", "KR", "ZA", "TR"]
)
def test_the_table_has_the_country(code: str) -> None:
    assert country_position(code) is not None


def test_the_table_has_every_covered_country() -> None:
    for law in load_catalogue().jurisdictions:
        assert all(country_position(code) is not None for code in law.countries)


def test_an_unknown_country_has_no_position_and_no_name() -> None:
    assert country_position("ZZ") is None
    assert country_name("ZZ") is None


def test_names_are_for_people() -> None:
    assert country_name("NO") == "Norway"
    assert list(country_names()) == sorted(country_names())


def test_frankfurt_is_nearer_to_germany_than_dublin() -> None:
    catalogue = load_catalogue()
    position = country_position("DE")
    assert position is not None
    near, far = (catalogue.region(name) for name in ("eu-central-1", "eu-west-1"))
    assert distance_km(*position, near.latitude, near.longitude) < distance_km(
        *position, far.latitude, far.longitude
    )
