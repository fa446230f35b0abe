"""The policy bundle in its file: read, verified, held against this replica's other files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from control_plane.settings import PolicySource
from control_plane.tenants import Tenants, TenantsFile, faults
from regions.bundle import Body, BundleRefused, read_bundle, verify
from regions.law import Law
from regions.models import Catalogue
from regions.policy_keys import policy_key

Stamp = tuple[int, ...]
"""Changes whenever a file is written or replaced."""
Misfits = Callable[[Catalogue], Iterator[str]]
"""What of this replica's other files a catalogue leaves without a place, in words."""


@dataclass(frozen=True, slots=True)
class SignedLaw:
    """A bundle that was verified: its bytes as they were signed, and what they say."""

    raw: bytes
    body: Body
    law: Law
    etag: str
    """A strong validator (RFC 9110, section 8.8.3), without its quotes."""


class PolicyFile:
    """One file, read when asked. Nothing here waits for anything but the disk."""

    def __init__(self, source: PolicySource) -> None:
        self._path = source.bundle
        self._keys = tuple(policy_key(text) for text in source.keys)
        self._seen: Stamp | None = None

    def changed(self) -> bool:
        """Whether the file was written, replaced or removed since it was last read."""
        return self._stamp() != self._seen

    def read(self, misfits: Misfits | None = None) -> SignedLaw:
        """What the file says, if it leaves no ``misfits``.

        Raises ``BundleRefused``; its text begins with the file's name.
        """
        self._seen = self._stamp()  # first: what is written while we read is read next time
        try:
            return self._read(misfits)
        except BundleRefused as refused:
            raise BundleRefused(refused.code, f"{self._path}: {refused}") from refused

    def _stamp(self) -> Stamp | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _read(self, misfits: Misfits | None) -> SignedLaw:
        try:
            raw = read_bundle(self._path)
        except OSError as error:
            raise BundleRefused("unreadable", f"cannot be read: {error.strerror}") from error
        body = verify(raw, self._keys)
        for words in misfits(body.catalogue) if misfits else ():
            raise BundleRefused("incompatible", words)
        return SignedLaw(raw, body, body.law(), hashlib.sha256(raw).hexdigest())


def strangers(regions: Iterable[str], catalogue: Catalogue) -> list[str]:
    """Which of ``regions`` the catalogue does not have."""
    return sorted({*regions} - {region.id for region in catalogue.regions})


def misfits_of(tenants: Tenants, node_secrets: Collection[str]) -> Misfits:
    """Asks a catalogue for the regions of ``node_secrets``, and for all that ``tenants`` name."""

    def misfits(catalogue: Catalogue) -> Iterator[str]:
        for region in strangers(node_secrets, catalogue):
            yield f"node_secrets: the bundle's catalogue has no region {region}"
        for fault in faults(TenantsFile(tenants=tenants.all), catalogue):
            yield f"the tenants' file does not fit the bundle's catalogue: {fault}"

    return misfits
