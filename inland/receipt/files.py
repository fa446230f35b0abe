"""Receipts and keys out of files: one JWS, several lines of them, or an edge's answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.jwks import KeysUnreadable, read_keys
from edge.session.receipt import key_id
from inland.receipt.errors import UnusableInput

MAX_FILE_BYTES = 64 * 1024 * 1024
Keys = Mapping[str, Ed25519PublicKey]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Receipts as they were signed, oldest first, and the keys that came with them, if any."""

    receipts: tuple[str, ...]
    keys: Keys | None


def read_file(name: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``. Raises ``UnusableInput``."""
    try:
        if name == "-":
            raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnusableInput(f"{name}: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise UnusableInput(f"{name}: more than {MAX_FILE_BYTES // 2**20} MB")
    return raw


def read_bundle(raw: bytes, name: str) -> Bundle:
    """What ``raw`` holds. Whether it is genuine is another question. Raises ``UnusableInput``."""
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError as error:
        raise UnusableInput(f"{name}: not text: a receipt is one line, or JSON") from error
    if not text.startswith("{"):
        lines = tuple(line.strip() for line in text.splitlines() if line.strip())
        if not lines:
            raise UnusableInput(f"{name}: no receipt in it")
        return Bundle(lines, None)
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableInput(f"{name}: begins like JSON and is none") from error
    receipts = document.get("receipts")
    if not isinstance(receipts, list) or not all(isinstance(one, str) for one in receipts):
        raise UnusableInput(f"{name}: JSON without a list 'receipts' of texts")
    if not receipts:
        raise UnusableInput(f"{name}: no receipt in it: the session's first call is not over")
    keys = document.get("keys")
    return Bundle(
        tuple(receipts), None if keys is None else read_key_set(json.dumps(keys).encode(), name)
    )


def read_key_set(raw: bytes, name: str) -> Keys:
    """The Ed25519 keys of a JWK set, by the id that follows from each. Raises ``UnusableInput``."""
    try:
        found = [key.key for key in read_keys(raw).values()]
    except (KeysUnreadable, ValueError, RecursionError) as error:
        raise UnusableInput(f"{name}: not a set of keys: {error}") from error
    # A set may call its keys anything; a receipt names the digest.
    return {key_id(key): key for key in found if isinstance(key, Ed25519PublicKey)}
