"""Signed policy bundles: the law as an operator sends it out, which nobody on the way can change.

A bundle is one JSON document ``{"v": 1, "key": …, "body": …, "signature": …}``. ``body`` is the
base64 (RFC 4648, section 4) of the canonical JSON of :class:`Body`; the Ed25519 signature
(RFC 8032) covers a context string and those bytes as they are, so that nothing is parsed before it
is known to be the operator's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)

from regions.errors import dotted
from regions.files import read_file
from regions.law import Law
from regions.models import Catalogue, Id, Strict, TenantPolicy

MAX_BUNDLE = 768 * 1024
"""Longest bundle that is read, bytes."""
MAX_SERIAL = 2**53 - 1
CONTEXT = b"inland policy bundle 1\n"
KEY_BYTES = 32


def _replica_key(found: object) -> bytes:
    words = f"is no replica key: the base64 of {KEY_BYTES} bytes, as `inland policy` prints it"
    if isinstance(found, bytes) and len(found) == KEY_BYTES:
        return found  # in base64 it would be longer
    if not isinstance(found, str | bytes):
        raise ValueError(words)
    try:
        raw = base64.b64decode(found, validate=True)
    except ValueError as error:  # binascii.Error is one
        raise ValueError(words) from error
    if len(raw) != KEY_BYTES:
        raise ValueError(words)
    return raw


ReplicaKey = Annotated[
    bytes,
    BeforeValidator(_replica_key),
    PlainSerializer(lambda raw: base64.b64encode(raw).decode(), when_used="json"),
]
"""X25519 (RFC 7748), written in base64."""


class BundleRefused(Exception):
    """This is no bundle to act on; ``code`` is a fixed word for logs and metrics."""

    def __init__(self, code: RefusalCode, words: str) -> None:
        super().__init__(words)
        self.code = code


RefusalCode = Literal[
    "unreadable",  # the file, not what is in it
    "malformed",
    "unknown_key",
    "bad_signature",
    "older",
    "conflicting",
    "incompatible",  # good in itself, and not with the other files of whoever reads it
]


class Body(Strict):
    """What is signed."""

    serial: int = Field(ge=1, le=MAX_SERIAL)
    """Grows by one or more with each bundle."""
    issued_at: int = Field(ge=0)
    """Unix seconds; for people, nothing is decided by it."""
    catalogue: Catalogue
    contracts: dict[Id, TenantPolicy] = Field(default_factory=dict, max_length=10_000)
    replica_keys: dict[Id, ReplicaKey] = Field(default_factory=dict, max_length=256)

    def law(self) -> Law:
        """What it says is in force; the same object each time."""
        return self._law

    @cached_property
    def _law(self) -> Law:
        return Law(
            self.catalogue,
            MappingProxyType(dict(self.contracts)),
            MappingProxyType(dict(self.replica_keys)),
            self.serial,
        )


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1]
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    body: str
    signature: str


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def sign(body: Body, key: Ed25519PrivateKey) -> bytes:
    """The bundle, UTF-8. Raises ``ValueError`` when nobody would read one of that length."""
    raw = json.dumps(body.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()
    envelope = {
        "v": 1,
        "key": key_id(key.public_key()),
        "body": base64.b64encode(raw).decode(),
        "signature": base64.b64encode(key.sign(CONTEXT + raw)).decode(),
    }
    bundle = json.dumps(envelope).encode() + b"\n"
    if len(bundle) > MAX_BUNDLE:
        raise ValueError(f"the bundle would have {len(bundle)} bytes, and {MAX_BUNDLE} are read")
    return bundle


def read_bundle(path: Path) -> bytes:
    """The file, or one byte more than a bundle may have. Raises ``OSError``."""
    return read_file(path, MAX_BUNDLE + 1)


def verify(bundle: bytes, trusted: Iterable[Ed25519PublicKey]) -> Body:
    """What a bundle says, when one of the ``trusted`` keys signed it.

    Contracts must name what the bundle's own catalogue has. Raises :class:`BundleRefused`.
    """
    envelope, raw = _opened(bundle)
    key = next((key for key in trusted if key_id(key) == envelope.key), None)
    if key is None:
        raise BundleRefused("unknown_key", f"signed with key {envelope.key}, which is not trusted")
    try:
        signature = base64.b64decode(envelope.signature, validate=True)
        key.verify(signature, CONTEXT + raw)
    except binascii.Error as error:
        raise BundleRefused("malformed", "this is not a policy bundle") from error
    except InvalidSignature as error:
        raise BundleRefused("bad_signature", "the bundle's signature is wrong") from error
    body = _body(raw)
    body.law().policy  # noqa: B018 # worked out here, as bundles are read where nobody waits
    return body


def claimed(bundle: bytes) -> tuple[str, Body]:
    """Which key a bundle says it was signed with, and what it says: for people to look at. Nothing
    may act on it: the signature was not checked. Raises :class:`BundleRefused`."""
    envelope, raw = _opened(bundle)
    return envelope.key, _body(raw)


def newer(body: Body, current: Law) -> bool:
    """Whether ``body`` is to replace ``current``; False when it is the very same.

    Raises :class:`BundleRefused` for an older serial, and for the same one that says something
    else: a serial names one bundle.
    """
    if body.serial < current.serial:
        raise BundleRefused(
            "older", f"the bundle is number {body.serial}, and {current.serial} is in force"
        )
    if body.serial > current.serial:
        return True
    if body.law() != current:
        raise BundleRefused("conflicting", f"another bundle {body.serial} is in force already")
    return False


def _opened(bundle: bytes) -> tuple[_Envelope, bytes]:
    """The envelope and the bytes that are signed, none of them checked yet."""
    if len(bundle) > MAX_BUNDLE:
        raise BundleRefused("malformed", f"the bundle is longer than {MAX_BUNDLE} bytes")
    try:
        _once_each(bundle)
        envelope = _Envelope.model_validate_json(bundle)
        return envelope, base64.b64decode(envelope.body, validate=True)
    except (ValueError, RecursionError) as error:  # pydantic's and base64's errors are ValueErrors
        raise BundleRefused("malformed", "this is not a policy bundle") from error


def _body(raw: bytes) -> Body:
    try:
        _once_each(raw)
        body = Body.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = dotted(first["loc"])
        raise BundleRefused("malformed", f"the signed policy: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise BundleRefused("malformed", f"the signed policy cannot be read: {error}") from error
    for tenant, contract in body.contracts.items():
        for fault in contract.faults(body.catalogue):
            raise BundleRefused("malformed", f"contract of {tenant}: {fault}")
    for region in body.replica_keys:
        if all(region != known.id for known in body.catalogue.regions):
            raise BundleRefused("malformed", f"replica_keys: the catalogue has no region {region}")
    return body


def _once_each(text: bytes) -> None:
    """Refuse JSON that says a key twice: which of the two counts is a matter of the reader's taste.

    Raises ``ValueError`` and ``RecursionError``, also for what is no JSON at all.
    """
    json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_no_number, parse_int=len)


def _unrepeated(pairs: list[tuple[str, object]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is there twice")


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
