"""Signed heads of an audit log: what its last entry was at a moment, for keeping elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError

from edge.audit import Hex64, LogId
from edge.session.receipt import key_id
from regions.models import Id, Strict

TYPE = "inland-audit-head+jws"
AUDIT_PURPOSE = "audit"
"""The region's subkey that signs (``LocalKeyFile.subkey``)."""
MAX_HEAD = 2048
FIELD = "head"
"""The field of a node's own log lines that carries a head."""


class Head(Strict):
    """``log`` had ``n`` entries at ``at`` (Unix seconds), and this was the digest of the last."""

    v: Literal[1] = 1
    log: LogId
    region: Id
    n: Annotated[int, Field(ge=1)]
    digest: Hex64
    at: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class HeadKey:
    """Signs heads. ``secret`` is 32 bytes that only the region's nodes have."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key()
        self.key_id = key_id(self.public)

    def sign(self, head: Head) -> str:
        """The head as a JWS in compact form (RFC 7515) under EdDSA (RFC 8037)."""
        return jwt.api_jws.encode(
            head.model_dump_json().encode(),
            self._key,
            algorithm="EdDSA",
            headers={"kid": self.key_id, "typ": TYPE},
        )


def read_head(signed: str, keys: Mapping[str, Ed25519PublicKey]) -> Head | None:
    """The head, if one of ``keys`` (by key id) signed it."""
    if len(signed) > MAX_HEAD or not signed.isascii():
        return None
    try:
        header = jwt.get_unverified_header(signed)
        key = keys.get(str(header.get("kid")))
        if key is None or header.get("typ") != TYPE:
            return None
        return Head.model_validate_json(jwt.api_jws.decode(signed, key, algorithms=["EdDSA"]))
    except (jwt.PyJWTError, ValidationError):
        return None


def head_texts(lines: Iterable[str]) -> list[str]:
    """The signed heads in a file of them, or in a node's own log: lines of JSON with a ``head``.

    Other lines of such a log are passed over.
    """
    found = []
    for line in (each.strip() for each in lines):
        if line.startswith("{"):
            try:
                told = json.loads(line).get(FIELD)
            except ValueError:
                continue
            if isinstance(told, str):
                found.append(told)
        elif line:
            found.append(line)
    return found
