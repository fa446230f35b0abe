"""Answering challenges."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

from edge.transport.sip.wire.digest.hashing import SESSION, DigestInput, base_of, hexdigest
from edge.transport.sip.wire.digest.values import Authorization, Challenge, Credentials
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import to_bytes
from edge.transport.sip.wire.headers import Headers

_ANSWERED_BY = {
    "www-authenticate": "Authorization",
    "proxy-authenticate": "Proxy-Authorization",
}
MAX_NONCES = 16
"""Most nonces of one far end whose use is counted; the oldest is forgotten first."""


class DigestClient:
    """Answers the challenges of one far end, and counts how often each nonce was used.

    It answers whatever it is asked: the caller bounds how often, since only the caller knows
    whether a challenge refuses an answer or merely a request that had none. ``token`` makes a
    fresh cnonce.
    """

    def __init__(self, *, token: Callable[[], str] = lambda: secrets.token_hex(16)) -> None:
        self._token = token
        self._used: dict[str, tuple[str, int]] = {}

    def answer(
        self, headers: Headers, credentials: Credentials, method: str, uri: str, body: bytes = b""
    ) -> tuple[str, str] | None:
        """The name and value of the header that answers the 401 or 407 with ``headers``.

        Of several challenges the one with the strongest algorithm is taken (RFC 8760 section 2.4
        leaves that to policy), the first among equals; None when there is none that we can answer,
        or none of the credentials' realm.
        """
        best = _best(headers, credentials)
        if best is None:
            return None
        return best[0], str(self._authorization(best[1], credentials, method, uri, body))

    @staticmethod
    def can_answer(headers: Headers, credentials: Credentials) -> bool:
        """Whether :meth:`answer` would; this counts as no use of the nonce."""
        return _best(headers, credentials) is not None

    def _authorization(
        self, challenge: Challenge, credentials: Credentials, method: str, uri: str, body: bytes
    ) -> Authorization:
        algorithm = challenge.algorithm or "MD5"
        qop = None
        if challenge.qop is not None:
            qop = "auth" if "auth" in challenge.qop else "auth-int"
        cnonce, uses = self._use(challenge.nonce)
        count = f"{uses:08x}"
        parts = DigestInput(
            algorithm,
            challenge.realm,
            challenge.nonce,
            method,
            uri,
            qop,
            count,
            cnonce,
            body,
        )
        username = credentials.username
        if challenge.userhash:
            whole = to_bytes(f"{username}:{challenge.realm}")
            username = hexdigest(base_of(algorithm), whole)
        return Authorization(
            username,
            challenge.realm,
            challenge.nonce,
            uri,
            parts.response(credentials.username, credentials.password),
            challenge.algorithm,
            qop,
            count,
            cnonce if qop is not None or algorithm.upper().endswith(SESSION) else "",
            challenge.opaque,
            challenge.userhash,
        )

    def _use(self, nonce: str) -> tuple[str, int]:
        """The cnonce that goes with ``nonce``, and its next count."""
        cnonce, uses = self._used.pop(nonce, ("", 0))
        cnonce = cnonce or self._token()
        while len(self._used) >= MAX_NONCES:
            del self._used[next(iter(self._used))]
        self._used[nonce] = cnonce, uses + 1
        return cnonce, uses + 1


def _best(headers: Headers, credentials: Credentials) -> tuple[str, Challenge] | None:
    best: tuple[str, Challenge] | None = None
    for name, challenge in _challenges(headers):
        wanted = credentials.realm in (None, challenge.realm)
        if wanted and challenge.strength > (best[1].strength if best else 0):
            best = name, challenge
    return best


def _challenges(headers: Headers) -> Iterator[tuple[str, Challenge]]:
    for name, answered_by in _ANSWERED_BY.items():
        for line in headers.lines(name):
            try:
                yield answered_by, Challenge.parse(line)
            except MessageError:
                continue
