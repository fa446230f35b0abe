"""Route tokens: Ed25519 JWTs (RFC 7519, RFC 8037) that an edge verifies offline."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from control_plane.contract import RouteClaims
from control_plane.errors import KeyFileError

Jwk = dict[str, str]

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new_session_id() -> str:
    """``s_`` and 128 random bits as 22 base-62 digits."""
    number = secrets.randbits(128)
    digits: list[str] = []
    for _ in range(22):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "s_" + "".join(reversed(digits))


class TokenSigner:
    """Signs with one key and publishes that and any number of others.

    To rotate without refusing a call: publish the new public key on every replica, wait until the
    edges have fetched it (the JWKS is cacheable for ``JWKS_MAX_AGE`` seconds), sign with the new
    key and publish the old one until its last token has expired.
    """

    def __init__(self, key: Ed25519PrivateKey, published: Sequence[Ed25519PublicKey] = ()) -> None:
        self._key = key
        own = public_jwk(key.public_key())
        self.kid = own["kid"]
        jwks = {own["kid"]: own}
        for other in published:
            jwk = public_jwk(other)
            jwks.setdefault(jwk["kid"], jwk)
        self._jwks = tuple(jwks.values())

    def sign(self, claims: RouteClaims) -> str:
        """A compact JWS of ``claims`` with the signing key's id in its header."""
        return jwt.encode(
            claims.model_dump(mode="json", exclude_none=True),
            self._key,
            algorithm="EdDSA",
            headers={"kid": self.kid},
        )

    def jwks(self) -> dict[str, list[Jwk]]:
        """The JWK Set (RFC 7517, section 5): the signing key first."""
        return {"keys": [dict(jwk) for jwk in self._jwks]}


def public_jwk(key: Ed25519PublicKey) -> Jwk:
    """``key`` as a JWK (RFC 8037, section 2); ``kid`` is its thumbprint (RFC 7638; 8037 A.3)."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    required = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True).encode()
    kid = _base64url(hashlib.sha256(canonical).digest())
    return {**required, "kid": kid, "use": "sig", "alg": "EdDSA"}


def load_or_create_key(path: Path) -> Ed25519PrivateKey:
    """The signing key in ``path`` (PKCS #8 PEM), made with mode 0600 if there is none.

    Two replicas that start at once on one path end with the same key: the file appears whole or
    not at all. Raises ``KeyFileError``.
    """
    try:
        if not path.exists():
            _create_key(path)
    except OSError as error:
        raise _unusable(path, error) from error
    return load_key(path)


def load_key(path: Path) -> Ed25519PrivateKey:
    """The signing key that is in ``path``. Raises ``KeyFileError``."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        data = path.read_bytes()
    except OSError as error:
        raise _unusable(path, error) from error
    if mode & 0o077:
        raise KeyFileError(
            f"signing key {path}: mode {mode:04o} lets others read it; run: chmod 600 {path}"
        )
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"signing key {path}: not an unencrypted PEM private key; move it away for a new one"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"signing key {path}: not Ed25519; move it away for a new one")
    return key


def _unusable(path: Path, error: OSError) -> KeyFileError:
    return KeyFileError(
        f"signing key {path}: {error.strerror}; check the path and its folder's permissions"
    )


def load_public_key(path: Path) -> Ed25519PublicKey:
    """An Ed25519 public key (SubjectPublicKeyInfo PEM). Raises ``KeyFileError``."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise KeyFileError(f"published key {path}: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"published key {path}: not a PEM public key; make one with "
            f"openssl pkey -in KEY -pubout -out {path}"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"published key {path}: not Ed25519")
    return key


def _create_key(path: Path) -> None:
    """Write a new key beside ``path`` and link it into place; a key made meanwhile wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
