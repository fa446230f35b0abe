"""What the demo writes is what its programs read, and it keeps its secrets."""

from __future__ import annotations

import hashlib
import stat
from datetime import date
from pathlib import Path

import pytest
import yaml

from control_plane.ruling import rule
from control_plane.settings import read_settings
from edge.dialog.agent import load_agents
from edge.settings import load_settings
from inland.demo.files import COUNTRIES, DemoFiles, page_config, write_files
from regions.catalogue import load_catalogue
from regions.models import TenantPolicy

EDGES = {"eu-central-1": 7101, "ap-south-1": 7102}


@pytest.fixture
def files(tmp_path: Path) -> DemoFiles:
    return write_files(tmp_path / "demo", 7000, EDGES, 2)


def test_edges_can_be_started_from_what_is_written(files: DemoFiles) -> None:
    for region, port in EDGES.items():
        settings = load_settings(files.edges[region])
        assert (settings.region, settings.port, settings.workers) == (region, port, 2)
        assert settings.url == f"http://127.0.0.1:{port}"
        assert settings.control_planes == ("http://127.0.0.1:7000",)
        assert {"clinic-reception", "bank-callback"} <= load_agents(settings.agents).keys()


def test_control_plane_can_be_started_from_what_is_written(files: DemoFiles) -> None:
    settings = read_settings(files.control, {}, {})
    assert (settings.host, settings.port) == ("127.0.0.1", 7000)


def test_each_region_has_a_store_of_its_own(files: DemoFiles) -> None:
    stores = {load_settings(path).store_path for path in files.edges.values()}
    assert len(stores) == len(EDGES)


def test_secrets_are_written_down_as_hashes_only(files: DemoFiles) -> None:
    written = "".join(path.read_text() for path in files.data.rglob("*.yaml"))
    hashes = yaml.safe_load(files.control.read_text())["node_secrets"]
    assert len(set(files.secrets.values())) == len(EDGES)
    for region, secret in files.secrets.items():
        assert secret not in written
        assert hashes[region] == hashlib.sha256(secret.encode()).hexdigest()


def test_folders_of_regions_and_logs_are_their_owner_s(files: DemoFiles) -> None:
    for folder in (files.logs, *files.edge_data.values()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_page_offers_callers_of_every_fate() -> None:
    catalogue = load_catalogue()
    fates = {}
    for country in COUNTRIES:
        law = catalogue.jurisdiction_of(country)
        ruling = rule(
            catalogue, () if law is None else (law,), TenantPolicy(), on=date(2026, 11, 21)
        )
        fates[country] = (law is not None, bool(ruling.allowed))
    assert fates["DE"] == fates["US"] == fates["GB"] == (True, True)
    assert fates["CN"] == (True, False)
    assert fates["CH"] == (False, False)


def test_page_is_told_of_every_region_and_of_countries_by_name() -> None:
    catalogue = load_catalogue()
    config = page_config("http://127.0.0.1:7000", catalogue, EDGES)
    regions = config["regions"]
    assert isinstance(regions, list)
    assert [region["id"] for region in regions] == [region.id for region in catalogue.regions]
    assert all(region["countryName"] for region in regions)
    assert [region["id"] for region in regions if region["runs"]] == list(EDGES)
    countries = config["countries"]
    assert isinstance(countries, list)
    assert [country["code"] for country in countries] == list(COUNTRIES)
    assert all(country["name"] for country in countries)
    assert config["defaultCountry"] in COUNTRIES
