"""A Pulumi project's configuration for one stack, as the Pulumi CLI gives it to a program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HIDDEN = "[secret]"
"""Stands for a value that only the stack's own key opens."""


class ProjectError(Exception):
    """A project file is missing or is not what Pulumi expects. The message names the file."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a program is configured with: all values are text, structures are JSON."""

    project: str
    values: Mapping[str, str]
    secrets: tuple[str, ...]


def configuration(
    folder: Path, stack: str, extra: Mapping[str, Any] | None = None
) -> Configuration:
    """Pulumi.yaml's defaults, below Pulumi.<stack>.yaml, below ``extra``.

    A key without a colon belongs to the project. The stack file may be absent only when ``extra``
    is given. Source: Pulumi's "Configuration" and "Pulumi project file" pages (2026-11-21).
    """
    described = _mapping(folder / "Pulumi.yaml")
    name = described.get("name")
    if not isinstance(name, str):
        raise ProjectError(f"{folder / 'Pulumi.yaml'}: a project has a name")
    found: dict[str, Any] = {}
    for key, value in (described.get("config") or {}).items():
        default = value.get("value", value.get("default")) if isinstance(value, dict) else value
        if default is not None:
            found[key] = default
    stack_file = folder / f"Pulumi.{stack}.yaml"
    if stack_file.exists() or extra is None:
        found |= _mapping(stack_file).get("config") or {}
    found |= extra or {}
    full = {key if ":" in key else f"{name}:{key}": value for key, value in found.items()}
    secrets = tuple(
        key for key, value in full.items() if isinstance(value, dict) and set(value) == {"secure"}
    )
    return Configuration(
        project=name,
        values={k: HIDDEN if k in secrets else _text(v) for k, v in full.items()},
        secrets=secrets,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ProjectError(f"{path}: there is no such file") from None
    except yaml.YAMLError as error:
        raise ProjectError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise ProjectError(f"{path}: expected a mapping")
    return content
