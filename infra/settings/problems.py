"""What is wrong with a stack, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.settings.control_plane import ControlPlaneStack
from infra.settings.region import RegionStack

REGION_PROJECT = "inland-region"
CONTROL_PLANE_PROJECT = "inland-control-plane"
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal. ``key`` is written as in the stack file, without the project's name."""

    stack: str
    key: Key
    words: str
    project: str = REGION_PROJECT

    @property
    def path(self) -> Key:
        """The key's place in the stack file."""
        return ("config", *self._full)

    @property
    def written(self) -> str:
        """The key as the operator wrote it: ``inland-region:edge.nodes.min``."""
        text = ""
        for part in self._full:
            text += f"[{part}]" if isinstance(part, int) else f".{part}"
        return text.removeprefix(".")

    def located(self, file: Path, lines: Mapping[Key, int]) -> str:
        """File, line, key and words. A key that is not there is put where it should be."""
        path: Key = self.path
        while path and path not in lines:
            path = path[:-1]
        return f"{file}:{lines.get(path, 1)}: {self.written}: {self.words}"

    def __str__(self) -> str:
        return f"{self.stack}: {self.written}: {self.words}"

    @property
    def _full(self) -> Key:
        return (f"{self.project}:{self.key[0]}", *self.key[1:])


def project_of(stack: RegionStack | ControlPlaneStack) -> str:
    """The Pulumi project whose stack it is."""
    return REGION_PROJECT if isinstance(stack, RegionStack) else CONTROL_PLANE_PROJECT
