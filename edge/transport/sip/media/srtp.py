"""SRTP with keys from the session description (RFC 3711, 4568, 7714), by libsrtp.

A new key, from a new offer, takes effect at once on the way out; on the way in packets under the
old one are still understood for :data:`OVERLAP` seconds, for they may be on their way.

Errors::

    UnknownSuite    a suite that libsrtp is not asked for here: refuse the offer
"""

from __future__ import annotations

from typing import Any

import pylibsrtp
from pylibsrtp import Policy, Session

from edge.transport.sip.media.agreement import CryptoPair

MAX_SOURCES = 8
"""SSRCs of one far end under one key; each costs state."""

OVERLAP = 2.0
"""Seconds."""

_WINDOW = 1024
"""Packets that may be late and are still told from a replay."""

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


class UnknownSuite(ValueError):
    """No such suite."""


class Srtp:
    """Both directions of one call.

    What fails to authenticate, was there before, or is not a packet at all is None; nothing raises.
    """

    def __init__(self, keys: CryptoPair) -> None:
        self._keys = keys
        self._out = _session(keys.suite, keys.send_key, Policy.SSRC_ANY_OUTBOUND)
        self._in = _Inbound(keys.suite, keys.receive_key)
        self._before: _Inbound | None = None
        self._before_until = 0.0

    def rekey(self, keys: CryptoPair, now: float) -> None:
        """Go over to ``keys``; a direction whose key stays keeps its state. Raises
        ``UnknownSuite``."""
        old, self._keys = self._keys, keys
        if (keys.suite, keys.send_key) != (old.suite, old.send_key):
            self._out = _session(keys.suite, keys.send_key, Policy.SSRC_ANY_OUTBOUND)
        if (keys.suite, keys.receive_key) != (old.suite, old.receive_key):
            self._before, self._before_until = self._in, now + OVERLAP
            self._in = _Inbound(keys.suite, keys.receive_key)

    def protect(self, packet: bytes) -> bytes | None:
        """One RTP packet of ours, encrypted."""
        try:
            encrypted: bytes = self._out.protect(packet)
        except (pylibsrtp.Error, ValueError):
            return None
        return encrypted

    def protect_rtcp(self, packet: bytes) -> bytes | None:
        """One compound RTCP packet of ours, encrypted."""
        try:
            encrypted: bytes = self._out.protect_rtcp(packet)
        except (pylibsrtp.Error, ValueError):
            return None
        return encrypted

    def unprotect(self, packet: bytes, now: float) -> bytes | None:
        """One RTP packet of at least 12 bytes."""
        plain = self._in.rtp(packet)
        if plain is None and (before := self._old(now)) is not None:
            return before.rtp(packet)
        return plain

    def unprotect_rtcp(self, packet: bytes, now: float) -> bytes | None:
        """One compound RTCP packet of at least 8 bytes."""
        plain = self._in.rtcp(packet)
        if plain is None and (before := self._old(now)) is not None:
            return before.rtcp(packet)
        return plain

    def _old(self, now: float) -> _Inbound | None:
        if self._before is not None and now >= self._before_until:
            self._before = None
        return self._before


class _Inbound:
    """One key of the far end, and the sources seen under it."""

    def __init__(self, suite: str, key: bytes) -> None:
        self._session = _session(suite, key, Policy.SSRC_ANY_INBOUND)
        self._sources: set[bytes] = set()

    def rtp(self, packet: bytes) -> bytes | None:
        return self._open(packet, packet[8:12], self._session.unprotect)

    def rtcp(self, packet: bytes) -> bytes | None:
        return self._open(packet, packet[4:8], self._session.unprotect_rtcp)

    def _open(self, packet: bytes, source: bytes, unprotect: Any) -> bytes | None:
        known = source in self._sources
        if not known and len(self._sources) >= MAX_SOURCES:
            return None
        try:
            plain: bytes = unprotect(packet)
        except (pylibsrtp.Error, ValueError):
            return None
        if not known:
            self._sources.add(source)
        return plain


def _session(suite: str, key: bytes, direction: int) -> Any:
    profile = _PROFILES.get(suite)
    if profile is None:
        raise UnknownSuite(f"no SRTP suite {suite!r}")
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile)
    policy.window_size = _WINDOW
    return Session(policy)
