"""Challenging, and judging the answers."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Literal, TypeAlias

from edge.transport.sip.wire.digest.hashing import ALGORITHMS, DigestInput
from edge.transport.sip.wire.digest.replay import UsedNonces
from edge.transport.sip.wire.digest.values import Authorization, Challenge
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import to_bytes
from edge.transport.sip.wire.headers import Headers

Outcome: TypeAlias = Literal["ok", "bad", "unknown", "stale"]
"""``ok``; ``bad``: a wrong password, or no answer to a challenge of ours; ``unknown``: no such
user; ``stale``: the password is right, but the nonce is old, foreign or used. Towards the far end
``bad`` and ``unknown`` must look the same: a new challenge. ``stale`` gets one that says so."""

LIFETIME = 300.0
"""How long a nonce may be used, seconds."""
MAX_NONCES = 4_096
"""Most nonces in use whose counts are remembered."""

_STAMP = Struct("!d16s")
_MAC_LENGTH = 32
_NONCE = re.compile(rf"[0-9a-f]{{{2 * (_STAMP.size + _MAC_LENGTH)}}}")
_COUNT = re.compile(r"[0-9a-fA-F]{8}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """``username`` as it was given, when anything was."""

    outcome: Outcome
    username: str = ""


class DigestServer:
    """Makes nonces that need no memory: the time, a salt, and an HMAC over them and the realm.

    ``secret`` is 32 random bytes, fresh at each start or shared by what shares a realm's nonces.
    ``algorithms`` are offered in that order: the first that a client knows counts (RFC 8760
    section 2.3). Times are seconds of one steady clock.
    """

    def __init__(
        self,
        realm: str,
        *,
        secret: bytes,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        lifetime: float = LIFETIME,
        max_nonces: int = MAX_NONCES,
        salt: Callable[[], bytes] = lambda: secrets.token_bytes(16),
    ) -> None:
        unknown = set(algorithms) - set(ALGORITHMS)
        if unknown or not algorithms:
            raise ValueError(f"no such digest algorithm here: {', '.join(sorted(unknown))}")
        self.realm = realm
        self._secret = secret
        self._algorithms = algorithms
        self._lifetime = lifetime
        self._used = UsedNonces(max_nonces)
        self._salt = salt

    def challenge(self, now: float, *, stale: bool = False) -> tuple[str, ...]:
        """The values of the WWW-Authenticate or Proxy-Authenticate headers, one per algorithm."""
        stamp = _STAMP.pack(now, self._salt())
        nonce = (stamp + self._mac(stamp)).hex()
        return tuple(
            str(Challenge(self.realm, nonce, algorithm, frozenset({"auth"}), stale=stale))
            for algorithm in self._algorithms
        )

    def find(self, headers: Headers, name: str = "authorization") -> str | None:
        """The answer that is meant for our realm among those in ``headers``, or None."""
        for line in headers.lines(name):
            try:
                if Authorization.parse(line).realm == self.realm:
                    return line
            except MessageError:
                continue
        return None

    def verify(
        self,
        authorization: str,
        method: str,
        password_of: Callable[[str], str | None],
        now: float,
    ) -> Verdict:
        """Judge one Authorization of a request; never raises.

        The ``uri`` in it is not held against the request's own, which proxies rewrite: what keeps
        an answer from being used elsewhere is that each counts once.
        """
        try:
            given = Authorization.parse(authorization)
            count = self._count(given)
        except MessageError:
            return Verdict("bad")
        password = password_of(given.username)
        # Who nobody knows costs the same as who is known, whatever comes out.
        expected = DigestInput(
            (given.algorithm or "MD5").upper(),
            self.realm,
            given.nonce,
            method,
            given.uri,
            given.qop,
            given.count,
            given.cnonce,
        ).response(given.username, password or "")
        right = hmac.compare_digest(to_bytes(expected), to_bytes(given.response.lower()))
        if password is None:
            return Verdict("unknown", given.username)
        if not right:
            return Verdict("bad", given.username)
        stamp = self._opened(given.nonce)
        if stamp is None:
            return Verdict("stale", given.username)
        issued: float = _STAMP.unpack(stamp)[0]
        oldest = now - self._lifetime
        if not oldest <= issued <= now or not self._used.admit(stamp, issued, count, oldest):
            return Verdict("stale", given.username)
        return Verdict("ok", given.username)

    def _count(self, given: Authorization) -> int | None:
        """The answer's ``nc``; None for an answer without qop. Raises ``MessageError`` when it is
        no answer to what we ask."""
        algorithm = (given.algorithm or "MD5").upper()
        if given.realm != self.realm or algorithm not in self._algorithms or given.userhash:
            raise MessageError("not an answer to our challenge")
        if given.qop is None and algorithm == "MD5":
            return None
        if given.qop != "auth" or not given.cnonce or not _COUNT.fullmatch(given.count):
            raise MessageError("not an answer to our challenge")
        return int(given.count, 16)

    def _opened(self, nonce: str) -> bytes | None:
        """What a nonce of ours was made from; None for one that is not ours."""
        if not _NONCE.fullmatch(nonce):
            return None
        sealed = bytes.fromhex(nonce)
        stamp, mac = sealed[: _STAMP.size], sealed[_STAMP.size :]
        return stamp if hmac.compare_digest(mac, self._mac(stamp)) else None

    def _mac(self, stamp: bytes) -> bytes:
        return hmac.digest(self._secret, b"nonce" + stamp + to_bytes(self.realm), "sha256")
