"""One request of ours until it is answered for good: sent again with credentials when
challenged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from edge.transport.sip.core.authentication import Authentication
from edge.transport.sip.core.context import Context, Header
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.transactions import ClientTransaction, Failure
from edge.transport.sip.wire.digest import Credentials
from edge.transport.sip.wire.message import Request, Response

Build: TypeAlias = Callable[[], tuple[Request, Destination]]
"""Makes the request anew, with the next CSeq."""


class Exchange:
    """Runs from its making to the one final response or failure. Challenges that can be answered
    are not shown to ``on_response``; all else is, of an INVITE every 2xx.
    """

    def __init__(
        self,
        context: Context,
        build: Build,
        credentials: Credentials | None,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure], None],
    ) -> None:
        self.heard = False
        """Whether anything was answered, if only 100 or a challenge."""
        self._context = context
        self._build = build
        self._authentication = Authentication(credentials)
        self._on_response = on_response
        self._on_failure = on_failure
        self._cancelled = False
        self._transaction = self._send(*build())

    @property
    def request(self) -> Request:
        """What was sent last."""
        return self._transaction.request

    @property
    def destination(self) -> Destination:
        """Where to."""
        return self._transaction.destination

    @property
    def credentials(self) -> list[Header]:
        """What an ACK to the 2xx repeats of it (RFC 3261 section 22.1)."""
        names = ("authorization", "proxy-authorization")
        return [field for field in self.request.headers if field[0] in names]

    def cancel(self) -> None:
        """Ask that an INVITE be given up; it still ends with a final response or a failure."""
        self._cancelled = True
        self._transaction.cancel()

    def _send(self, request: Request, destination: Destination) -> ClientTransaction:
        return self._context.transactions.request(
            request, destination, self._responded, self._on_failure
        )

    def _responded(self, response: Response) -> None:
        self.heard = True
        if not (response.status in (401, 407) and self._again(response)):
            self._on_response(response)

    def _again(self, response: Response) -> bool:
        if self._cancelled or not self._authentication.challenged(response):
            return False
        request, destination = self._build()
        self._authentication.sign(request)
        self._transaction = self._send(request, destination)
        return True
