"""Copies of the working tree: what is switched off is switched off there, never in the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.layers.layer import Layer

ROOT = Path(__file__).parents[2]


SKIPPED = {"__pycache__", "node_modules", "dist", "var"}
"""Folders of what is made, where there is no git to say so; hidden ones too."""


def tracked(root: Path = ROOT) -> tuple[str, ...]:
    """The files that git tracks, and those that it would: new ones that nothing ignores.

    An unpacked archive is no working tree of git's; there it is every file but those ``SKIPPED``.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, check=True)
        names = done.stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = list(_walked(root))
    return tuple(sorted({name for name in names if name and (root / name).is_file()}))


def _walked(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if name not in SKIPPED and not name.startswith(".") and not name.endswith(".egg-info")
        ]
        yield from (str((Path(folder) / name).relative_to(root)) for name in files)


def copy(to: Path, root: Path = ROOT) -> None:
    """Put the tree's files below ``to``, as they are at this moment."""
    for name in tracked(root):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(root / name, target)
        except FileNotFoundError:  # gone since it was listed: somebody works in the tree
            continue


@contextmanager
def without(layer: Layer, tree: Path) -> Iterator[None]:
    """In the copy ``tree`` the layer is off for as long as this lasts.

    Compiled files are taken away, because Python tells by second and size whether they are old.
    Raises ``PatchMisfit``.
    """
    before = {path: (tree / path).read_text() for path in layer.files}
    spoiled = layer.spoil(before.__getitem__)
    try:
        for path, text in spoiled.items():
            _write(tree / path, text)
        yield
    finally:
        for path, text in before.items():
            _write(tree / path, text)


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
