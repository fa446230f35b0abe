"""Replicas: a session sealed for other regions, which its caller carries to one of them.

Regions reach each other over no network. A replica is sealed under a key of its own, which is
wrapped with HPKE (RFC 9180, base mode, X25519 with HKDF-SHA-256 and AES-256-GCM) once for each
region that may have the session. Base mode does not say who sealed: a message authentication code
per region does, under what the two regions' long-lived keys agree on (X25519, RFC 7748).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from edge.session.keys import LocalKeyFile

REPLICA_PURPOSE = "replica"
"""The region's subkey that opens what was sealed for it (``LocalKeyFile.subkey``)."""


def replica_public_key(keys: LocalKeyFile) -> bytes:
    """What other regions seal replicas for this one with: an X25519 public key of 32 bytes."""
    return _private_key(keys.subkey(REPLICA_PURPOSE)).public_key().public_bytes_raw()


def _private_key(secret: bytes) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(secret)
