"""What this replica remembers of policy bundles across restarts: the last one that was in force.

Without it, whoever can write to the bundle's folder could put an older law back, signature and all,
and have it at the next restart.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from control_plane.errors import PolicyError
from control_plane.policy_file import SignedLaw
from regions.bundle import MAX_SERIAL, BundleRefused
from regions.files import replace_file
from regions.models import Strict

MAX_STATE = 1024


class Remembered(Strict):
    """The last bundle that was in force."""

    v: Literal[1] = 1
    serial: int = Field(ge=1, le=MAX_SERIAL)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Of the bundle's bytes."""


def remembered(bundle: SignedLaw) -> Remembered:
    """What is to be remembered of ``bundle``."""
    return Remembered(serial=bundle.law.serial, sha256=bundle.etag)


def replaces(found: SignedLaw, last: Remembered | None) -> bool:
    """Whether ``found`` is newer than the ``last`` bundle; False when it is the very same.

    Raises ``BundleRefused`` for an older one, and for another of the same serial.
    """
    if last is None or found.law.serial > last.serial:
        return True
    if found.law.serial < last.serial:
        raise BundleRefused(
            "older",
            f"the bundle is number {found.law.serial}, and {last.serial} was in force already: "
            f"sign what it says as number {last.serial + 1}",
        )
    if found.etag != last.sha256:
        raise BundleRefused(
            "conflicting",
            f"another bundle {last.serial} was in force already: "
            f"sign this one as number {last.serial + 1}",
        )
    return False


class PolicyState:
    """The memory's file. Replicas may share one: it never goes back."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self) -> Remembered | None:
        """The last bundle; None before the first one. Raises ``PolicyError``."""
        try:
            with self._path.open("rb") as file:
                raw = file.read(MAX_STATE + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PolicyError(f"policy.state {self._path}: {error.strerror}") from error
        try:
            if len(raw) > MAX_STATE:
                raise ValueError("too long")
            return Remembered.model_validate_json(raw)
        except (ValidationError, ValueError) as error:
            raise PolicyError(
                f"policy.state {self._path}: not what this program wrote, so which bundle was in "
                "force is not known; remove it only if the bundle is the newest that was signed"
            ) from error

    def remember(self, bundle: SignedLaw) -> None:
        """Keep ``bundle``, unless a later one is kept. Raises ``OSError`` and ``PolicyError``."""
        last = self.recall()
        now = remembered(bundle)
        if last is not None and last.serial >= now.serial:
            return
        line = json.dumps(now.model_dump()).encode() + b"\n"
        replace_file(self._path, line, mode=0o644)
