"""All stack files of a project are looked through at once, and those of the project beside it."""

from pathlib import Path

import pytest

from infra.settings.load import load_stack, stack_of
from infra.settings.offered import load_offered
from infra.settings.project import check_project, stack_files
from infra.settings.region import RegionStack
from infra.settings.scope import scope_of
from regions.errors import ConfigError
from tests.infra.settings.stacks import CONTROL_PLANE, IRELAND, REGION, write

SHIPPED = Path(__file__).parents[3] / "infra"
REGIONS = (
    "eu-central-1",
    "eu-west-1",
    "ap-south-1",
    "ap-south-2",
    "me-central-1",
    "ap-northeast-1",
    "us-east-1",
)


def test_a_sound_project_has_no_problems(tmp_path: Path) -> None:
    write(tmp_path / "region", "eu-central-1", REGION)
    write(tmp_path / "region", "eu-west-1", REGION, IRELAND)
    write(tmp_path / "control_plane", "control-plane", CONTROL_PLANE)
    assert check_project(tmp_path / "region") == []
    assert check_project(tmp_path / "control_plane") == []


def test_a_problem_names_file_line_and_key(tmp_path: Path) -> None:
    path = write(tmp_path, "eu-central-1", REGION, {"edge.callsPerNode": 500})
    number = 1 + [*map(str.strip, path.read_text().splitlines())].index("callsPerNode: 500")
    [found] = check_project(tmp_path)
    assert found.startswith(f"{path}:{number}: inland-region:edge.callsPerNode: ")


def test_a_key_that_is_not_there_has_the_line_of_the_one_around_it(tmp_path: Path) -> None:
    path = write(tmp_path, "eu-central-1", REGION, {"region": None})
    path.write_text(path.read_text().replace("  inland-region:region: null\n", ""))
    [found] = check_project(tmp_path)
    assert found.startswith(f"{path}:1: inland-region:region: is missing")


def test_an_inner_key_that_is_not_there_has_the_line_of_its_tenant(tmp_path: Path) -> None:
    bank = {"id": "bank", "isolation": "dedicated-fleet"}
    path = write(tmp_path, "eu-central-1", REGION, {"tenants": [{"id": "clinic"}, bank]})
    number = 1 + path.read_text().splitlines().index("  - id: bank")
    [found] = check_project(tmp_path)
    assert found.startswith(f"{path}:{number}: inland-region:tenants[1].edge: is missing")


def test_files_that_cannot_be_read_are_told_beside_the_others(tmp_path: Path) -> None:
    write(tmp_path, "eu-central-1", REGION, {"edge.callsPerNode": 500})
    (tmp_path / "Pulumi.eu-west-1.yaml").write_text("config: {a: 1\n")
    found = check_project(tmp_path)
    assert "Pulumi.eu-west-1.yaml" in found[0]
    assert "not YAML" in found[0]
    assert "callsPerNode" in found[1]


def test_one_stack_is_judged_beside_the_others(tmp_path: Path) -> None:
    write(tmp_path, "eu-central-1", REGION, {"edge.callsPerNode": 500})
    same_range = {**IRELAND, "vpcCidr": "10.16.0.0/18"}
    write(tmp_path, "eu-west-1", REGION, same_range)
    [found] = check_project(tmp_path, only="eu-west-1")
    assert "10.16.0.0/18 overlaps 10.16.0.0/16 of eu-central-1" in found


def test_the_control_plane_beside_a_region_counts(tmp_path: Path) -> None:
    write(tmp_path / "region", "eu-central-1", REGION, {"vpcCidr": "10.0.0.0/16"})
    write(tmp_path / "control_plane", "control-plane", CONTROL_PLANE)
    found = check_project(tmp_path / "region")
    assert all("of control-plane: give each its own range" in line for line in found)
    assert len(found) == 2


def test_what_is_wrong_beside_is_not_told_twice(tmp_path: Path) -> None:
    write(tmp_path / "region", "eu-central-1", REGION)
    write(tmp_path / "control_plane", "control-plane", CONTROL_PLANE)
    (tmp_path / "control_plane" / "Pulumi.control-plane.yaml").write_text("config: 1\n")
    assert check_project(tmp_path / "region") == []


def test_a_table_of_ones_own_is_asked_instead(tmp_path: Path) -> None:
    write(tmp_path, "eu-central-1", REGION)
    table = tmp_path / "offered"
    text = (SHIPPED / "settings" / "offered.yaml").read_text()
    table.write_text(text.replace("families: [c6g, c7g, ", "families: [c6g, ", 1))
    [found] = check_project(tmp_path, offered=load_offered(table))
    assert "c7g.xlarge is not offered in eu-central-1" in found


@pytest.mark.parametrize("name", REGIONS)
def test_a_shipped_region_is_sound(name: str) -> None:
    found = check_project(SHIPPED / "region")
    assert [line for line in found if f"Pulumi.{name}.yaml" in line] == []


def test_every_promised_region_is_shipped_and_no_other() -> None:
    assert {stack_of(path) for path in stack_files(SHIPPED / "region")} == {*REGIONS}


def test_the_shipped_control_plane_is_sound() -> None:
    assert check_project(SHIPPED / "control_plane") == []


def test_a_shipped_stack_shows_every_part_and_fits_a_page() -> None:
    frankfurt = load_stack(SHIPPED / "region" / "Pulumi.eu-central-1.yaml")
    assert isinstance(frankfurt, RegionStack)
    assert [(tenant.id, tenant.isolation) for tenant in frankfurt.tenants] == [
        ("demo-clinic", "pooled"),
        ("demo-bank", "dedicated-fleet"),
    ]
    assert frankfurt.sip is not None
    assert frankfurt.turn is not None
    for path in stack_files(SHIPPED / "region"):
        assert len(path.read_text().splitlines()) <= 36


def test_a_scope_is_the_region_or_those_of_the_control_plane() -> None:
    frankfurt = load_stack(SHIPPED / "region" / "Pulumi.eu-central-1.yaml")
    plane = load_stack(SHIPPED / "control_plane" / "Pulumi.control-plane.yaml")
    scope = scope_of("eu-central-1.bank", frankfurt)
    assert (scope.kind, scope.regions, scope.account_id) == (
        "region",
        frozenset({"eu-central-1"}),
        "111122223333",
    )
    wide = scope_of("control-plane", plane)
    assert (wide.kind, wide.regions) == (
        "control-plane",
        frozenset({"eu-central-1", "ap-south-1"}),
    )
    with pytest.raises(ConfigError):
        scope_of("production", frankfurt)
