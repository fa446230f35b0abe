"""The shipped stacks, ready to be rehearsed: their projects, accounts and hosted zones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import infra
from infra.settings.load import load_stack
from tests.infra.rehearsal.cloud import Cloud, serve_zone
from tests.infra.rehearsal.rehearsal import Rehearsal

ROOT = Path(infra.__file__).parent
REGION = ROOT / "region"
CONTROL_PLANE = ROOT / "control_plane"


def account_of(project: Path, stack: str) -> str:
    """Whose account the stack file names."""
    return load_stack(project / f"Pulumi.{stack}.yaml").account_id


def rehearsed(project: Path, stack: str, cloud: Cloud, folder: Path, **config: Any) -> Rehearsal:
    """A stack whose hosted zone is there already, as before a first ``pulumi up``."""
    settings = load_stack(project / f"Pulumi.{stack}.yaml")
    serve_zone(cloud, settings.account_id, settings.zone_id)
    return Rehearsal(project, stack, cloud, folder / f"{stack}.json", config)
