"""The program of a region refuses, in words and before anything runs, what may not be made."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.graph.capture import ProgramError, capture
from infra.rules.model import Graph
from tests.infra.components.shipped import BARE, REGION


def project(folder: Path, stack: str = BARE, settings: Mapping[str, Any] | None = None) -> Path:
    """A project with one stack file: the shipped one, but for ``settings``."""
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(REGION / name, folder / name)
    found = yaml.safe_load((REGION / f"Pulumi.{BARE}.yaml").read_text())
    found["config"] |= {f"inland-region:{key}": value for key, value in (settings or {}).items()}
    (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(found))
    return folder


def made(folder: Path, stack: str = BARE) -> Graph:
    return capture(folder, stack)


def test_a_stack_file_in_a_folder_of_the_operators_own_is_made(tmp_path: Path) -> None:
    assert made(project(tmp_path)).outputs["region"] == BARE


def test_stack_named_for_another_region_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="named for eu-west-1 and written for ap-south-2"):
        made(project(tmp_path, "eu-west-1"), "eu-west-1")


def test_region_outside_the_jurisdiction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="stands in 'in', not in 'eea'"):
        made(project(tmp_path, settings={"jurisdiction": "eea"}))


def test_misspelt_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="retension"):
        made(project(tmp_path, settings={"retension": {"logsDays": 7}}))


def test_provider_that_somebody_configures_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path)
    file = folder / f"Pulumi.{BARE}.yaml"
    file.write_text(file.read_text() + "  aws:region: eu-west-1\n")
    with pytest.raises(ProgramError, match="aws:region"):
        made(folder)


def test_addresses_of_a_stack_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    folder = project(tmp_path)
    shutil.copy(REGION / "Pulumi.eu-west-1.yaml", folder)
    other = {"vpcCidr": "10.17.0.0/16"}
    with pytest.raises(ProgramError, match="vpcCidr"):
        made(project(folder, settings=other))


def test_what_else_is_wrong_with_a_neighbour_is_its_own_matter(tmp_path: Path) -> None:
    folder = project(tmp_path)
    file = folder / "Pulumi.eu-west-1.yaml"
    text = (REGION / file.name).read_text()
    file.write_text(text.replace("jurisdiction: eea", "jurisdiction: ae"))
    assert made(folder).outputs["region"] == BARE


def test_neighbour_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path)
    (folder / "Pulumi.eu-west-1.yaml").write_text("config: {inland-region:region: eu-west-1}\n")
    with pytest.raises(ProgramError, match=r"Pulumi\.eu-west-1\.yaml"):
        made(folder)
