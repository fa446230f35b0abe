"""The arithmetic of a digest (RFC 7616 section 3.4)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from edge.transport.sip.wire.grammar import to_bytes

_NAMES = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}


def _available(name: str) -> bool:
    try:
        hashlib.new(name, usedforsecurity=False)
    except ValueError:
        return False
    return True


ALGORITHMS = tuple(name for name, ours in _NAMES.items() if _available(ours))
"""Those of RFC 8760 that this machine's OpenSSL has, the strongest first."""

SESSION = "-SESS"
"""Ends an algorithm's name, in upper case, whose key also covers the nonces."""


def base_of(algorithm: str) -> str:
    """The algorithm in upper case, without its ``-sess``."""
    return algorithm.upper().removesuffix(SESSION)


def hexdigest(algorithm: str, data: bytes) -> str:
    """``data`` under one of ``ALGORITHMS``, in lower-case hexadecimal."""
    return hashlib.new(_NAMES[algorithm], data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class DigestInput:
    """What a response is computed from. ``qop`` None is the old way of RFC 2069.

    ``algorithm`` is one of ``ALGORITHMS``, or that with ``-sess``.
    """

    algorithm: str
    realm: str
    nonce: str
    method: str
    uri: str
    qop: str | None = None
    count: str = ""
    cnonce: str = ""
    body: bytes = b""

    def response(self, username: str, password: str) -> str:
        """The ``response`` parameter."""
        base = base_of(self.algorithm)

        def hashed(*parts: str) -> str:
            return hexdigest(base, to_bytes(":".join(parts)))

        secret = hashed(username, self.realm, password)
        if self.algorithm.upper().endswith(SESSION):
            secret = hashed(secret, self.nonce, self.cnonce)
        request = [self.method, self.uri]
        if self.qop == "auth-int":
            request.append(hexdigest(base, self.body))
        what = hashed(*request)
        if self.qop is None:
            return hashed(secret, self.nonce, what)
        return hashed(secret, self.nonce, self.count, self.cnonce, self.qop, what)
