from __future__ import annotations

import re
from pathlib import Path

import pytest

from regions.catalogue import load_catalogue
from regions.errors import ConfigError
from regions.models import DataClass
from regions.providers import Providers, load_providers, unknown_regions
from regions.strict_yaml import parse_yaml

FILE = """
providers:
  - id: words-frankfurt
    purposes: [model]
    endpoints: ["https://eu.models.example", "https://eu.models.example:8443/"]
    region: eu-central-1
    operator: {name: Models Europe GmbH, country: "DE"}
    data_classes: [transcript]
    needs_key: true
  - id: visits
    purposes: [tool]
    endpoints: ["https://visits.example"]
    region: eu-west-1
    operator: {name: Visits Ltd, country: "IE"}
    data_classes: [variables]
"""
HERE = "eu-central-1"


@pytest.fixture
def providers() -> Providers:
    return parse_yaml(FILE, "providers.yaml", Providers)


def fault(
    providers: Providers,
    address: str = "https://eu.models.example/v1",
    region: str = HERE,
    purpose: str = "model",
    data_class: DataClass = DataClass.TRANSCRIPT,
) -> str | None:
    return providers.fault(
        address,
        region=region,
        here=HERE,
        purpose=purpose,  # type: ignore[arg-type]
        data_class=data_class,
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://eu.models.example/v1",
        "https://EU.Models.example",
        "https://eu.models.example.:443/v1/",
        "https://eu.models.example:8443/v2",
    ],
)
def test_an_endpoint_is_found_by_its_origin_however_it_is_spelled(
    providers: Providers, address: str
) -> None:
    assert fault(providers, address) is None


@pytest.mark.parametrize(
    "address",
    [
        "https://models.example/v1",
        "https://eu.models.example.evil.example/v1",
        "https://eu.models.example:444/v1",
        "http://eu.models.example:443/v1",
        "https://eu.models.example@other.example/v1",
        "https://192.0.2.1/v1",
        "",
    ],
)
def test_an_address_of_another_origin_is_nobodys(providers: Providers, address: str) -> None:
    assert "is not in the provider catalogue" in (fault(providers, address) or "")


def test_a_service_that_runs_elsewhere_than_the_agent_says_is_refused(providers: Providers) -> None:
    assert fault(providers, region="eu-west-1") == (
        "words-frankfurt runs in eu-central-1 and not in eu-west-1"
    )


def test_a_service_is_asked_only_for_what_it_was_bought_for(providers: Providers) -> None:
    assert fault(providers, purpose="tool") == "words-frankfurt is there for model, not as tool"
    assert fault(providers, data_class=DataClass.AUDIO) == "words-frankfurt may not be sent audio"


def test_loopback_in_the_nodes_own_region_needs_no_entry() -> None:
    assert fault(Providers(), "http://127.0.0.1:8000/v1") is None
    assert fault(Providers(), "http://[::1]:8000/v1") is None
    assert fault(Providers(), "http://localhost:8000/v1") is None


def test_a_tunnel_on_loopback_that_ends_elsewhere_needs_an_entry() -> None:
    assert fault(Providers(), "http://127.0.0.1:8000/v1", region="eu-west-1") is not None


def test_an_entry_says_where_a_tunnel_on_loopback_ends() -> None:
    tunnel = parse_yaml(
        FILE.replace("https://visits.example", "http://127.0.0.1:9000"), "p", Providers
    )
    tool = {"purpose": "tool", "data_class": DataClass.VARIABLES}
    address = "http://127.0.0.1:9000/"
    assert fault(tunnel, address, region="eu-west-1", **tool) is None  # type: ignore[arg-type]
    assert fault(tunnel, address, region=HERE, **tool) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("https://visits.example", "http://visits.example", "https is required"),
        ("https://visits.example", "https://visits.example/v1", "without a path"),
        ("https://visits.example", "https://eu.models.example:443", "is there 2 times"),
        ("https://visits.example", "https://me:word@visits.example", "must be scheme"),
        ("id: visits", "id: words-frankfurt", "is there 2 times"),
        ("[variables]", "[words]", "data_classes"),
        ("[variables]", "[]", "data_classes"),
        ('"IE"', "IRL", "country"),
        ("    region: eu-west-1\n", "", "region"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    assert old in FILE
    with pytest.raises(ConfigError, match=said) as error:
        parse_yaml(FILE.replace(old, new), "providers.yaml", Providers)
    assert "providers.yaml:" in str(error.value)


def test_an_entry_in_a_region_that_no_law_speaks_of_is_named() -> None:
    elsewhere = parse_yaml(FILE.replace("eu-west-1", "asia-northeast-1"), "p", Providers)
    (sentence,) = unknown_regions(elsewhere, load_catalogue())
    assert sentence.startswith("visits: there is no region asia-northeast-1 (")


def test_without_a_file_nobody_is_listed(tmp_path: Path) -> None:
    assert load_providers(None).providers == ()
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        load_providers(tmp_path / "none.yaml")


@pytest.mark.parametrize("manual", ["edge.md", "agents.md"])
def test_the_manuals_examples_are_catalogues(manual: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / manual).read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(providers:\n.*?)```", text, re.DOTALL)
    found = parse_yaml(example, manual, Providers)
    assert len(found.providers) == 1
    assert unknown_regions(found, load_catalogue()) == ()
