"""Where a stack's files are: the operator's own folder, or the examples that come with Inland."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

from inland.provision.errors import ProjectMissing

Kind = Literal["region", "control-plane"]
CONTROL_PLANE: Final = "control-plane"


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with ``Pulumi.yaml``, and one stack in it."""

    folder: Path
    stack: str
    kind: Kind

    @property
    def stack_file(self) -> Path:
        return self.folder / f"Pulumi.{self.stack}.yaml"


def find_project(stack: str, folder: Path | None = None) -> Project:
    """The project that has ``stack``; ``folder`` defaults to the examples.

    A folder may hold the two projects side by side, as ``region`` and ``control_plane``, or be one
    of them. Raises ``ProjectMissing``.
    """
    kind: Kind = CONTROL_PLANE if stack == CONTROL_PLANE else "region"
    root = examples() if folder is None else folder
    inner = root / kind.replace("-", "_")
    found = inner if (inner / "Pulumi.yaml").is_file() else root
    if not (found / "Pulumi.yaml").is_file():
        raise ProjectMissing(
            f"{root}: has no Pulumi.yaml: name a project, or make one: inland regions init DIR"
        )
    project = Project(found.resolve(), stack, kind)
    if not project.stack_file.is_file():
        known = ", ".join(stacks_of(found)) or "none"
        raise ProjectMissing(f"{found}: has no stack {stack!r}: there are {known}")
    return project


def stacks_of(folder: Path) -> tuple[str, ...]:
    """The names of the stacks whose files are in ``folder``, sorted."""
    names = (path.name for path in folder.glob("Pulumi.*.yaml"))
    return tuple(sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in names))


def examples() -> Path:
    """The folder with both projects that come with Inland."""
    return Path(str(files("infra")))


def copy_projects(target: Path) -> tuple[Path, ...]:
    """Copy both projects into ``target`` for an operator to edit; returns the files written.

    Nothing that is there is written over: raises ``ProjectMissing`` instead.
    """
    written = []
    for kind in ("region", "control_plane"):
        source = examples() / kind
        wanted = [path for path in sorted(source.iterdir()) if path.suffix in (".yaml", ".py")]
        for path in wanted:
            new = target / kind / path.name
            if new.exists():
                raise ProjectMissing(f"{new}: is there already: choose another folder")
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, new)
            written.append(new)
    return tuple(written)
