"""The catalogue that ships keeps each caller at home."""

import re
from datetime import date
from pathlib import Path

import pytest

from regions.catalogue import load_catalogue
from regions.errors import ConfigError
from regions.geo import country_names
from regions.models import DataClass, Operation, TenantPolicy
from regions.policy import allowed_set, failover

CATALOGUE = load_catalogue()
TODAY = date(2026, 11, 21)
HOME = {
    "eea": (
        "eu-central-1",
        "eu-west-1",
        "eu-west-3",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
    ),
    "uk": ("eu-west-2",),
    "in": ("ap-south-1", "ap-south-2"),
    "ae": ("me-central-1",),
    "bh": ("me-south-1",),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "kr": ("ap-northeast-2",),
    "sg": ("ap-southeast-1",),
    "au": ("ap-southeast-2", "ap-southeast-4"),
    "ca": ("ca-central-1", "ca-west-1"),
    "us": ("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    "br": ("sa-east-1",),
}
UNAVAILABLE = ("sa", "cn")


@pytest.mark.parametrize("law", HOME)
@pytest.mark.parametrize("data_class", DataClass)
@pytest.mark.parametrize("operation", Operation)
def test_no_class_of_data_leaves_home(
    law: str, data_class: DataClass, operation: Operation
) -> None:
    decision = allowed_set(CATALOGUE, (law,), TenantPolicy(), data_class, operation, on=TODAY)
    assert decision.allowed == (() if operation is Operation.EXPORT else HOME[law])


def test_every_region_and_every_law_is_claimed_here() -> None:
    assert {name for names in HOME.values() for name in names} == {r.id for r in CATALOGUE.regions}
    assert {*HOME, *UNAVAILABLE} == {law.id for law in CATALOGUE.jurisdictions}


@pytest.mark.parametrize("law", UNAVAILABLE)
@pytest.mark.parametrize("data_class", DataClass)
@pytest.mark.parametrize("operation", [op for op in Operation if op is not Operation.EXPORT])
def test_a_country_without_a_region_is_refused_with_the_reason(
    law: str, data_class: DataClass, operation: Operation
) -> None:
    decision = allowed_set(CATALOGUE, (law,), TenantPolicy(), data_class, operation, on=TODAY)
    assert decision.allowed == ()
    assert all("unavailable to callers in" in verdict.reason for verdict in decision.verdicts)


def test_every_rule_names_its_source() -> None:
    numbered = re.compile(r"Chapter|Article|section|Part|clause")
    assert all(numbered.search(rule.source) for rule in CATALOGUE.rules)


def test_health_information_of_a_tenant_with_a_baa_stays_in_the_united_states() -> None:
    health = TenantPolicy(attributes=("hipaa-baa",))
    for law in HOME:
        decision = allowed_set(
            CATALOGUE, (law,), health, DataClass.AUDIO, Operation.PROCESS, on=TODAY
        )
        assert decision.allowed == (HOME["us"] if law == "us" else ())


@pytest.mark.parametrize("law", HOME)
def test_a_lost_region_s_callers_go_to_the_others_at_home_or_nowhere(law: str) -> None:
    for region in HOME[law]:
        others = failover(CATALOGUE, region, on=TODAY)
        assert sorted(others) == sorted({*HOME[law]} - {region})


def test_six_countries_have_no_failover_of_their_own() -> None:
    alone = {
        region.country
        for region in CATALOGUE.regions
        if not failover(CATALOGUE, region.id, on=TODAY)
    }
    assert alone == {"GB", "AE", "BH", "BR", "SG", "KR"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("asia-northeast1", "Google Cloud's name for Tokyo: here it is ap-northeast-1"),
        ("asia-northeast-1", "Google Cloud's name for Tokyo: here it is ap-northeast-1"),
        ("asia-south-1", "Google Cloud's name for Mumbai: here it is ap-south-1"),
        ("me-central1", "Google Cloud's name for Doha in Qatar: the catalogue has no region there"),
    ],
)
def test_another_cloud_s_name_is_known_for_what_it_is(name: str, words: str) -> None:
    assert CATALOGUE.hint(name) == f" ({name} is {words})"


def test_aws_s_own_name_is_no_alias() -> None:
    assert CATALOGUE.region("me-central-1").country == "AE"
    assert CATALOGUE.hint("me-central-1") == ""


def test_two_laws_that_share_no_region_refuse_the_caller() -> None:
    decision = allowed_set(
        CATALOGUE, ("eea", "in"), TenantPolicy(), DataClass.AUDIO, Operation.PROCESS, on=TODAY
    )
    assert decision.allowed == ()


def test_the_eea_has_thirty_countries_and_norway_is_one() -> None:
    assert len(CATALOGUE.jurisdiction("eea").countries) == 30
    for country, law in {"NO": "eea", "DE": "eea", "GB": "uk", "IN": "in", "US": "us"}.items():
        assert CATALOGUE.jurisdiction_of(country) == law


@pytest.mark.parametrize("country", ["CH", "HK", "PR"])
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
    with pytest.raises(
        ConfigError,
        match=r"mine\.yaml:\d+: rules\[0\]\.in_jurisdictions\[1\]: names unknown jur.* 'mars'",
    ):
        load_catalogue(path)


def test_unquoted_norway_is_caught_in_the_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    packaged = Path(__file__).parents[2] / "regions" / "catalogue.yaml"
    path.write_text(packaged.read_text().replace('"NO"', "NO"))
    with pytest.raises(ConfigError, match='quote it "NO"'):
        load_catalogue(path)


def processed(law: str, tenant: TenantPolicy, on: date = TODAY) -> tuple[str, ...]:
    return allowed_set(CATALOGUE, (law,), tenant, DataClass.AUDIO, Operation.PROCESS, on=on).allowed


@pytest.mark.parametrize(
    ("law", "others"), [("eea", ("uk", "jp", "kr", "ca")), ("uk", ("eea",)), ("jp", ())]
)
def test_adequacy_opens_the_recognised_places_to_process(law: str, others: tuple[str, ...]) -> None:
    expected = {*HOME[law], *(name for other in others for name in HOME[other])}
    assert {*processed(law, TenantPolicy(adequacy=True))} == expected


def test_the_decision_on_the_united_kingdom_ends_with_2031() -> None:
    adequate = TenantPolicy(adequacy=True)
    assert "eu-west-2" in processed("eea", adequate, date(2031, 12, 27))
    assert "eu-west-2" not in processed("eea", adequate, date(2031, 12, 28))


def test_health_asks_for_a_baa_in_the_united_states_and_payments_for_an_attestation() -> None:
    assert processed("us", TenantPolicy(sectors=("health",))) == HOME["us"]
    assert processed("eea", TenantPolicy(sectors=("health",))) == HOME["eea"]
    assert processed("us", TenantPolicy(sectors=("payments",))) == ()
