"""Relays and replicas of the control plane boot as edges do: see ``test_cloud_init_root.py``."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from infra.cloud_init.document import ControlPlaneRole, TurnRole
from tests.system.machine.debian import until
from tests.system.machine.region_cloud import OPERATOR_KEY
from tests.system.machine.stage import (
    ADDRESS,
    DRAIN,
    HEALTH_PORT,
    LAUNCH,
    Packed,
    Role,
    Stage,
    stage,
)
from tests.system.machine.story import SECONDS, came_up

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

ROLES: tuple[Role, ...] = (
    ControlPlaneRole(
        signing_key="inland/control-plane/eu-central-1/a/signing-key",
        operator_key="inland/control-plane/operator-key",
        node_secrets={"eu-central-1": ("1" * 64,)},
        replica_urls=(),
    ),
    TurnRole(
        turn_secret="inland/eu-central-1/turn",
        relay_ports=(49_152, 49_251),
        peers=("10.20.0.16/28",),
    ),
)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.role)
def test_the_other_machines_come_up_without_what_only_calls_need(
    role: Role, image: Path, release: Packed, site: Packed, tmp_path: Path
) -> None:
    with stage(tmp_path, image, release, site) as here:
        if isinstance(role, ControlPlaneRole):
            role = role.model_copy(update={"policy_keys": (here.law.public,)})
            here.publish_law()
        here.lay_out(here.document(role))
        here.upload(site)
        here.upload(release)
        here.cloud.group.waiting.add(LAUNCH)
        with here.boot() as machine:
            unit = f"inland-{role.role}"
            until(lambda: came_up(machine, "install-inland"), SECONDS, "it is installed")
            until(lambda: came_up(machine, unit), SECONDS, "its service runs")
            results = here.cloud.group.results
            until(lambda: results, SECONDS, "its launch is completed")
            assert results == [(LAUNCH, "CONTINUE")]
            if isinstance(role, ControlPlaneRole):
                rules_by_what_is_published(here)
            here.cloud.group.waiting.add(DRAIN)
            here.cloud.end.machine.target_lifecycle_state = "Terminated"
            until(lambda: len(results) == 2, SECONDS, "its drain is completed")
            assert results[1] == (DRAIN, "CONTINUE")
            state = machine.properties(f"{unit}.service", "ActiveState", "Result")
            assert state == {"ActiveState": "inactive", "Result": "success"}
        installed = here.root / "opt/inland/releases" / release.sha256
        assert [*installed.glob("lib/python3.11/site-packages/aiohttp")]
        assert [*installed.glob("lib/python3.11/site-packages/piper*")] == []
        assert [*installed.glob("lib/python3.11/site-packages/numpy")] == []


def rules_by_what_is_published(here: Stage) -> None:
    """The law that the operator published, and the next one soon after it."""
    ask = Request(f"http://{ADDRESS}:{HEALTH_PORT}/v1/state")
    ask.add_header("Authorization", f"Bearer {OPERATOR_KEY}")

    def serial() -> int:
        with here.cloud.network.call(lambda: urlopen(ask, timeout=5)) as answer:
            return int(json.load(answer)["serial"])

    assert serial() == 1
    here.sign_law_anew()
    here.publish_law()
    until(lambda: serial() == 2, SECONDS, "it rules by the next law")
