"""Reads ``constraints.txt``: which version of each package, and what its files' digests are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import InvalidMarker, Marker
from packaging.utils import NormalizedName, canonicalize_name

from inland.release.errors import LockError

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9.+!_-]+)\s*(;(?P<marker>.*?))?\s*"
    r"(?P<hashes>(--hash=sha256:[0-9a-f]{64}\s*)+)"
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of one package, on the machines that ``marker`` is true for."""

    name: NormalizedName
    version: str
    hashes: tuple[str, ...]
    """``sha256:…`` of every file that may be taken for it."""
    marker: Marker | None = None

    @property
    def line(self) -> str:
        """As pip reads it in hash-checking mode."""
        return " ".join((f"{self.name}=={self.version}", *(f"--hash={h}" for h in self.hashes)))


class Lock:
    """Every pin."""

    def __init__(self, pins: Sequence[Pin]) -> None:
        self._pins: defaultdict[NormalizedName, list[Pin]] = defaultdict(list)
        for pin in pins:
            self._pins[pin.name].append(pin)

    def pin(self, name: str, environment: Mapping[str, str]) -> Pin:
        """The pin of ``name`` on a machine with ``environment``. Raises ``LockError``."""
        for pin in self._pins[canonicalize_name(name)]:
            if pin.marker is None or pin.marker.evaluate(dict(environment)):
                return pin
        machine = environment.get("platform_machine")
        raise LockError(f"constraints.txt has no {name} for {machine}: run `make constraints`")


def read_lock(path: Path) -> Lock:
    """The lock file at ``path``. Raises ``LockError``."""
    try:
        text = path.read_text()
    except OSError as error:
        raise LockError(f"{path}: cannot be read: {error.strerror}") from error
    pins = []
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _PIN.fullmatch(line.strip())
        if match is None:
            raise LockError(f"{path}: {line[:60]!r} is not NAME==VERSION with sha256 hashes")
        pins.append(_pin(path, match))
    return Lock(pins)


def _pin(path: Path, match: re.Match[str]) -> Pin:
    try:
        marker = Marker(match["marker"]) if match["marker"] else None
    except InvalidMarker as error:
        raise LockError(f"{path}: {match['name']}: {error}") from error
    hashes = tuple(text.removeprefix("--hash=") for text in match["hashes"].split())
    return Pin(canonicalize_name(match["name"]), match["version"], hashes, marker)
