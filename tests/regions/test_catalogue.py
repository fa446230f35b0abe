"""The catalogue that ships keeps each caller at home."""

from pathlib import Path

import pytest

from regions.catalogue import load_catalogue
from regions.errors import ConfigError
from regions.geo import country_names
from regions.models import DataClass, Operation, TenantPolicy
from regions.policy import allowed_set

CATALOGUE = load_catalogue()
HOME = {
    "eea": ("eu-central-1", "eu-west-1"),
    "in": ("ap-south-1", "ap-south-2"),
    "ae": ("me-central-1",),
}


@pytest.mark.parametrize("law", HOME)
@pytest.mark.parametrize("data_class", DataClass)
@pytest.mark.parametrize("operation", Operation)
def test_no_class_of_data_leaves_home(
    law: str, data_class: DataClass, operation: Operation
) -> None:
    decision = allowed_set(CATALOGUE, (law,), TenantPolicy(), data_class, operation)
    assert decision.allowed == (() if operation is Operation.EXPORT else HOME[law])


def test_two_laws_that_share_no_region_refuse_the_caller() -> None:
    decision = allowed_set(
        CATALOGUE, ("eea", "in"), TenantPolicy(), DataClass.AUDIO, Operation.PROCESS
    )
    assert decision.allowed == ()


def test_the_eea_has_thirty_countries_and_norway_is_one() -> None:
    assert len(CATALOGUE.jurisdiction("eea").countries) == 30
    for country, law in {"NO": "eea", "DE": "eea", "IN": "in", "AE": "ae"}.items():
        assert CATALOGUE.jurisdiction_of(country) == law


@pytest.mark.parametrize("country", ["GB", "CH", "US"])
def test_a_country_outside_every_jurisdiction_is_covered_by_none(country: str) -> None:
    assert CATALOGUE.jurisdiction_of(country) is None


def test_every_covered_country_has_a_name() -> None:
    covered = {country for law in CATALOGUE.jurisdictions for country in law.countries}
    assert covered <= {*country_names()}


def test_another_catalogue_is_read_from_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_catalogue(tmp_path / "none.yaml")
    path = tmp_path / "mine.yaml"
    packaged = Path(__file__).parents[2] / "regions" / "catalogue.yaml"
    path.write_text(packaged.read_text().replace("[eea]", "[eea, mars]", 1))
    with pytest.raises(ConfigError, match=r"mine\.yaml:\d+: rules\[0\] names unknown jur.* 'mars'"):
        load_catalogue(path)


def test_unquoted_norway_is_caught_in_the_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    packaged = Path(__file__).parents[2] / "regions" / "catalogue.yaml"
    path.write_text(packaged.read_text().replace('"NO"', "NO"))
    with pytest.raises(ConfigError, match='quote it "NO"'):
        load_catalogue(path)
