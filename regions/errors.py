"""What can go wrong in this package. No retry helps: a file or a value has to be changed.

RegionsError
├── ConfigError   a file is not what its schema says; the text names file, line, key and cure
└── TagError      bytes that are not a residency tag of this version

A model whose parts do not fit raises ``Faults`` from a validator: a ``ValueError`` that knows the
key of each fault, so that the reader of a file can name the lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and positions from a document's root to a value."""


def dotted(path: Path) -> str:
    """The path as people write it: ``rules[3].regions``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


@dataclass(frozen=True, slots=True)
class Fault:
    """What does not fit, in words, and at which key."""

    path: Path
    words: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.words}"


class Faults(ValueError):
    """A value has several parts that do not fit; the paths begin at that value."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults


class RegionsError(Exception):
    """Anything this package refuses."""


class ConfigError(RegionsError):
    """A configuration file is wrong; ``str()`` is ready to be shown to an operator."""


class TagError(RegionsError):
    """These bytes are not a residency tag that this version can read."""
