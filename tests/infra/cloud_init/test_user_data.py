"""What a machine is given to boot with. That it boots is claimed in ``tests/system/machine``."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from infra.cloud_init.document import DOCUMENT_PATH, NodeDocument
from infra.cloud_init.user_data import MAX_BYTES, user_data
from tests.inland.fleet.documents import CONTROL_PLANE, EDGE, TURN, document

DOCUMENTS = [document(role) for role in (EDGE, TURN, CONTROL_PLANE)]
UNITS = "/etc/systemd/system"


def config_of(told: NodeDocument) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(user_data(told, "arm64"))
    return config


def files_of(told: NodeDocument) -> dict[str, str]:
    return {file["path"]: file["content"] for file in config_of(told)["write_files"]}


@pytest.mark.parametrize("told", DOCUMENTS, ids=lambda told: told.role.role)
def test_user_data_are_a_cloud_config_that_ec2_takes(told: NodeDocument) -> None:
    text = user_data(told, "amd64")
    assert text.startswith("#cloud-config\n")
    assert text.isascii()
    assert len(text) <= MAX_BYTES
    assert text == user_data(told, "amd64")


@pytest.mark.parametrize("told", DOCUMENTS, ids=lambda told: told.role.role)
def test_the_machine_reads_the_very_document(told: NodeDocument) -> None:
    assert NodeDocument.model_validate_json(files_of(told)[DOCUMENT_PATH]) == told


@pytest.mark.parametrize("told", DOCUMENTS, ids=lambda told: told.role.role)
def test_nothing_is_left_to_fill_in(told: NodeDocument) -> None:
    for path, content in files_of(told).items():
        assert re.findall(r"@[A-Z_]+@", content) == [], path


def test_a_region_of_fifty_tenants_fits() -> None:
    users = {f"tenant-of-some-length-{n}": f"inland-tenant-of-some-length-{n}" for n in range(50)}
    store = EDGE.store.model_copy(update={"users": users})
    assert user_data(document(EDGE.model_copy(update={"store": store})), "arm64")


def test_what_ec2_would_not_take_is_refused_in_words() -> None:
    users = {f"tenant-{n}": "u" * 100 for n in range(100)}
    store = EDGE.store.model_copy(update={"users": users})
    with pytest.raises(ValueError, match=r"bytes of user data: EC2 takes 16384"):
        user_data(document(EDGE.model_copy(update={"store": store})), "arm64")


def test_architectures_differ_in_what_is_installed_and_nowhere_else() -> None:
    one, other = (user_data(DOCUMENTS[0], machine) for machine in ("amd64", "arm64"))
    assert one != other
    assert one.replace(" amd64 ", " arm64 ") == other


@pytest.mark.parametrize(
    ("role", "packages", "requirements", "command"),
    [
        (
            EDGE,
            ["libopus0", "nftables"],
            "edge",
            "inland edge --production --config /run/inland/edge.yaml",
        ),
        (TURN, ["coturn"], "control-plane", "turnserver -c /run/inland/turnserver.conf"),
        (
            CONTROL_PLANE,
            None,
            "control-plane",
            "inland control-plane --config /run/inland/control-plane.yaml",
        ),
    ],
    ids=lambda value: getattr(value, "role", None),
)
def test_each_role_runs_its_program_with_what_it_needs(
    role: Any, packages: list[str] | None, requirements: str, command: str
) -> None:
    told = document(role)
    files = files_of(told)
    assert config_of(told).get("packages") == packages
    assert f"/{command}\n" in files[f"{UNITS}/inland-{role.role}.service"]
    assert f" arm64 {requirements}\n" in files[f"{UNITS}/install-inland.service"]
    stopped = files[f"{UNITS}/drain-inland.service"]
    assert f"systemctl stop inland-{role.role}.service\n" in stopped


def test_systemd_waits_longer_than_the_drain_takes() -> None:
    unit = files_of(DOCUMENTS[0])[f"{UNITS}/inland-edge.service"]
    found = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert found is not None
    assert int(found[1]) > DOCUMENTS[0].lifecycle.drain_seconds


def test_a_boot_upgrades_nothing() -> None:
    assert all(config_of(told)["package_upgrade"] is False for told in DOCUMENTS)


def test_every_unit_is_started_and_none_is_waited_for() -> None:
    for told in DOCUMENTS:
        files = files_of(told)
        start = config_of(told)["runcmd"][-1]
        assert start[:3] == ["systemctl", "start", "--no-block"]
        installable = {
            path.rpartition("/")[2]
            for path, content in files.items()
            if path.startswith(UNITS) and "[Install]" in content
        }
        assert set(start[3:]) == installable


def test_the_install_script_is_bash() -> None:
    script = files_of(DOCUMENTS[0])["/usr/local/sbin/install-inland"]
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert done.stderr == ""


def test_logs_stay_in_memory_and_are_bounded() -> None:
    journal = files_of(DOCUMENTS[0])["/etc/systemd/journald.conf.d/60-inland.conf"]
    lines = journal.splitlines()
    assert {"Storage=volatile", "RuntimeMaxUse=64M", "ForwardToSyslog=no"} <= {*lines}
