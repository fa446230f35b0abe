"""The challenges to one request of ours, answered a bounded number of times (RFC 3261 section 22,
RFC 8760)."""

from __future__ import annotations

from typing import TypeAlias

from edge.transport.sip.wire.digest import Challenge, Credentials, DigestClient
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.headers import Headers
from edge.transport.sip.wire.message import Request, Response

MAX_CHALLENGERS = 4
"""Realms on the way of one request that are answered: proxies and the far end."""
_Challenger: TypeAlias = tuple[int, frozenset[str]]


class Authentication:
    """Each realm is answered once, and once more when it says that only our nonce was stale.

    Every request has nonces of its own: those that run side by side would spoil each other's.
    """

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        self._client = DigestClient()
        self._asked: dict[_Challenger, Headers] = {}
        self._stale: set[_Challenger] = set()

    def challenged(self, response: Response) -> bool:
        """Whether another try after ``response``, a 401 or 407, may fare better."""
        credentials = self._credentials
        found = _challenges(response)
        if credentials is None or not found:
            return False
        who = (response.status, frozenset(challenge.realm for challenge in found))
        if who in self._asked:
            if who in self._stale or not any(challenge.stale for challenge in found):
                return False
            self._stale.add(who)
        elif len(self._asked) >= MAX_CHALLENGERS:
            return False
        if not self._client.can_answer(response.headers, credentials):
            return False
        self._asked[who] = response.headers
        return True

    def sign(self, request: Request) -> None:
        """Answer in ``request`` all who have asked."""
        for headers in self._asked.values():
            if self._credentials is not None:
                answer = self._client.answer(
                    headers, self._credentials, request.method, request.uri, request.body
                )
                if answer is not None:
                    request.headers.add(*answer)


def _challenges(response: Response) -> list[Challenge]:
    name = "www-authenticate" if response.status == 401 else "proxy-authenticate"
    found: list[Challenge] = []
    for line in response.headers.lines(name):
        try:
            found.append(Challenge.parse(line))
        except MessageError:
            continue  # of a scheme that we do not speak
    return found
