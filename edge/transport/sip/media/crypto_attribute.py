"""The a=crypto line: keys for SRTP in the description itself (RFC 4568, 6188, 7714)."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field

from edge.transport.sip.media.sdp import parse_number

KEY_LENGTHS = {
    "AEAD_AES_256_GCM": 32 + 12,
    "AEAD_AES_128_GCM": 16 + 12,
    "AES_CM_128_HMAC_SHA1_80": 16 + 14,
    "AES_CM_128_HMAC_SHA1_32": 16 + 14,
}
"""Suites that are taken, with the bytes of master key and salt."""

BESIDE_PLAIN = ("AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80")
"""Suites of an offer that may as well be answered without: the best, and the one that everybody
has. All four would push an INVITE over the size that goes by UDP (RFC 3261 section 18.1.1)."""

MAX_TAG = 999_999_999
MIN_LIFETIME = 2**20
"""Packets that a key must be good for, as keys are not renewed within a call: almost six hours."""

MAX_LINE = 512
"""Characters of a line that are read; the longest with one key has about 120."""


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """One way to encrypt: ``key`` is the master key and salt that its writer sends with."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


def parse_crypto(text: str) -> CryptoLine | None:
    """The value of an a=crypto attribute; None when it asks for what is not done here.

    A master key identifier would stand in every packet, and libsrtp takes none, so such a line is
    left for the next one; the same goes for a lifetime that a call could outlast, and for session
    parameters, save those that may be ignored.
    """
    parts = text.split() if len(text) <= MAX_LINE else []
    if len(parts) < 3 or not all(_ignorable(parameter) for parameter in parts[3:]):
        return None
    tag = parse_number(parts[0], MAX_TAG)
    suite = parts[1].upper()
    method, _, info = parts[2].partition(":")
    encoded, *extras = info.split("|")
    if tag is None or method.lower() != "inline":
        return None
    if len(extras) > 1 or any(not _long_lived(extra) for extra in extras):
        return None
    key = _decode(encoded)
    return CryptoLine(tag, suite, key) if key and len(key) == KEY_LENGTHS.get(suite) else None


def new_key(suite: str) -> bytes:
    """Master key and salt for a suite."""
    return secrets.token_bytes(KEY_LENGTHS[suite])


def _ignorable(parameter: str) -> bool:
    """Session parameters that change nothing for a reader who does not know them: those marked so,
    and the hint for a window's size (RFC 4568 sections 6.3.6 and 6.3.7)."""
    return parameter.startswith("-") or parameter.upper().startswith("WSH=")


def _long_lived(text: str) -> bool:
    """``2^31`` or a decimal number of packets; never the ``1:4`` of a key identifier."""
    if text.startswith("2^"):
        exponent = parse_number(text[2:], 48)
        return exponent is not None and 2**exponent >= MIN_LIFETIME
    packets = parse_number(text, 2**48)
    return packets is not None and packets >= MIN_LIFETIME


def _decode(text: str) -> bytes | None:
    padded = text.rstrip("=")
    padded += "=" * (-len(padded) % 4)
    try:
        return base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        return None
