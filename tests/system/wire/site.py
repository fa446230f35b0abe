"""What the regions of these tests serve, and what is said in a call of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import inland.demo
from inland.provision.project import copy_projects
from tests.fakes.observatory import ANSWER, REFERENCE

TENANT = "demo-clinic"
HOMES = {"DE": "eu-central-1", "IE": "eu-west-1", "IN": "ap-south-1"}
"""A caller from each country, at home in the region that is nearest of those allowed."""
WORD, CODE = "Quarzfenster", "73816490"
SPOKEN = "what are your opening hours"
GREETING = "Marzipan Observatory."
CALL = (
    *("--say", SPOKEN, "--type", f"{WORD} is what I need", "--type", "arrange a visit"),
    *("--type", CODE, "--type", "yes"),
)
"""Spoken, not understood, and understood: every step of it is data of the session."""
SAID = {
    "spoken words": SPOKEN,
    "typed word": WORD,
    "typed code": CODE,
    "greeting": GREETING.removesuffix("."),
    "tool's result": REFERENCE,
    "tool's answer": ANSWER,
}
"""Both sides' words and the tools' data, by what they are."""
LARGE = {"instanceType": "c7g.4xlarge", "callsPerNode": 320}
"""Calls are shared out among a node's workers, of which a host with many cores starts many."""
AGENT: dict[str, Any] = {
    "id": "clinic-reception",
    "version": 1,
    "greeting": GREETING,
    "flow": {
        "anything_else": "More?",
        "intents": [
            {
                "id": "visit",
                "title": "arrange a visit",
                "examples": ["arrange a visit"],
                "slots": [
                    {
                        "id": "code",
                        "kind": "digits",
                        "label": "code",
                        "ask": "Code?",
                        "least": len(CODE),
                        "most": len(CODE),
                    },
                ],
                "confirm": "Right?",
                "tool": "reserve",
                "success": "{result.reference:digits}.",
            },
            {
                "id": "hours",
                "title": "ask for the opening hours",
                "examples": ["opening hours", SPOKEN],
                "tool": "season",
                "arguments": {"topic": "hours"},
                "success": "{result.answer}",
            },
        ],
    },
    "tools": [
        {
            "name": name,
            "kind": "python",
            "call": f"tests.fakes.observatory:{name}",
            "idempotent": True,
        }
        for name in ("reserve", "season")
    ],
}


def write_site(folder: Path) -> Path:
    """Agents and tenants: the demo's clinic with an agent of its own."""
    site = folder / "site"
    (site / "agents").mkdir(parents=True)
    (site / "agents" / "agent.yaml").write_text(yaml.safe_dump(AGENT))
    shipped = Path(inland.demo.__file__).parent / "tenants.yaml"
    tenants = yaml.safe_load(shipped.read_text())["tenants"]
    kept = {"tenants": [one for one in tenants if one["id"] == TENANT]}
    (site / "tenants.yaml").write_text(yaml.safe_dump(kept))
    return site


def write_project(folder: Path) -> Path:
    """The shipped stacks for one tenant, with room for many calls."""
    project = folder / "project"
    copy_projects(project)
    for path in (project / "region").glob("Pulumi.*.yaml"):
        stack = yaml.safe_load(path.read_text())
        narrow(stack["config"])
        path.write_text(yaml.safe_dump(stack))
    return project


def narrow(config: Mapping[str, Any]) -> None:
    """One tenant and a larger node, in place."""
    config["inland-region:tenants"][:] = [{"id": TENANT}]
    config["inland-region:edge"].update(LARGE)
