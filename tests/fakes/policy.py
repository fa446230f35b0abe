"""Signed policy bundles as an operator makes them."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from regions.bundle import Body, sign
from regions.catalogue import load_catalogue
from regions.models import Catalogue, TenantPolicy

OPERATOR = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
TRUSTED = (OPERATOR.public_key(),)


def body(
    serial: int,
    contracts: Mapping[str, TenantPolicy] | None = None,
    catalogue: Catalogue | None = None,
) -> Body:
    """What bundle ``serial`` says: the shipped law without contracts, unless told otherwise."""
    return Body(
        serial=serial,
        issued_at=1_790_000_000,
        catalogue=catalogue or load_catalogue(),
        contracts=dict(contracts or {}),
    )


def bundle(
    serial: int,
    contracts: Mapping[str, TenantPolicy] | None = None,
    *,
    key: Ed25519PrivateKey = OPERATOR,
    catalogue: Catalogue | None = None,
) -> bytes:
    """The same, signed."""
    return sign(body(serial, contracts, catalogue), key)


def forged(raw: bytes) -> bytes:
    """The bundle with another signature, of the right length."""
    before, mark, signature = raw.rpartition(b'"signature": "')
    changed = b"B" if signature[:1] == b"A" else b"A"
    return before + mark + changed + signature[1:]
