"""Replicas: a session sealed for other regions, which its caller carries to one of them.

Regions reach each other over no network. A replica is sealed under a key of its own, which is
wrapped with HPKE (RFC 9180, base mode, X25519 with HKDF-SHA-256 and AES-256-GCM) once for each
region that may have the session. Base mode does not say who sealed: a message authentication code
per region does, under what the two regions' long-lived keys agree on (X25519, RFC 7748).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import Field, ValidationError

from edge.session.contents import (
    Contents,
    Decoded,
    Encoded,
    decode_contents,
    encode_contents,
)
from edge.session.errors import RegionRefused, ReplicaRefused, SealError, TooLarge
from edge.session.keys import KEY_BYTES, NONCE_BYTES, LocalKeyFile, derive
from regions.models import DataClass, Id, Strict
from regions.tag import ResidencyTag

REPLICA_PURPOSE = "replica"
"""The region's subkey that opens what was sealed for it (``LocalKeyFile.subkey``)."""
FORMAT: Literal[1] = 1
MAX_REPLICA = 128 * 1024
"""Longest replica as text, characters; all of them are ASCII."""
MAX_COMMAS = 1000
"""Every value of an envelope but the first ones stands behind a comma, and its body has none. What
has more is not even looked at: to say what is wrong with each would take far longer."""
MAX_AGREED = 256
"""Regions whose agreed keys are kept."""
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_CONTEXT = b"inland replica 1\0"


def replica_public_key(keys: LocalKeyFile) -> bytes:
    """What other regions seal replicas for this one with: an X25519 public key of 32 bytes."""
    return ReplicaKey.of(keys).public


class ReplicaHead(Strict):
    """What is readable of a replica, and bound to it. Nothing of the conversation is in it."""

    v: Literal[1] = FORMAT
    source: Id
    """The region that sealed it."""
    tag: ResidencyTag
    """The session's, of class ``transcript``."""
    agent: Id
    turn: int = Field(ge=0)
    """The last one in it."""
    at: int = Field(ge=0)
    """When it was sealed. This and the following times are Unix seconds."""
    expires_at: int = Field(ge=0)
    ends: dict[DataClass, int]
    """When each class of the session's data expires: nobody keeps it longer."""

    def canonical(self) -> bytes:
        """The one byte form of this head: sorted compact JSON."""
        body = self.model_dump(mode="json")
        return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


class _Wrap(Strict):
    key: Annotated[str, Field(max_length=256)]
    mac: Annotated[str, Field(max_length=64)]


class _Envelope(Strict):
    head: ReplicaHead
    wraps: Annotated[dict[Id, _Wrap], Field(min_length=1, max_length=32)]
    body: str


@dataclass(frozen=True, slots=True)
class Replica:
    """A sealed replica: its text, for which regions it is, and what is in it by class (bytes)."""

    text: str
    turn: int
    regions: tuple[str, ...]
    sizes: Mapping[DataClass, int]


@dataclass(frozen=True, slots=True)
class Verified:
    """A replica that a region of the law sealed for this one; its contents are still sealed."""

    head: ReplicaHead
    wrapped: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class OpenedReplica:
    """A replica, open: its head, the conversation, and the bytes of each class."""

    head: ReplicaHead
    contents: Contents
    sizes: Mapping[DataClass, int]


class ReplicaKey:
    """Seals and opens the replicas of one region. ``secret`` is 32 bytes that only its nodes have:
    ``LocalKeyFile.subkey("replica")``."""

    def __init__(self, region: str, secret: bytes) -> None:
        self.region = region
        self._key = X25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()
        """What other regions seal for this one with, 32 bytes."""
        self._agreed: dict[bytes, bytes] = {}

    @classmethod
    def of(cls, keys: LocalKeyFile) -> ReplicaKey:
        """The one of a key file's region."""
        return cls(keys.region, keys.subkey(REPLICA_PURPOSE))

    def seal(self, head: ReplicaHead, contents: Contents, keys: Mapping[str, bytes]) -> Replica:
        """A replica for the regions of ``keys``, which maps each to its public key.

        Raises ``RegionRefused`` for a region that the session's tag does not allow, and for this
        one; ``TooLarge``; ``SealError`` when a key is none.
        """
        for region in keys:
            if region not in head.tag.allowed_regions or region == self.region:
                raise RegionRefused(f"no replica may be sealed for region {region}")
        encoded = encode_contents(contents)
        if encoded is None:
            raise TooLarge("the conversation is longer than a replica may be")
        bound = _CONTEXT + head.canonical()
        body_key, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES)
        body = nonce + AESGCM(body_key).encrypt(nonce, encoded.body, bound)
        wraps: dict[str, _Wrap] = {}
        for region, public in keys.items():
            place = _binding(bound, region)
            try:
                peer = X25519PublicKey.from_public_bytes(public)
                wrapped = _SUITE.encrypt(body_key, peer, info=place)
                mac = _mac(self._agree(public, self.region, region), place, wrapped, body)
            except ValueError as error:
                raise SealError(f"the replica key of region {region} is no key") from error
            wraps[region] = _Wrap(key=_text(wrapped), mac=_text(mac))
        text = _Envelope(head=head, wraps=wraps, body=_text(body)).model_dump_json()
        if len(text) > MAX_REPLICA:
            raise TooLarge("the conversation is longer than a replica may be")
        return Replica(text, head.turn, tuple(keys), _sizes(encoded))

    def verify(self, text: str, keys: Mapping[str, bytes], *, now: float) -> Verified:
        """Who sealed it for whom, and that it still counts. ``keys`` are those of the law in force.

        Raises ``ReplicaRefused``.
        """
        if len(text) > MAX_REPLICA:
            raise ReplicaRefused("body_too_large", f"a replica has at most {MAX_REPLICA} bytes")
        if text.count(",") > MAX_COMMAS:
            raise ReplicaRefused("bad_replica", "this is no replica: call anew")
        try:
            found = _Envelope.model_validate_json(text)
            wrap = found.wraps.get(self.region)
            if wrap is None:
                raise ReplicaRefused(
                    "wrong_region", f"the replica is not for region {self.region}: call anew"
                )
            wrapped, mac, body = _bytes(wrap.key), _bytes(wrap.mac), _bytes(found.body)
        except (ValidationError, ValueError) as error:
            raise ReplicaRefused("bad_replica", "this is no replica: call anew") from error
        head = found.head
        public = keys.get(head.source)
        if public is None:
            # The sealing region may have a bundle that is only on its way to here.
            raise ReplicaRefused(
                "not_ready",
                f"the law in force here names no replica key of {head.source}; try again",
            )
        place = _binding(_CONTEXT + head.canonical(), self.region)
        try:
            agreed = self._agree(public, head.source, self.region)
        except ValueError as error:
            raise ReplicaRefused("bad_replica", "the sealing region's key is no key") from error
        if not hmac.compare_digest(_mac(agreed, place, wrapped, body), mac):
            raise ReplicaRefused("bad_replica", "the replica was changed on its way: call anew")
        if min([head.expires_at, head.tag.expires_at, *head.ends.values()]) <= now:
            raise ReplicaRefused("replica_expired", "the replica has expired: call anew")
        return Verified(head, wrapped, body)

    def open(self, verified: Verified) -> OpenedReplica:
        """What is in it. Raises ``ReplicaRefused``."""
        bound = _CONTEXT + verified.head.canonical()
        nonce, sealed = verified.body[:NONCE_BYTES], verified.body[NONCE_BYTES:]
        try:
            body_key = _SUITE.decrypt(
                verified.wrapped, self._key, info=_binding(bound, self.region)
            )
            body = AESGCM(body_key).decrypt(nonce, sealed, bound)
            found = decode_contents(body, verified.head.turn)
        except (InvalidTag, ValueError, SealError) as error:  # ValueError: a nonce cut short
            raise ReplicaRefused("bad_replica", "the replica does not open here") from error
        return OpenedReplica(verified.head, found.contents, _sizes(found))

    def _agree(self, public: bytes, source: str, target: str) -> bytes:
        """The key that a pair of regions authenticates replicas with, one for each direction.

        Raises ``ValueError`` for what is no public key.
        """
        shared = self._agreed.get(public)
        if shared is None:
            shared = self._key.exchange(X25519PublicKey.from_public_bytes(public))
            if len(self._agreed) >= MAX_AGREED:
                self._agreed.clear()
            self._agreed[public] = shared
        return derive(shared, f"replica from {source} to {target}")


def _sizes(found: Encoded | Decoded) -> dict[DataClass, int]:
    return {DataClass.TRANSCRIPT: found.transcript, DataClass.VARIABLES: found.variables}


def _binding(bound: bytes, region: str) -> bytes:
    return bound + b"\0" + region.encode()


def _mac(key: bytes, place: bytes, wrapped: bytes, body: bytes) -> bytes:
    parts = (place, wrapped, body)
    message = b"".join(hashlib.sha256(part).digest() for part in parts)
    return hmac.digest(key, message, hashlib.sha256)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
