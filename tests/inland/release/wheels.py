"""Wheels of a few bytes, and an index of them that is a folder."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from inland.release.errors import NoWheel
from inland.release.lock import Pin
from inland.release.target import Target


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *requires: str,
    tag: str = "py3-none-any",
    modules: dict[str, str] | None = None,
) -> Path:
    """A wheel that pip installs (binary distribution format)."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    files = {
        **(modules or {f"{name.replace('-', '_')}.py": ""}),
        f"{info}/METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
            + [f"Requires-Dist: {text}" for text in requires]
        )
        + "\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(member, (2026, 1, 1, 0, 0, 0)), content)
    return path


def pin_of(*wheels: Path) -> str:
    """The lines of a lock file for wheels of one version."""
    name, version, _, _ = parse_wheel_filename(wheels[0].name)
    hashes = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
    options = " \\\n".join(f"    --hash=sha256:{digest}" for digest in hashes)
    return f"{name}=={version} \\\n{options}\n"


class Folder:
    """A ``Download`` from a folder: what pip does with an index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, pins: Sequence[Pin], target: Target, folder: Path) -> None:
        self.asked.append(tuple(pin.name for pin in pins))
        for pin in pins:
            fitting = [path for path in self.folder.glob("*.whl") if _fits(path, pin, target)]
            if not fitting:
                raise NoWheel([pin.name], target.architecture)
            shutil.copy(fitting[0], folder)


def _fits(path: Path, pin: Pin, target: Target) -> bool:
    name, version, _, tags = parse_wheel_filename(path.name)
    machines = {"any", f"manylinux_2_17_{target.machine}"}
    return (name, str(version)) == (pin.name, pin.version) and any(
        isinstance(tag, Tag) and tag.platform in machines for tag in tags
    )
