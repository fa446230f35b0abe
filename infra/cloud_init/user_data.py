"""The user data of a machine: what cloud-init does with Debian's image so that Inland runs on it.

Everything is plain text, so that a change shows in the plan and the same document gives the same
bytes on every operator's machine (a compressed one would differ with the zlib that made it).
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final, Literal, TypeAlias

import yaml

from infra.cloud_init.document import DOCUMENT_PATH, DRAIN_PATH, ENVIRONMENT_PATH, NodeDocument

Architecture: TypeAlias = Literal["amd64", "arm64"]
"""As Debian and EC2's images call it."""

MAX_BYTES: Final = 16 * 1024
"""What EC2 takes, before Base64 ("Run commands when you launch an EC2 instance with user data
input", Amazon EC2 User Guide, 2026-11-21)."""
STOP_MARGIN_SECONDS: Final = 30
"""From the end of the drain until systemd kills what is left."""

_INLAND = "/opt/inland/venv/bin/inland"
_UNITS = "/etc/systemd/system"
_PREPARE, _BARRIER = "inland-prepare.service", "load-barrier.service"
_RequirementSet: TypeAlias = Literal["edge", "control-plane"]


class _Role:
    """What differs between the machines of the three roles."""

    def __init__(
        self,
        unit: str,
        description: str,
        command: str,
        packages: tuple[str, ...],
        requirements: _RequirementSet,
        *,
        barrier: bool = False,
    ) -> None:
        self.unit = f"{unit}.service"
        self.description = description
        self.command = command
        self.packages = packages
        self.requirements = requirements
        self.barrier = barrier
        """Whether its programs are held to a list of what they may reach."""


_ROLES: Final = {
    "edge": _Role(
        "inland-edge",
        "Inland edge: takes calls",
        f"{_INLAND} edge --production --config /run/inland/edge.yaml",
        ("libopus0", "nftables"),
        "edge",
        barrier=True,
    ),
    "turn": _Role(
        "inland-turn",
        "Inland relay (coturn)",
        "/usr/bin/turnserver -c /run/inland/turnserver.conf",
        ("coturn",),
        "control-plane",
    ),
    "control-plane": _Role(
        "inland-control-plane",
        "Inland control plane",
        f"{_INLAND} control-plane --config /run/inland/control-plane.yaml",
        (),
        "control-plane",
    ),
}


def user_data(document: NodeDocument, architecture: Architecture) -> str:
    """The ``#cloud-config`` for a machine that is told ``document``.

    Raises ``ValueError`` when it is longer than EC2 takes.
    """
    role = _ROLES[document.role.role]
    units = [role.unit, "install-inland.service", "inland-prepare.service"]
    units += ["inland-agent.service", "drain-inland.path"]
    units += ["load-barrier.timer"] if role.barrier else []
    # Nobody logs in to a machine; and Debian's own unit of a package is not ours.
    foreign = [f"{package}.service" for package in role.packages if package == "coturn"]
    config: dict[str, Any] = {
        "bootcmd": [["systemctl", "mask", "--now", "ssh.service", "ssh.socket", *foreign]],
        "package_update": True,
        "package_upgrade": False,
        "packages": list(role.packages),
        "write_files": _files(document, architecture, role),
        "runcmd": [
            ["systemd-sysusers"],
            ["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/inland.conf"],
            ["systemctl", "restart", "systemd-sysctl.service", "systemd-journald.service"],
            ["systemctl", "mask", "--now", "swap.target"],
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", *units],
            # Without waiting: the units may wait for this very boot to be over.
            ["systemctl", "start", "--no-block", *units],
        ],
    }
    if not role.packages:
        del config["package_update"], config["packages"]
    text = "#cloud-config\n" + yaml.dump(config, Dumper=_Plain, sort_keys=False, width=2**16)
    size = len(text.encode())
    if size > MAX_BYTES:
        raise ValueError(f"{size} bytes of user data: EC2 takes {MAX_BYTES}")
    return text


def _files(document: NodeDocument, architecture: Architecture, role: _Role) -> list[dict[str, str]]:
    stop = document.lifecycle.drain_seconds + STOP_MARGIN_SECONDS
    told = json.dumps(document.model_dump(mode="json")) + "\n"
    node = _read(
        "inland-node.service",
        DESCRIPTION=role.description,
        COMMAND=role.command,
        NEEDS=" ".join([_PREPARE, _BARRIER] if role.barrier else [_PREPARE]),
        STOP_SECONDS=str(stop),
        ENVIRONMENT_PATH=ENVIRONMENT_PATH,
    )
    install = _read(
        "install-inland.service", ARCHITECTURE=architecture, REQUIREMENTS=role.requirements
    )
    files = {
        DOCUMENT_PATH: told,
        "/usr/local/sbin/install-inland": _read("install-inland"),
        f"{_UNITS}/install-inland.service": install,
        f"{_UNITS}/inland-.service.d/hardening.conf": _read("hardening.conf"),
        f"{_UNITS}/inland-prepare.service": _read("inland-prepare.service"),
        f"{_UNITS}/{role.unit}": node,
        f"{_UNITS}/inland-agent.service": _read("inland-agent.service"),
        f"{_UNITS}/drain-inland.path": _read("drain-inland.path", DRAIN_PATH=DRAIN_PATH),
        f"{_UNITS}/drain-inland.service": _read("drain-inland.service", UNIT=role.unit),
        "/etc/sysusers.d/inland.conf": _read("sysusers.conf"),
        "/etc/tmpfiles.d/inland.conf": _read("tmpfiles.conf"),
        "/etc/sysctl.d/60-inland.conf": _read("sysctl.conf"),
        "/etc/systemd/journald.conf.d/60-inland.conf": _read("journald.conf"),
        "/etc/apt/apt.conf.d/60inland": _read("apt.conf"),
    }
    if role.barrier:
        files |= {
            f"{_UNITS}/{_BARRIER}": _read(_BARRIER),
            f"{_UNITS}/load-barrier.timer": _read("load-barrier.timer"),
        }
    return [
        {
            "path": path,
            "permissions": "0755" if path.startswith("/usr/local/sbin/") else "0644",
            "content": content,
        }
        for path, content in files.items()
    ]


def _read(name: str, **values: str) -> str:
    """A packaged file with its ``@NAME@`` replaced, and without lines that are comments: they are
    for whoever reads the file here, and EC2 counts every byte."""
    lines = (resources.files("infra.cloud_init") / "files" / name).read_text().splitlines(True)
    text = "".join(line for line in lines if not line.startswith("# "))
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


class _Plain(yaml.SafeDumper):
    """Writes what has several lines as a block, to be read by people."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _block)
