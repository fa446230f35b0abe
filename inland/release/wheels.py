"""Which packages a machine needs: the project's requirements and, of each wheel, what it requires.

pip's own resolver asks markers about the machine that it runs on. Here they are asked about the
machine that the wheels are for, and every version is the lock's.
"""

from __future__ import annotations

import email
import hashlib
import zipfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name, parse_wheel_filename

from inland.release.errors import LockError
from inland.release.lock import Lock, Pin
from inland.release.target import Target

Download: TypeAlias = Callable[[Sequence[Pin], Target, Path], None]
"""Puts the wheels of some pins for a target into a folder."""
Progress: TypeAlias = Callable[[str], None]
"""Told in a line what is being done."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on disk."""

    path: Path
    name: NormalizedName
    version: str

    @property
    def line(self) -> str:
        """As pip reads it in hash-checking mode: this very file."""
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{self.name}=={self.version} --hash=sha256:{digest}"

    def requires(self) -> list[Requirement]:
        """What its metadata ask for, whatever the marker (core metadata, ``Requires-Dist``)."""
        with zipfile.ZipFile(self.path) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            metadata = email.message_from_bytes(archive.read(name))
        return [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]


def open_wheel(path: Path) -> Wheel:
    """The wheel at ``path``, read by its name."""
    name, version, _, _ = parse_wheel_filename(path.name)
    return Wheel(path, name, str(version))


@dataclass
class Closure:
    """Finds everything that some requirements need on ``target``; wheels go to ``folder``."""

    lock: Lock
    target: Target
    folder: Path
    download: Download
    progress: Progress
    _wheels: dict[NormalizedName, Wheel] = field(default_factory=dict)

    def of(self, requirements: Iterable[Requirement], extras: Collection[str]) -> list[Wheel]:
        """The wheels for ``requirements`` with ``extras`` of the project that has them, by name.

        Raises ``LockError``, ``NoWheel`` or ``PipFailed``.
        """
        wanted = [*self._that_apply(requirements, extras)]
        done: dict[NormalizedName, set[str]] = {}
        while wanted:
            self._fetch({canonicalize_name(requirement.name) for requirement in wanted})
            found: list[Requirement] = []
            for requirement in wanted:
                name = canonicalize_name(requirement.name)
                wheel = self._wheels[name]
                if not requirement.specifier.contains(wheel.version, prereleases=True):
                    raise LockError(
                        f"{requirement} is required and constraints.txt has {name} "
                        f"{wheel.version}: run `make constraints`"
                    )
                if name in done and requirement.extras <= done[name]:
                    continue
                known = done.setdefault(name, set())
                known |= requirement.extras
                found += self._that_apply(wheel.requires(), known)
            wanted = found
        return sorted((self._wheels[name] for name in done), key=lambda wheel: wheel.name)

    def _that_apply(
        self, requirements: Iterable[Requirement], extras: Collection[str]
    ) -> Iterable[Requirement]:
        for requirement in requirements:
            if requirement.marker is None or any(
                requirement.marker.evaluate(self.target.environment | {"extra": extra})
                for extra in ("", *extras)
            ):
                yield requirement

    def _fetch(self, names: Collection[NormalizedName]) -> None:
        """Make sure of the wheels called ``names``."""
        missing = sorted({*names} - self._wheels.keys())
        if not missing:
            return
        self.progress(f"{self.target.architecture}: fetching {', '.join(missing)}")
        pins = [self.lock.pin(name, self.target.environment) for name in missing]
        # A folder of this target's own: the other one has a wheel of the same name and version.
        self.folder.mkdir(parents=True, exist_ok=True)
        self.download(pins, self.target, self.folder)
        for path in self.folder.glob("*.whl"):
            wheel = open_wheel(path)
            self._wheels[wheel.name] = wheel
