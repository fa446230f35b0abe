"""The public keys that verify policy bundles, as settings have them: one line of text."""

from __future__ import annotations

import base64
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AfterValidator, StringConstraints

PREFIX = "ed25519:"
"""Keeps a policy key and a replica key, both 32 bytes in base64, from being mixed up."""


def policy_key(text: str) -> Ed25519PublicKey:
    """The key that ``text`` is. Raises ``ValueError`` for what is none."""
    words = f"is no policy key: {PREFIX} and base64, as `inland policy key` prints it"
    if not text.startswith(PREFIX):
        raise ValueError(words)
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError as error:  # binascii.Error is one
        raise ValueError(words) from error


def policy_key_text(key: Ed25519PublicKey) -> str:
    """``key`` as settings have it: ``ed25519:`` and the base64 of its 32 bytes."""
    return PREFIX + base64.b64encode(key.public_bytes_raw()).decode()


def _checked(text: str) -> str:
    policy_key(text)
    return text


PolicyKeyText = Annotated[str, StringConstraints(max_length=64), AfterValidator(_checked)]
"""A field of settings; :func:`policy_key` reads it."""
