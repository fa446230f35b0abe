"""Seals the entries of one session: what is moved, replayed or relabelled does not open."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge.session.errors import KeyDestroyed, SealError
from edge.session.keys import KEY_BYTES, NONCE_BYTES, derive
from regions.models import DataClass
from regions.tag import ResidencyTag

_FORMAT = b"\x01"


def new_data_key() -> bytes:
    """A fresh data key: one session's, for one class of data."""
    return secrets.token_bytes(KEY_BYTES)


@dataclass(frozen=True, slots=True)
class ClassKey:
    """What seals one class of a session's data: a data key, and the tag that is bound to it."""

    key: bytes
    tag: ResidencyTag


class Sealer:
    """AES-256-GCM under the data keys of one session, one per class.

    The associated data is the canonical residency tag for the entry's class, the agent, the kind
    of entry and its number or call id. A whole session put back to an earlier moment does not
    show: whoever can do that to the store could as well lose it. Nonces are random: a session has
    thousands of entries, the bound of NIST SP 800-38D section 8.3 is 2^32.
    """

    def __init__(self, keys: Mapping[DataClass, ClassKey], agent: str) -> None:
        self._agent = agent
        self._ciphers = {
            name: AESGCM(derive(each.key, "session seal")) for name, each in keys.items()
        }
        self._digest_keys = {
            name: derive(each.key, "session digest") for name, each in keys.items()
        }
        self._tags = {name: each.tag.canonical() for name, each in keys.items()}

    def seal(self, data_class: DataClass, kind: str, place: int | str, plain: bytes) -> bytes:
        """Seal ``plain`` as the entry of ``kind`` at ``place``."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        cipher = self._cipher(data_class)
        sealed = cipher.encrypt(nonce, plain, self._binding(data_class, kind, place))
        return _FORMAT + nonce + sealed

    def open(self, data_class: DataClass, kind: str, place: int | str, sealed: bytes) -> bytes:
        """What was sealed there.

        Raises ``SealError`` on every mismatch, ``KeyDestroyed`` without the class's key.
        """
        if not sealed.startswith(_FORMAT):
            raise SealError(f"the {kind} entry is of an unknown format")
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        cipher = self._cipher(data_class)
        try:
            return cipher.decrypt(nonce, body, self._binding(data_class, kind, place))
        except (InvalidTag, ValueError) as error:  # ValueError: a nonce cut short
            raise SealError(f"the {kind} entry is not what was sealed there") from error

    def digest(self, data_class: DataClass, kind: str, place: int | str, plain: bytes) -> bytes:
        """Tells a repeat from a rewrite without telling anyone else what was said."""
        message = f"{kind}\0{place}\0".encode() + plain
        return hmac.digest(self._digest_keys[data_class], message, sha256)

    def _cipher(self, data_class: DataClass) -> AESGCM:
        cipher = self._ciphers.get(data_class)
        if cipher is None:
            raise KeyDestroyed(f"the session's key for its {data_class.value} is not there")
        return cipher

    def _binding(self, data_class: DataClass, kind: str, place: int | str) -> bytes:
        return self._tags[data_class] + f"\0{self._agent}\0{kind}\0{place}".encode()
