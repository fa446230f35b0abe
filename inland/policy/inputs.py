"""The files that a bundle is made of, and bundles themselves, read strictly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field

from control_plane.tenants import TenantsFile
from inland.policy.errors import UnusableInput
from regions.bundle import MAX_BUNDLE, Body, BundleRefused, ReplicaKey, claimed, verify
from regions.catalogue import load_catalogue
from regions.errors import Fault
from regions.models import Catalogue, Id, Strict, TenantPolicy
from regions.policy_keys import policy_key
from regions.strict_yaml import load_yaml, located

SHIPPED = "shipped"
"""Names the catalogue that comes with Inland."""


class ContractsFile(Strict):
    """What tenants' contracts take away."""

    contracts: dict[Id, TenantPolicy]


class ReplicaKeysFile(Strict):
    """What each region's replicas are sealed for: lines of `inland policy replica-key`."""

    replica_keys: dict[Id, ReplicaKey] = Field(max_length=256)


def read_catalogue(name: str) -> Catalogue:
    """The catalogue in the file ``name``, or the one that comes with Inland. Raises
    ``ConfigError``."""
    return load_catalogue(None if name == SHIPPED else Path(name))


def read_contracts(path: Path, catalogue: Catalogue) -> dict[str, TenantPolicy]:
    """Contracts, held against the catalogue that they go out with.

    Raises ``ConfigError``, ``UnusableInput`` for what the catalogue does not have.
    """
    found = load_yaml(path, ContractsFile).contracts
    faults = [
        Fault(("contracts", tenant, *fault.path), fault.words)
        for tenant, contract in found.items()
        for fault in contract.faults(catalogue)
    ]
    if faults:
        raise UnusableInput("\n".join(located(path, faults)))
    return dict(found)


def read_replica_keys(path: Path, catalogue: Catalogue) -> dict[str, bytes]:
    """Regions' replica keys. Raises ``ConfigError``, ``UnusableInput`` for an unknown region."""
    found = load_yaml(path, ReplicaKeysFile).replica_keys
    known = {region.id for region in catalogue.regions}
    faults = [
        Fault(("replica_keys", region), f"the catalogue has no region {region!r}")
        for region in found
        if region not in known
    ]
    if faults:
        raise UnusableInput("\n".join(located(path, faults)))
    return dict(found)


def require_tenants(path: Path, contracts: Sequence[str]) -> None:
    """Each contract must be of a tenant of the control plane's file: one under a misspelt name
    binds nobody. Raises ``ConfigError``, ``UnusableInput``."""
    tenants = {tenant.id for tenant in load_yaml(path, TenantsFile).tenants}
    strangers = sorted({*contracts} - tenants)
    if strangers:
        raise UnusableInput(
            f"{path}: has no tenant {', '.join(strangers)}: it has {', '.join(sorted(tenants))}"
        )


def read_bundle(path: Path) -> bytes:
    """The bytes of a bundle. Raises ``UnusableInput``."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BUNDLE + 1)
    except OSError as error:
        raise UnusableInput(f"{path}: cannot be read: {error.strerror}") from error


def read_trusted(text: str) -> Ed25519PublicKey:
    """A public key of the command line. Raises ``UnusableInput``."""
    try:
        return policy_key(text)
    except ValueError as error:
        raise UnusableInput(f"--trust: {text[:80]!r} {error}") from error


def verified(path: Path, trusted: Sequence[Ed25519PublicKey]) -> Body:
    """What a bundle says, if one of the ``trusted`` keys signed it. Raises ``UnusableInput``."""
    try:
        return verify(read_bundle(path), trusted)
    except BundleRefused as refused:
        raise UnusableInput(f"{path}: {refused}") from refused


def unverified(path: Path) -> Body:
    """What a bundle claims, whoever signed it. Raises ``UnusableInput``."""
    try:
        return claimed(read_bundle(path))[1]
    except BundleRefused as refused:
        raise UnusableInput(f"{path}: {refused}") from refused
