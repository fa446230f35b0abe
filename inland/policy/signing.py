"""Makes the next bundle: whatever is not given again goes on as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from inland.policy.errors import UnusableInput
from inland.policy.inputs import (
    SHIPPED,
    read_catalogue,
    read_contracts,
    read_replica_keys,
    require_tenants,
    verified,
)
from regions.bundle import MAX_SERIAL, Body, BundleRefused, sign, verify
from regions.files import replace_file


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for; None: not said."""

    after: Path | None = None
    catalogue: str | None = None
    contracts: Path | None = None
    replica_keys: Path | None = None
    tenants: Path | None = None
    serial: int | None = None


def before(
    wanted: Wanted, key: Ed25519PrivateKey, trusted: Sequence[Ed25519PublicKey]
) -> Body | None:
    """The bundle that the next one comes after. Raises ``UnusableInput``."""
    if wanted.after is None:
        return None
    return verified(wanted.after, (key.public_key(), *trusted))


def next_body(wanted: Wanted, old: Body | None, *, issued_at: int) -> Body:
    """What is to be signed. A part that is not named is the old bundle's, so that no contract is
    lost by forgetting a file. Raises ``ConfigError``, ``UnusableInput``."""
    if old is not None and wanted.catalogue is None:
        catalogue = old.catalogue
    else:
        catalogue = read_catalogue(wanted.catalogue or SHIPPED)
    contracts = {} if old is None else dict(old.contracts)
    if wanted.contracts is not None:
        contracts = read_contracts(wanted.contracts, catalogue)
    replica_keys = {} if old is None else dict(old.replica_keys)
    if wanted.replica_keys is not None:
        replica_keys = read_replica_keys(wanted.replica_keys, catalogue)
    if wanted.tenants is not None:
        require_tenants(wanted.tenants, tuple(contracts))
    return Body(
        serial=_serial(wanted.serial, old),
        issued_at=issued_at,
        catalogue=catalogue,
        contracts=contracts,
        replica_keys=replica_keys,
    )


def signed(body: Body, key: Ed25519PrivateKey) -> bytes:
    """The bundle, as whoever gets it will read it. Raises ``UnusableInput``."""
    try:
        bundle = sign(body, key)
        verify(bundle, (key.public_key(),))
    except (BundleRefused, ValueError) as error:
        raise UnusableInput(str(error)) from error
    return bundle


def put(path: Path, bundle: bytes, *, instead_of: Path | None) -> None:
    """Write the bundle, whole or not at all: somebody may be watching the file. One that is there
    is replaced only if it is the one that this comes after. Raises ``UnusableInput``."""
    try:
        if path.exists() and not (instead_of is not None and path.samefile(instead_of)):
            raise UnusableInput(
                f"{path}: is there already: replace it by a later one with --after {path}, "
                "or choose another name"
            )
        replace_file(path, bundle, mode=0o644)
    except OSError as error:
        raise UnusableInput(f"{path}: cannot be written: {error.strerror}") from error


def _serial(wanted: int | None, old: Body | None) -> int:
    last = 0 if old is None else old.serial
    serial = last + 1 if wanted is None else wanted
    if serial > MAX_SERIAL:
        raise UnusableInput(f"--serial {serial}: the highest number is {MAX_SERIAL}")
    if serial <= last:
        raise UnusableInput(
            f"--serial {serial}: has to be above {last}"
            + ("" if old is None else ", which every node may have by now")
        )
    return serial
