"""``Pulumi.yaml``: what it may say, since whatever else it says would run something else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from regions.models import Strict
from regions.strict_yaml import load_yaml


class RuntimeOptions(Strict):
    """Where the program's packages are: the operator's own business."""

    virtualenv: str | None = None
    toolchain: Literal["pip", "uv", "poetry"] | None = None


class Runtime(Strict):
    """A program in Python, started by its ``__main__.py``."""

    name: Literal["python"]
    options: RuntimeOptions = Field(default_factory=RuntimeOptions)


class ProjectFile(Strict):
    """The whole file."""

    name: Literal["inland-region", "inland-control-plane"]
    description: str = ""
    runtime: Literal["python"] | Runtime


def check_project_file(folder: Path, name: str) -> list[str]:
    """Problems of ``Pulumi.yaml`` in ``folder``, of the project ``name``.

    Raises ``ConfigError``: a ``main``, a back end or a plugin of its own would let Pulumi run
    something that the gate has not seen.
    """
    path = folder / "Pulumi.yaml"
    found = load_yaml(path, ProjectFile)
    if found.name != name:
        return [f"{path}: name: this folder has stacks of {name}: write that"]
    return []
