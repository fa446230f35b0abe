"""Makes the release bundle: everything that a Debian 12 machine needs to run Inland, by digest.

::

    manifest.json
    requirements/edge-amd64.txt           one line per wheel, with its digest
    requirements/control-plane-amd64.txt  the same without what only calls need, and without GPL
    requirements/…-arm64.txt
    wheels/*.whl                          of every architecture, Inland's own and pip's included
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from inland.release import pip
from inland.release.archive import Content, write_tar
from inland.release.errors import ReleaseError
from inland.release.lock import read_lock
from inland.release.target import PYTHON, Target
from inland.release.wheels import Closure, Download, Progress, Wheel, open_wheel

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "edge": ("edge", "voices", "sherpa", "aws"),
    "control-plane": ("aws",),
}
"""Requirements file to the extras of the project that it has. Relays use the second."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was made."""

    path: Path
    version: str
    sha256: str
    size: int
    """Bytes."""
    wheels: int


def source_root() -> Path:
    """The checkout that this very module is of. Raises ``ReleaseError``."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "pyproject.toml").is_file() or not (root / "constraints.txt").is_file():
        raise ReleaseError("a release is built from a checkout of Inland: install it with `make`")
    return root


def source_date(root: Path, environ: Mapping[str, str] = os.environ) -> int:
    """``SOURCE_DATE_EPOCH``, else when the checkout's commit was made. Raises ``ReleaseError``."""
    given = environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        if not given.isdecimal():
            raise ReleaseError("SOURCE_DATE_EPOCH: should be whole seconds since 1970")
        return int(given)
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "log", "-1", "--format=%ct"],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        raise ReleaseError(
            f"{root}: no commit tells the release's date: set SOURCE_DATE_EPOCH"
        ) from None
    return int(done.stdout)


def build_release(
    root: Path,
    out: Path,
    targets: Sequence[Target],
    *,
    date: int,
    progress: Progress,
    download: Download = pip.download,
) -> Bundle:
    """Build the bundle for ``targets`` from the checkout at ``root`` into the folder ``out``.

    Raises ``ReleaseError``.
    """
    lock = read_lock(root / "constraints.txt")
    with tempfile.TemporaryDirectory(prefix="inland-release-") as scratch:
        backend = Closure(lock, targets[0], Path(scratch, "backend"), download, progress)
        own = _own_wheel(root, backend, Path(scratch, "own"), date)
        files: dict[str, Content] = {}
        for target in targets:
            folder = Path(scratch, target.architecture)
            closure = Closure(lock, target, folder, download, progress)
            files |= _requirements(own, closure)
            files |= {f"wheels/{path.name}": path for path in folder.glob("*.whl")}
        files[f"wheels/{own.path.name}"] = own.path
        files["manifest.json"] = _manifest(own, targets, date)
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"inland-release-{own.version}.tar"
        progress(f"writing {path}")
        sha256 = write_tar(path, files, date)
    count = sum(name.endswith(".whl") for name in files)
    return Bundle(path, own.version, sha256, path.stat().st_size, count)


def _own_wheel(root: Path, closure: Closure, folder: Path, date: int) -> Wheel:
    """Inland's wheel, built by the lock's hatchling; that is pure Python, so any target's will."""
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["build-system"]["requires"]
    backend = closure.of([Requirement(text) for text in wanted], ())
    closure.progress("building Inland's own wheel")
    pip.build(root, [wheel.path for wheel in backend], folder, date)
    (path,) = folder.glob("*.whl")
    return open_wheel(path)


def _requirements(own: Wheel, closure: Closure) -> dict[str, bytes]:
    """The requirements files of one architecture; fetches their wheels, and pip's."""
    found = {}
    for name, extras in EXTRAS.items():
        wheels = closure.of(own.requires(), extras)
        lines = [_with_extras(own, extras), *(wheel.line for wheel in wheels)]
        text = "".join(f"{line}\n" for line in lines)
        found[f"requirements/{name}-{closure.target.architecture}.txt"] = text.encode()
    closure.of([Requirement("pip")], ())
    return found


def _with_extras(own: Wheel, extras: Sequence[str]) -> str:
    """Naming the extras makes pip check that the list is whole."""
    return own.line.replace("==", f"[{','.join(extras)}]==", 1)


def _manifest(own: Wheel, targets: Sequence[Target], date: int) -> bytes:
    manifest = {
        "name": own.name,
        "version": own.version,
        "python": PYTHON,
        "platforms": [target.architecture for target in targets],
        "date": dt.datetime.fromtimestamp(date, dt.UTC).isoformat(),
        "extras": {name: list(extras) for name, extras in EXTRAS.items()},
    }
    return (json.dumps(manifest, indent=2) + "\n").encode()
