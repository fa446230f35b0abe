"""The stacks that come with Inland, as their unmodified program makes them; captured once each."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import infra
from infra.cloud_init.document import DOCUMENT_PATH, NodeDocument
from infra.graph.capture import capture
from infra.rules.model import Graph, Resource

REGION = Path(infra.__file__).parent / "region"
STACKS = sorted(path.name[7:-5] for path in REGION.glob("Pulumi.*.yaml"))
FULL = "eu-central-1"
"""The stack that asks for everything: a dedicated fleet, telephone, relays."""
BARE = "ap-south-2"
"""One that has neither telephone nor relays."""
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"


@cache
def shipped(stack: str = FULL, *, preview: bool = False) -> Graph:
    """The graph of a shipped stack."""
    return capture(REGION, stack, preview=preview)


def made_with(stack: str, settings: Mapping[str, Any], base: str = FULL) -> Graph:
    """The graph of ``stack``, configured as ``base`` but for ``settings``."""
    found = yaml.safe_load((REGION / f"Pulumi.{base}.yaml").read_text())["config"]
    own = {f"inland-region:{key}": value for key, value in settings.items()}
    return capture(REGION, stack, config=found | own)


def user_data(template: Resource) -> str:
    """What a machine of the template is given at boot."""
    return base64.b64decode(template.properties["userData"]).decode()


def told(template: Resource) -> NodeDocument:
    """The document that a machine of the template finds."""
    files = yaml.safe_load(user_data(template))["write_files"]
    (text,) = [file["content"] for file in files if file["path"] == DOCUMENT_PATH]
    return NodeDocument.model_validate_json(text)


def templates(graph: Graph) -> Iterator[Resource]:
    """Every launch template."""
    yield from graph.of(TEMPLATE)
