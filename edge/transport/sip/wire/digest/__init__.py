"""Digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760), both sides. Pure: no IO."""

from __future__ import annotations

from edge.transport.sip.wire.digest.client import DigestClient
from edge.transport.sip.wire.digest.server import DigestServer, Verdict
from edge.transport.sip.wire.digest.values import Authorization, Challenge, Credentials

__all__ = [
    "Authorization",
    "Challenge",
    "Credentials",
    "DigestClient",
    "DigestServer",
    "Verdict",
]
