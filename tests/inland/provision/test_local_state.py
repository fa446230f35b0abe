"""The folder of local regions: nobody else's is ever written to or erased."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.settings.load import load_control_plane_stack, load_region_stack
from inland.provision.errors import GateClosed, ProjectMissing
from inland.provision.local.files import Site
from inland.provision.local.programs import Running
from inland.provision.local.state import Folder, LocalState
from inland.provision.local.target import require_tenants
from inland.provision.project import find_project


def state(prefix: str = "inland") -> LocalState:
    stack, control = find_project("eu-central-1"), find_project("control-plane")
    return LocalState(
        prefix=prefix,
        regions={"eu-central-1": load_region_stack(stack.stack_file)},
        control_plane=load_control_plane_stack(control.stack_file),
        programs=(Running("store", 4242, 1.5, "log"),),
    )


def test_what_stands_is_read_again_and_plans_the_same(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "data")
    folder.claim()
    folder.write(state())
    assert folder.read() == state()
    assert folder.read().plan == state().plan


def test_a_folder_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(GateClosed, match="holds other files"):
        Folder(tmp_path).claim()
    with pytest.raises(GateClosed, match="not erased"):
        Folder(tmp_path).erase()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_data_that_was_left_may_be_used_again_and_erased(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "data")
    folder.claim()
    folder.write(state())
    (folder.path / "kept").touch()
    folder.forget()
    folder.claim()
    assert (folder.path / "kept").exists()
    folder.erase()
    assert not folder.path.exists()


def test_where_regions_run_nothing_is_made_or_erased(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "data")
    folder.claim()
    folder.write(state())
    with pytest.raises(GateClosed, match="regions run from here"):
        folder.claim()
    with pytest.raises(GateClosed, match="still run"):
        folder.erase()


@pytest.mark.parametrize("text", ["", "{}", '{"prefix": "../x"}'])
def test_a_state_that_up_did_not_write_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ProjectMissing, match="not what `up` wrote"):
        Folder(tmp_path).read()


def test_nothing_runs_from_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ProjectMissing, match="no regions run"):
        Folder(tmp_path).read()


def test_stacks_that_serve_others_than_the_site_are_refused(tmp_path: Path) -> None:
    require_tenants(state(), Site.find(None))
    (tmp_path / "agents").mkdir()
    (tmp_path / "tenants.yaml").write_text(
        "tenants:\n  - {id: hospital, name: Hospital, agents: {desk: {}}}\n"
    )
    with pytest.raises(GateClosed, match="demo-bank, demo-clinic, whom"):
        require_tenants(state(), Site.find(tmp_path))
