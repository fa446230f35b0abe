"""The demo's law is signed as an operator's would be, and its programs trust that key alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from control_plane.policy_file import PolicyFile
from control_plane.settings import read_settings
from edge.session.keys import LocalKeyFile
from edge.session.replica import replica_public_key
from edge.settings import load_settings
from inland.__main__ import main
from inland.demo.files import DemoFiles, write_files
from inland.policy.errors import PolicyCommandError
from regions.bundle import Body, verify
from regions.models import TenantPolicy
from regions.policy_keys import policy_key

EDGES = {"eu-central-1": 7101, "ap-south-1": 7102}


def start(folder: Path, edges: dict[str, int] = EDGES) -> tuple[DemoFiles, Body]:
    files = write_files(folder / "demo", 7000, edges, 1)
    raw = files.policy.bundle.read_bytes()
    return files, verify(raw, [policy_key(files.policy.public)])


def test_both_sides_trust_the_demos_key_and_the_bundle_is_one_to_start_with(
    tmp_path: Path,
) -> None:
    files, body = start(tmp_path)
    source = read_settings(files.control, {}, {}).policy
    assert source is not None
    assert PolicyFile(source).read().body == body
    assert body.serial == 1
    for path in files.edges.values():
        policy = load_settings(path).policy
        assert policy is not None
        assert policy.keys == source.keys == (files.policy.public,)


def test_the_key_is_its_owners(tmp_path: Path) -> None:
    files, _ = start(tmp_path)
    assert stat.S_IMODE(files.policy.key.stat().st_mode) == 0o600


def test_the_bundle_has_the_tenants_contracts_and_the_regions_own_replica_keys(
    tmp_path: Path,
) -> None:
    files, body = start(tmp_path)
    assert body.contracts == {
        "demo-clinic": TenantPolicy(),
        "demo-bank": TenantPolicy(regions=("eu-central-1",)),
    }
    assert body.replica_keys == {
        region: replica_public_key(LocalKeyFile.open(load_settings(path).key_path, region))
        for region, path in files.edges.items()
    }


def test_a_second_run_on_the_same_folder_changes_nothing(tmp_path: Path) -> None:
    files, _ = start(tmp_path)
    files.policy.contracts.write_text("contracts: {demo-clinic: {deny: [eu-west-1]}}\n")
    before = files.policy.bundle.read_bytes()
    again, _ = start(tmp_path)
    assert again.policy.bundle.read_bytes() == before
    assert "eu-west-1" in again.policy.contracts.read_text()


def test_what_was_tightened_by_hand_outlives_a_new_region(tmp_path: Path) -> None:
    files, _ = start(tmp_path)
    files.policy.contracts.write_text("contracts: {demo-clinic: {deny: [eu-central-1]}}\n")
    words = files.policy.command.split()
    assert main(words[1:]) == 0
    _, body = start(tmp_path, EDGES | {"eu-west-1": 7103})
    assert body.serial == 3
    assert body.contracts == {"demo-clinic": TenantPolicy(deny=("eu-central-1",))}
    assert {*body.replica_keys} == {*EDGES, "eu-west-1"}


def test_a_bundle_of_another_key_is_not_overwritten(tmp_path: Path) -> None:
    files, _ = start(tmp_path)
    files.policy.key.unlink()
    with pytest.raises(PolicyCommandError, match="not trusted"):
        start(tmp_path)
