"""The policy bundle that a node keeps on its disk, so that a restart goes back to no older law."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from regions.bundle import Body, BundleRefused, read_bundle, verify
from regions.files import replace_file

NAME = "policy.bundle"


class KeptBroken(Exception):
    """What is kept cannot be gone by; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A bundle that was verified, as it came and as it reads."""

    raw: bytes
    body: Body


class KeptBundle:
    """One file, in the ``data`` of a node; nodes that share the folder share it.

    It is replaced whole, and never by an older bundle. It is verified whenever it is read: who can
    write to the disk cannot write law.
    """

    def __init__(self, folder: Path, trusted: Sequence[Ed25519PublicKey]) -> None:
        self._path = folder / NAME
        self._trusted = tuple(trusted)

    def read(self) -> Signed | None:
        """What is kept; None before the first bundle. Raises :class:`KeptBroken`."""
        try:
            raw = read_bundle(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeptBroken(f"{self._path}: {error.strerror}") from error
        try:
            return Signed(raw, verify(raw, self._trusted))
        except BundleRefused as refused:
            raise KeptBroken(
                f"{self._path} ({refused.code}): {refused}. The law that was last in force here "
                "is not known: put the newest signed bundle in its place, or add the key that "
                "signed it to policy.keys"
            ) from refused

    def keep(self, signed: Signed) -> None:
        """Write it down, unless a newer one is kept; on the disk when this returns.

        Raises ``OSError`` and :class:`KeptBroken`.
        """
        with self._locked():
            kept = self.read()
            if kept is not None and kept.body.serial >= signed.body.serial:
                return
            replace_file(self._path, signed.raw)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, of all nodes that share the folder."""
        lock = os.open(self._path.with_name(f".{NAME}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
