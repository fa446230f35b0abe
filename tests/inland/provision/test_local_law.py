"""Local regions go by a law that is signed when they are made, as a cloud's do."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml

from infra.local.plan import plan_host
from infra.settings.load import load_control_plane_stack, load_region_stack
from inland.policy.inputs import verified
from inland.provision.errors import GateClosed
from inland.provision.local.authority import Authority
from inland.provision.local.files import LocalFiles, Site
from inland.provision.project import find_project
from regions.policy_keys import policy_key

REGIONS = ("eu-central-1", "eu-west-1", "ap-south-1")


def written(root: Path) -> None:
    """What `up` writes before anything starts."""
    stacks = {name: load_region_stack(find_project(name).stack_file) for name in REGIONS}
    control = load_control_plane_stack(find_project("control-plane").stack_file)
    plan = plan_host(stacks, control)
    LocalFiles(root, plan, Site.find(None), Authority(dt.datetime.now(dt.UTC))).write()


def test_every_program_trusts_one_key_and_every_region_can_be_carried_to(tmp_path: Path) -> None:
    written(tmp_path)
    controls = list((tmp_path / "control-plane").glob("*/control-plane.yaml"))
    nodes = list(tmp_path.glob("*/*/edge.yaml"))
    assert len(controls) == 2 and len(nodes) == 5
    sections = [yaml.safe_load(path.read_text())["policy"] for path in (*controls, *nodes)]
    ((key,),) = {tuple(section["keys"]) for section in sections}
    body = verified(tmp_path / "policy.bundle", [policy_key(key)])
    assert set(body.replica_keys) == set(REGIONS)
    assert set(body.contracts) == {"demo-clinic", "demo-bank"}


def test_regions_that_are_made_again_go_on_under_the_same_law(tmp_path: Path) -> None:
    written(tmp_path)
    bundle = (tmp_path / "policy.bundle").read_bytes()
    key = (tmp_path / "eu-central-1" / "region.key").read_bytes()
    written(tmp_path)
    assert (tmp_path / "policy.bundle").read_bytes() == bundle
    assert (tmp_path / "eu-central-1" / "region.key").read_bytes() == key


def test_a_law_that_somebody_else_signed_is_not_gone_on_with(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "policy.bundle").write_bytes(b"not what was signed here")
    with pytest.raises(GateClosed, match=r"policy\.bundle"):
        written(tmp_path)
