"""The files of a demo: settings of each program, its secrets, its folders."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

from inland.demo.phone import phone_section
from inland.demo.policy import DemoPolicy, sign_policy
from inland.demo.ports import HOST
from regions.geo import country_name
from regions.models import Catalogue

COUNTRIES = ("DE", "FR", "IE", "PL", "IN", "AE", "US", "GB", "CN", "CH")
"""Where the page offers to call from: the three jurisdictions that the demo runs, two whose own
regions it does not run, one that the law closes, and one whose law the catalogue does not know."""


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where everything is."""

    data: Path
    logs: Path
    control: Path
    edges: dict[str, Path]
    edge_data: dict[str, Path]
    secrets: dict[str, str]
    """The secret of each region's nodes; only their hashes are written down."""
    policy: DemoPolicy


def write_files(
    data: Path,
    control_port: int,
    edge_ports: Mapping[str, int],
    workers: int,
    phone_ports: Mapping[str, int] | None = None,
    providers: Path | None = None,
) -> DemoFiles:
    """Write every file the programs need below ``data``; a region without a phone port has none.

    ``providers`` lists the services beyond this machine, where there are any. Raises as
    :func:`~inland.demo.policy.sign_policy`.
    """
    data = data.resolve()
    logs = data / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    demo = Path(str(files("inland.demo")))
    node_secrets = {region: secrets.token_urlsafe(32) for region in edge_ports}
    folders = {region: data / region for region in edge_ports}
    for folder in folders.values():
        folder.mkdir(mode=0o700, exist_ok=True)
    policy = sign_policy(data, folders)
    control = data / "control-plane.yaml"
    _write(
        control,
        {
            "host": HOST,
            "port": control_port,
            "tenants": str(demo / "tenants.yaml"),
            "key_file": "control-plane.key",
            "node_secrets": {
                region: hashlib.sha256(secret.encode()).hexdigest()
                for region, secret in node_secrets.items()
            },
            "policy": policy.section,
        },
    )
    edges = {}
    for region, port in edge_ports.items():
        folder = folders[region]
        edges[region] = folder / "edge.yaml"
        _write(
            edges[region],
            {
                "node": f"{region}-a",
                "region": region,
                "host": HOST,
                "port": port,
                "workers": workers,
                "data": str(folder),
                "agents": str(demo / "agents"),
                "control_planes": [f"http://{HOST}:{control_port}"],
                "policy": {"keys": [policy.public]},
                "drills": True,
                "drain_seconds": 2,
                **({} if providers is None else {"providers": str(providers.resolve())}),
                **phone_section(region, phone_ports or {}),
            },
        )
    return DemoFiles(data, logs, control, edges, folders, node_secrets, policy)


def _write(path: Path, values: Mapping[str, object]) -> None:
    path.write_text(yaml.safe_dump(dict(values), sort_keys=False))


def page_config(
    control_plane: str, catalogue: Catalogue, running: Collection[str]
) -> dict[str, object]:
    """What the page reads at ``./config.json``; ``running`` are the regions of this demo."""
    return {
        "controlPlane": control_plane,
        "drills": True,
        "tenants": [
            {
                "id": "demo-clinic",
                "name": "City clinic",
                "agent": "clinic-reception",
                "key": "pk_demo_clinic",
                "hint": [
                    "I would like to book an appointment",
                    "What are your opening hours",
                    "Can I talk to a person please",
                ],
            },
            {
                "id": "demo-bank",
                "name": "Savings bank (Frankfurt only)",
                "agent": "bank-callback",
                "key": "pk_demo_bank",
                "hint": ["I would like a call back"],
            },
        ],
        "countries": [{"code": code, "name": country_name(code)} for code in COUNTRIES],
        "defaultCountry": COUNTRIES[0],
        "regions": [
            {
                "id": region.id,
                "name": region.name,
                "country": region.country,
                "countryName": country_name(region.country),
                # In a sentence it has an article; as a label it has none.
                "jurisdiction": catalogue.jurisdiction(region.jurisdiction).name.removeprefix(
                    "the "
                ),
                "runs": region.id in running,
            }
            for region in catalogue.regions
        ],
    }
