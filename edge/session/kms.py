"""Wraps data keys with AWS KMS: the key that opens a session never leaves the key service."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge.session.errors import KeyRefused, RegionRefused, SealError
from edge.session.keys import KEY_BYTES, KMS_FORMAT, NONCE_BYTES, binding
from edge.session.kms_settings import KeyArn, KmsSettings
from regions.tag import ResidencyTag

MAX_BLOB_BYTES = 6144
"""Longest ciphertext of the key service ("Decrypt", AWS KMS API Reference, read 2026-11-21)."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What the key service says of a key."""

    arn: str
    usable: bool
    """Enabled, symmetric, for encryption."""
    state: str


class KeyService(Protocol):
    """The three questions to AWS KMS.

    All raise ``StoreBusy`` for what passes (no time, throttled, away), ``KeyRefused`` for a key
    that is disabled, to be deleted, not there or not for us, ``StoreBroken`` otherwise.
    """

    async def encrypt(
        self, key: str, plain: bytes, context: Mapping[str, str]
    ) -> tuple[str, bytes]:
        """The ARN of the key that was used, and the ciphertext."""
        ...

    async def decrypt(self, key: str, blob: bytes, context: Mapping[str, str]) -> bytes:
        """What was encrypted under that key and context. Raises ``SealError`` otherwise."""
        ...

    async def describe(self, key: str) -> KeyFacts:
        """What is known of a key."""
        ...

    async def close(self) -> None:
        """Free the client. Idempotent."""
        ...


class KmsKeys:
    """A :class:`~edge.session.keys.KeyProvider` of one region and account.

    Each data key is wrapped by AES-256-GCM under a key of its own, bound to the whole residency
    tag; that key is encrypted by the key service, with an encryption context that names the tag's
    digest and a few of its fields. The context is not secret: it stands in the account's audit
    trail, so it names no person. Nothing is cached: a session's key is asked for when the session
    is begun or opened, and lives no longer than its call.

    The format is 3, the length of the key's ARN, the ARN, the length of the ciphertext (two bytes),
    the ciphertext, nonce, wrapped data key.
    """

    def __init__(self, region: str, settings: KmsSettings, service: KeyService) -> None:
        self.region = region
        self._settings = settings
        self._service = service

    @property
    def regions(self) -> tuple[str, ...]:
        return (self.region,)

    async def check(self) -> None:
        """Ask for every key of the settings.

        Raises ``KeyRefused`` for one that cannot be used, ``RegionRefused`` for one of another
        region or account, ``StoreBusy``, ``StoreBroken``.
        """
        for where, name in self._settings.names:
            try:
                facts = await self._service.describe(name)
            except KeyRefused as error:
                raise KeyRefused(f"keys.kms.{where}: {error}") from error
            self._require_own(facts.arn, f"keys.kms.{where}: ")
            if not facts.usable:
                raise KeyRefused(
                    f"keys.kms.{where}: is {facts.state}, or not a symmetric key for encryption"
                )

    async def wrap(self, data_key: bytes, *, region: str, tag: ResidencyTag) -> bytes:
        if region != self.region or region not in tag.allowed_regions:
            raise RegionRefused(f"no key may be wrapped for region {region}")
        name = self._settings.key_of(tag.tenant)
        if name is None:
            raise KeyRefused("the settings name no key for this tenant")
        wrapping = secrets.token_bytes(KEY_BYTES)
        arn, blob = await self._service.encrypt(name, wrapping, _context(region, tag))
        self._require_own(arn)
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(wrapping).encrypt(nonce, data_key, _bound(arn, region, tag))
        head = KMS_FORMAT + bytes([len(arn)]) + arn.encode() + len(blob).to_bytes(2, "big")
        return head + blob + nonce + sealed

    async def unwrap(self, wrapped: bytes, *, region: str, tag: ResidencyTag) -> bytes:
        if region != self.region or not wrapped.startswith(KMS_FORMAT):
            raise SealError("the data key is wrapped under another region's key")
        arn, blob, rest = _split(wrapped)
        self._require_own(arn)
        wrapping = await self._service.decrypt(arn, blob, _context(region, tag))
        try:
            nonce, sealed = rest[:NONCE_BYTES], rest[NONCE_BYTES:]
            return AESGCM(wrapping).decrypt(nonce, sealed, _bound(arn, region, tag))
        except (InvalidTag, ValueError) as error:  # ValueError: a key or nonce of another length
            raise SealError("the data key does not unwrap under this residency tag") from error

    async def close(self) -> None:
        """Free the key service's client."""
        await self._service.close()

    def _require_own(self, text: str, where: str = "") -> None:
        arn = KeyArn.parse(text)
        if arn is None:
            raise SealError(f"{where}is wrapped under no key of AWS KMS")
        problem = arn.problem(self.region, self._settings.account)
        if problem is not None:
            raise RegionRefused(f"{where}{problem}")


def _context(region: str, tag: ResidencyTag) -> dict[str, str]:
    return {
        "inland:tenant": tag.tenant,
        "inland:session": tag.session,
        "inland:class": tag.data_class.value,
        "inland:region": region,
        "inland:tag": hashlib.sha256(tag.canonical()).hexdigest(),
    }


def _bound(arn: str, region: str, tag: ResidencyTag) -> bytes:
    return arn.encode() + b"\0" + binding(region, tag)


def _split(wrapped: bytes) -> tuple[str, bytes, bytes]:
    """ARN, ciphertext of the key service, and the rest. Raises ``SealError``."""
    try:
        start = 2 + wrapped[1]
        arn = wrapped[2:start].decode("ascii")
        length = int.from_bytes(wrapped[start : start + 2], "big")
        end = start + 2 + length
        if not 0 < length <= MAX_BLOB_BYTES or len(wrapped) < end + NONCE_BYTES:
            raise ValueError("cut short")
    except (IndexError, ValueError) as error:
        raise SealError("the wrapped data key is cut short or changed") from error
    return arn, wrapped[start + 2 : end], wrapped[end:]
