"""The first look at every request that begins something: only trunks come past it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping

from edge.clock import Clock
from edge.logs import pseudonym
from edge.phone.admission import Challenge, Door, Forbidden, Silence, Welcome
from edge.phone.trunk import Trunk
from edge.phone.trunks import Trunks
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.wire.digest.server import DigestServer, Verdict

log = logging.getLogger(__name__)


class Screen:
    """Answers strangers with 401 or 403, or not at all; remembers whose request is at the door.

    ``realm`` is what a password is for (RFC 7616 section 3.3), ``algorithms`` what it is asked for
    by, best first. ``passwords`` are by username.
    """

    def __init__(
        self,
        trunks: Trunks,
        passwords: Mapping[str, str],
        *,
        realm: str,
        algorithms: tuple[str, ...],
        clock: Clock,
    ) -> None:
        self._door = Door(trunks, clock)
        self._passwords = passwords
        self._digest = DigestServer(realm, secret=secrets.token_bytes(32), algorithms=algorithms)
        self._clock = clock
        self.guest: Trunk | None = None
        """Whose request was let in last: whoever takes it does so before the next one is read."""

    def answered(self, transaction: ServerTransaction) -> bool:
        """Whether the request was turned away."""
        request = transaction.request
        admission = self._door.admit(transaction.flow.remote[0], self._proof(transaction))
        match admission:
            case Welcome(trunk):
                self.guest = trunk
                return False
            case Challenge(stale):
                challenges = self._digest.challenge(self._clock.monotonic(), stale=stale)
                headers = [("www-authenticate", challenge) for challenge in challenges]
                transaction.forget(make_response(request, 401, headers=headers))
            case Forbidden(reason):
                peer = pseudonym(transaction.flow.remote[0])
                log.info("phone request refused", extra={"reason": reason, "peer": peer})
                transaction.forget(make_response(request, 403))
            case Silence():
                transaction.forget()
        self.guest = None
        return True

    def _proof(self, transaction: ServerTransaction) -> Verdict | None:
        request = transaction.request
        authorization = self._digest.find(request.headers)
        if authorization is None:
            return None
        return self._digest.verify(
            authorization, request.method, self._passwords.get, self._clock.monotonic()
        )
