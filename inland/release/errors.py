"""What can go wrong while a bundle is made; ``str()`` is ready to be shown to an operator.

ReleaseError
├── LockError        pyproject.toml and constraints.txt do not fit together: resolve again
├── NoWheel          the index has no wheel of a pinned package for a platform
├── PipFailed        pip could not do what it was asked; a retry may help
└── SiteError        a file of the site is wrong or does not belong there
"""

from __future__ import annotations

from collections.abc import Sequence


class ReleaseError(Exception):
    """No bundle was made."""


class LockError(ReleaseError):
    """pyproject.toml and constraints.txt do not fit together: resolve again."""


class NoWheel(ReleaseError):
    """The index has no wheel of these packages for ``architecture``."""

    def __init__(self, packages: Sequence[str], architecture: str) -> None:
        self.packages = tuple(packages)
        self.architecture = architecture
        super().__init__(
            f"no wheel for {architecture}: {', '.join(packages)}: use versions that have one "
            "(`make constraints`), or build for the other architecture alone with --platform"
        )


class PipFailed(ReleaseError):
    """pip could not do what it was asked; a retry may help."""


class SiteError(ReleaseError):
    """A file of the site is wrong or does not belong there."""
