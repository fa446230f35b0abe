"""Answering challenges."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from edge.transport.sip.wire.digest.hashing import DigestInput, base_of, hexdigest
from edge.transport.sip.wire.digest.values import Authorization, Challenge, Credentials
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import to_bytes
from edge.transport.sip.wire.headers import Headers
from edge.transport.sip.wire.message import Request

_ANSWERED_BY = {
    "www-authenticate": "authorization",
    "proxy-authenticate": "proxy-authorization",
}
MAX_REALMS = 8
"""Most realms that are answered; beyond them a far end is only wasting our time."""
MAX_STALE = 3
"""How often in a row a nonce may be called stale before that, too, is a refusal."""


@dataclass(slots=True)
class _Realm:
    """The newest challenge of one realm. ``refusable`` when the request that carries our answer was
    sent because of this very challenge: another challenge then means no."""

    challenge: Challenge
    cnonce: str
    uses: int = 0
    stale: int = 0
    refusable: bool = False


class DigestClient:
    """Answers the challenges that the requests of one call, or of one registration, meet.

    Per realm the strongest algorithm is taken (RFC 8760 section 2.4), ``auth`` before
    ``auth-int``. ``token`` makes a fresh cnonce.
    """

    def __init__(self, *, token: Callable[[], str] = lambda: secrets.token_hex(16)) -> None:
        self._token = token
        self._realms: dict[tuple[str, str], _Realm] = {}

    def answer(
        self, headers: Headers, credentials: Credentials, method: str, uri: str, body: bytes = b""
    ) -> tuple[str, str] | None:
        """The header to put into a new attempt, for the first realm in a 401 or 407 with
        ``headers``; None when they cannot be answered or our answer was refused."""
        key = next(iter(self._learn(headers, credentials)), None)
        if key is None:
            return None
        return key[0], self._write(key, credentials, method, uri, body)

    def respond(self, request: Request, headers: Headers, credentials: Credentials) -> bool:
        """Make ``request`` the new attempt after a 401 or 407 with ``headers``.

        It gets an answer for each realm met so far, since several proxies on the way may all ask.
        False when there is nothing to answer or our answer was refused.
        """
        if not self._learn(headers, credentials):
            return False
        self._fill(request, credentials)
        return True

    def authorize(self, request: Request, credentials: Credentials) -> None:
        """Answer before being asked, in a request of its own, the challenges met earlier."""
        for realm in self._realms.values():
            realm.refusable = False
            realm.stale = 0
        self._fill(request, credentials)

    def _learn(self, headers: Headers, credentials: Credentials) -> list[tuple[str, str]]:
        """Keep the challenges in ``headers``; the keys of those that may be answered."""
        found: dict[tuple[str, str], Challenge] = {}
        for name, answered_by in _ANSWERED_BY.items():
            for line in headers.lines(name):
                try:
                    challenge = Challenge.parse(line)
                except MessageError:
                    continue
                key = (answered_by, challenge.realm)
                wanted = credentials.realm in (None, challenge.realm)
                best = found[key].strength if key in found else 0
                if wanted and challenge.strength > best:
                    found[key] = challenge
        return [key for key, challenge in found.items() if self._keep(key, challenge)]

    def _keep(self, key: tuple[str, str], challenge: Challenge) -> bool:
        known = self._realms.get(key)
        stale = known.stale + 1 if known and known.refusable and challenge.stale else 0
        if known and known.refusable and (not challenge.stale or stale > MAX_STALE):
            del self._realms[key]  # a later attempt begins afresh
            return False
        if known is None and len(self._realms) >= MAX_REALMS:
            return False
        if known is None or known.challenge.nonce != challenge.nonce:
            known = self._realms[key] = _Realm(challenge, self._token())
        known.challenge = challenge
        known.stale = stale
        known.refusable = True
        return True

    def _fill(self, request: Request, credentials: Credentials) -> None:
        for name in _ANSWERED_BY.values():
            request.headers.remove(name)
        for key in self._realms:
            value = self._write(key, credentials, request.method, request.uri, request.body)
            request.headers.add(key[0], value)

    def _write(
        self, key: tuple[str, str], credentials: Credentials, method: str, uri: str, body: bytes
    ) -> str:
        realm = self._realms[key]
        challenge = realm.challenge
        realm.uses += 1
        algorithm = challenge.algorithm or "MD5"
        qop = None
        if challenge.qop is not None:
            qop = "auth" if "auth" in challenge.qop else "auth-int"
        parts = DigestInput(
            algorithm,
            challenge.realm,
            challenge.nonce,
            method,
            uri,
            qop,
            f"{realm.uses:08x}",
            realm.cnonce,
            body,
        )
        username = credentials.username
        if challenge.userhash:
            whole = to_bytes(f"{username}:{challenge.realm}")
            username = hexdigest(base_of(algorithm), whole)
        session = algorithm != base_of(algorithm)
        return str(
            Authorization(
                username,
                challenge.realm,
                challenge.nonce,
                uri,
                parts.response(credentials.username, credentials.password),
                challenge.algorithm,
                qop,
                parts.count,
                realm.cnonce if qop is not None or session else "",
                challenge.opaque,
                challenge.userhash,
            )
        )
