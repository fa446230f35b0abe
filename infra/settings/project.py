"""Looks through every stack file of a project, and of the project beside it."""

from __future__ import annotations

from pathlib import Path

from infra.settings.check import check_stack
from infra.settings.control_plane import ControlPlaneStack
from infra.settings.load import load_stack, stack_of
from infra.settings.offered import Offered, load_offered
from infra.settings.region import RegionStack
from regions.catalogue import load_catalogue
from regions.errors import ConfigError
from regions.models import Catalogue
from regions.strict_yaml import key_lines

FOLDERS = {"region": "control_plane", "control_plane": "region"}
"""A project's folder, and the other project's beside it."""


def stack_files(folder: Path) -> list[Path]:
    """The stack files in ``folder``, sorted by name."""
    return sorted(folder.glob("Pulumi.*.yaml"))


def check_project(
    folder: Path,
    catalogue: Catalogue | None = None,
    offered: Offered | None = None,
    *,
    only: str | None = None,
) -> list[str]:
    """Every problem of every stack in ``folder``: file, line, key, what is wrong, what to do.

    With ``only`` one stack is judged; the others are compared with, so a file that cannot be read
    is a problem even then.

    Stacks of the other project, when its folder is beside this one, are compared with and not
    judged. The catalogue and the table of what AWS offers default to those of Inland.
    """
    catalogue = catalogue or load_catalogue()
    offered = offered or load_offered()
    problems: list[str] = []
    stacks: dict[str, RegionStack | ControlPlaneStack] = {}
    for path in stack_files(folder):
        try:
            stacks[stack_of(path)] = load_stack(path)
        except ConfigError as error:
            problems += str(error).splitlines()
    known = {**stacks_beside(folder), **stacks}
    for name, stack in stacks.items():
        if only not in (None, name):
            continue
        found = check_stack(name, stack, known, catalogue, offered)
        if found:
            path = folder / f"Pulumi.{name}.yaml"
            lines = key_lines(path)
            problems += [problem.located(path, lines) for problem in found]
    return problems


def stacks_beside(folder: Path) -> dict[str, RegionStack | ControlPlaneStack]:
    """The stacks of the other project. Those that cannot be read are that project's problem."""
    resolved = folder.resolve()
    other = resolved.parent / FOLDERS.get(resolved.name, "")
    stacks: dict[str, RegionStack | ControlPlaneStack] = {}
    if resolved.name not in FOLDERS or not (other / "Pulumi.yaml").is_file():
        return stacks
    for path in stack_files(other):
        try:
            stacks[stack_of(path)] = load_stack(path)
        except ConfigError:
            continue
    return stacks
