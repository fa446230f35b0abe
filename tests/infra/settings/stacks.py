"""A region's stack and a control plane's that nothing is wrong with, and how to spoil them."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from infra.settings.check import check_stack
from infra.settings.control_plane import ControlPlaneStack
from infra.settings.offered import load_offered
from infra.settings.region import RegionStack
from regions.catalogue import load_catalogue

CATALOGUE = load_catalogue()
OFFERED = load_offered()
DIGEST = "0" * 64
RELEASE = {"version": "0.1.0", "sha256": DIGEST, "site": DIGEST}
EDGE: dict[str, Any] = {
    "instanceType": "c7g.xlarge",
    "nodes": {"min": 2, "max": 10},
    "callsPerNode": 60,
}
REGION: dict[str, Any] = {
    "region": "eu-central-1",
    "jurisdiction": "eea",
    "accountId": "111122223333",
    "vpcCidr": "10.16.0.0/16",
    "domain": "eu-central-1.eea.example.org",
    "zoneId": "Z0EXAMPLEEEA",
    "controlPlanes": [
        "https://a.eu-central-1.control.example.org",
        "https://a.ap-south-1.control.example.org",
    ],
    "release": RELEASE,
    "edge": EDGE,
    "tenants": [{"id": "clinic"}],
    "monthlyBudgetUsd": 1500,
}
IRELAND = {
    "region": "eu-west-1",
    "vpcCidr": "10.17.0.0/16",
    "domain": "eu-west-1.eea.example.org",
}
MUMBAI = {
    "region": "ap-south-1",
    "jurisdiction": "in",
    "accountId": "444455556666",
    "vpcCidr": "10.32.0.0/16",
    "domain": "ap-south-1.in.example.org",
    "zoneId": "Z0EXAMPLEIN",
}
CONTROL_PLANE: dict[str, Any] = {
    "accountId": "123456789012",
    "domain": "control.example.org",
    "zoneId": "Z0EXAMPLECONTROL",
    "release": RELEASE,
    "regions": [
        {"region": "eu-central-1", "vpcCidr": "10.0.0.0/18"},
        {"region": "ap-south-1", "vpcCidr": "10.0.64.0/18"},
    ],
    "monthlyBudgetUsd": 500,
}


def settings(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes``; ``edge.nodes.min`` reaches into it."""
    data = deepcopy(base)
    for key, value in changes.items():
        *outer, last = key.split(".")
        inner = data
        for part in outer:
            inner = inner[part]
        inner[last] = value
    return data


def region(changes: dict[str, Any] | None = None) -> RegionStack:
    return RegionStack.model_validate_json(json.dumps(settings(REGION, changes or {})))


def control_plane(changes: dict[str, Any] | None = None) -> ControlPlaneStack:
    return ControlPlaneStack.model_validate_json(json.dumps(settings(CONTROL_PLANE, changes or {})))


def problems(
    name: str,
    stack: RegionStack | ControlPlaneStack,
    **siblings: RegionStack | ControlPlaneStack,
) -> list[str]:
    """As text; siblings are named with underscores for dashes."""
    others = {other.replace("_", "-"): held for other, held in siblings.items()}
    return [str(found) for found in check_stack(name, stack, others, CATALOGUE, OFFERED)]


def write(
    folder: Path, name: str, base: dict[str, Any], changes: dict[str, Any] | None = None
) -> Path:
    """A stack file as an operator has it."""
    project = "inland-control-plane" if base is CONTROL_PLANE else "inland-region"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text(f"name: {project}\nruntime: python\n")
    config = {f"{project}:{key}": held for key, held in settings(base, changes or {}).items()}
    path = folder / f"Pulumi.{name}.yaml"
    path.write_text(yaml.safe_dump({"config": config}, sort_keys=False))
    return path
