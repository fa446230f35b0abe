"""The transaction layer (RFC 3261 section 17, with RFC 3581, RFC 4320 and RFC 6026)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Protocol

from edge.clock import Clock
from edge.transport.sip.core.client_transaction import (
    ClientTransaction,
    Failure,
    Ground,
    InviteClientTransaction,
)
from edge.transport.sip.core.flow import Address, Destination, Flow
from edge.transport.sip.core.matching import ServerKey, ServerTable, server_key
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.return_path import completed
from edge.transport.sip.core.server_transaction import InviteServerTransaction, ServerTransaction
from edge.transport.sip.core.stateless import StatelessAnswers
from edge.transport.sip.core.timers import Timers
from edge.transport.sip.core.transaction_timers import STANDARD, TransactionTimers
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Message, Request, Response
from edge.transport.sip.wire.values import MAGIC, Via

__all__ = [
    "ClientTransaction",
    "Failure",
    "ServerTransaction",
    "TransactionLayer",
    "TransactionTimers",
    "TransactionUser",
]


class TransactionUser(Protocol):
    """Who answers requests: :mod:`edge.transport.sip.core.agent`.

    Its methods may raise ``MessageError`` for a message that they cannot read: a request is then
    answered with the error's status.
    """

    def request_received(self, transaction: ServerTransaction) -> None:
        """A new request, neither ACK nor CANCEL."""

    def ack_received(self, request: Request, flow: Flow) -> None:
        """An ACK to a 2xx, or one that belongs to nothing."""

    def response_received(self, response: Response, flow: Flow) -> None:
        """A 2xx to an INVITE of ours that its transaction has not taken: it is gone, or had ended
        with another answer (a fork upstream). Whoever answered waits for an ACK."""


class TransactionLayer:
    """Between the wire and the user agent. All that it holds ends by the timers of section 17.

    ``send`` must not raise. ``local`` gives the sent-by of a request to a destination, where its
    responses are to come. ``rng`` makes branches and tags; they must not be guessable.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        timers: Timers,
        send: Callable[[Destination, bytes], None],
        local: Callable[[Destination], Address],
        user: TransactionUser,
        settings: TransactionTimers = STANDARD,
        rng: random.Random | None = None,
    ) -> None:
        self._ground = Ground(timers, settings, send)
        self._local = local
        self._user = user
        self._settings = settings
        self._rng = rng or random.SystemRandom()
        self._ours = f"{MAGIC}{self._rng.getrandbits(32):08x}"
        self._secret = self._rng.getrandbits(128).to_bytes(16, "big")
        self._clients: dict[str, ClientTransaction] = {}
        self._cancels: dict[str, ClientTransaction] = {}  # with the branch of what they cancel
        self._servers = ServerTable()
        self._stateless = StatelessAnswers(clock, send, settings.stateless_per_second)

    @property
    def active(self) -> int:
        """Transactions that are alive."""
        return len(self._clients) + len(self._cancels) + len(self._servers)

    @property
    def entries(self) -> int:
        """Everything held in tables: 0 when nothing is alive."""
        return len(self._clients) + len(self._cancels) + self._servers.entries

    # Requests of ours

    def request(
        self,
        request: Request,
        destination: Destination,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure], None],
    ) -> ClientTransaction:
        """Send a copy of ``request`` with a Via of ours, until it is answered.

        Neither callback is called before this has returned.
        """
        sent = self._with_via(request, destination)
        transaction: ClientTransaction
        if request.method == "INVITE":
            transaction = InviteClientTransaction(
                self._ground,
                sent,
                destination,
                on_response,
                on_failure,
                self._client_ended,
                self._send_cancel,
            )
        else:
            transaction = ClientTransaction(
                self._ground, sent, destination, on_response, on_failure, self._client_ended
            )
        return self._start(transaction)

    def send_ack(self, ack: Request, destination: Destination) -> bytes:
        """Send the ACK to a 2xx with a Via of ours; what comes back may be sent again."""
        data = self._with_via(ack, destination).encode()
        self._ground.send(destination, data)
        return data

    # From the wire

    def receive(self, message: Message, flow: Flow) -> None:
        """Take one message. Never raises for what is in it."""
        try:
            if isinstance(message, Response):
                self._receive_response(message, flow)
            else:
                self._receive_request(message, flow)
        except MessageError as error:
            if isinstance(message, Request):
                self.malformed(MessageError(error.detail, error.status, message.headers), flow)

    def malformed(self, error: MessageError, flow: Flow) -> None:
        """Answer a request that could not be read, if it can be answered and not too often."""
        if error.headers is not None:
            self._stateless.refuse(error, flow, self._tag_for(error.headers))

    def transport_failed(self, branch: str) -> None:
        """A message with ``branch`` in its top Via could not be sent.

        A request of ours fails; the owner of a response hears of it, and no state changes
        (RFC 6026 section 8.8: later copies may still get through).
        """
        for client in (self._clients.get(branch), self._cancels.get(branch)):
            if client is not None:
                client.fail("transport")
        for server in self._servers.of_branch(branch):
            server.undelivered()

    def flow_closed(self, flow: Flow) -> None:
        """A connection is gone: requests whose answers were to come over it fail."""
        for client in [*self._clients.values(), *self._cancels.values()]:
            if client.rides_on(flow):
                client.fail("transport")

    # Responses

    def _receive_response(self, response: Response, flow: Flow) -> None:
        if len(response.headers.all("via")) != 1:
            return  # one for somebody behind us: there is nobody (section 8.1.3.3)
        via, method = response.via, response.cseq.method
        client = self._of(method).get(via.branch)
        if client is not None and client.request.method == method:
            if client.via.sent_by != via.sent_by or client.receive(response, flow):
                return
        elif not via.branch.startswith(self._ours):
            return
        if method == "INVITE" and 200 <= response.status < 300:
            self._user.response_received(response, flow)

    # Requests

    def _receive_request(self, request: Request, flow: Flow) -> None:
        via = request.via
        key = server_key(request, via, request.to.tag)
        request.headers.replace_first("via", str(completed(via, flow)))
        if request.method == "ACK":
            self._receive_ack(request, via, key, flow)
            return
        known = self._servers.find(key)
        if known is not None:
            known.repeated()
        elif request.method == "CANCEL":
            self._receive_cancel(request, key, flow)
        elif self._has_room(request, flow):
            self._receive_new(request, key, flow)
        else:
            # After a 503 to an INVITE a trunk may look for another place, which is not ours to
            # allow: nobody has looked yet where this call may be.
            status = 603 if request.method == "INVITE" and not request.to.tag else 503
            after = ("retry-after", str(self._settings.retry_after))
            self._stateless.answer(request, flow, status, self._tag_for(request.headers), [after])

    def _receive_new(self, request: Request, key: ServerKey, flow: Flow) -> None:
        transaction = self._serve(request, key, flow)
        try:
            self._user.request_received(transaction)
        except MessageError as error:
            transaction.respond(make_response(request, error.status))

    def _receive_ack(self, request: Request, via: Via, key: ServerKey, flow: Flow) -> None:
        invite = self._servers.find(key.of("INVITE"))
        if invite is None:
            # An old far end's INVITE had no To tag, its ACK has ours.
            invite = self._servers.find(server_key(request, via, "").of("INVITE"))
            if invite is not None and invite.sent_tag != request.to.tag:
                invite = None
        if invite is None or invite.acknowledged():
            self._user.ack_received(request, flow)

    def _receive_cancel(self, request: Request, key: ServerKey, flow: Flow) -> None:
        invite = self._servers.find(key.of("INVITE"))
        if invite is None:
            # Anybody can send it: nothing is kept. A copy gets the same answer.
            self._stateless.answer(request, flow, 481, self._tag_for(request.headers))
            return
        if self._has_room(request, flow):
            answer = self._serve(request, key, flow)
            answer.respond(make_response(request, 200, to_tag=invite.sent_tag))
        else:
            self._stateless.answer(request, flow, 200, invite.sent_tag)
        invite.cancelled()

    def _serve(self, request: Request, key: ServerKey, flow: Flow) -> ServerTransaction:
        kind = InviteServerTransaction if request.method == "INVITE" else ServerTransaction
        tag = f"{self._rng.getrandbits(64):016x}"
        transaction = kind(self._ground, request, flow, key, tag, self._servers.remove)
        transaction.merged = self._servers.add(transaction) and not request.to.tag
        host, settings = flow.remote[0], self._settings
        transaction.brief = self._servers.load_of(host) > settings.max_of_source
        transaction.start()
        return transaction

    def _has_room(self, request: Request, flow: Flow) -> bool:
        """Inside a dialog there is a quarter more. Beyond its share a source's INVITEs are not
        taken, which stay until they are acknowledged; all else is answered and forgotten."""
        quarters = 5 if request.to.tag else 4
        if self._servers.load >= self._settings.max_servers * quarters // 4:
            return False
        share = self._settings.max_of_source * quarters // 4
        return request.method != "INVITE" or self._servers.load_of(flow.remote[0]) < share

    # Inside

    def _of(self, method: str) -> dict[str, ClientTransaction]:
        return self._cancels if method == "CANCEL" else self._clients

    def _start(self, transaction: ClientTransaction) -> ClientTransaction:
        self._of(transaction.request.method)[transaction.branch] = transaction
        transaction.start()
        return transaction

    def _client_ended(self, transaction: ClientTransaction) -> None:
        del self._of(transaction.request.method)[transaction.branch]

    def _send_cancel(self, cancel: Request, destination: Destination) -> None:
        self._start(
            ClientTransaction(
                self._ground, cancel, destination, _ignore, _ignore, self._client_ended
            )
        )

    def _with_via(self, request: Request, destination: Destination) -> Request:
        host, port = self._local(destination)
        branch = f"{self._ours}{self._rng.getrandbits(96):024x}"
        via = Via(destination.transport.upper(), host, port, {"rport": None, "branch": branch})
        headers = Headers([("via", str(via)), *(h for h in request.headers if h[0] != "via")])
        return Request(request.method, request.uri, headers=headers, body=request.body)

    def _tag_for(self, headers: Headers) -> str:
        """The same tag for the same request each time, without keeping it (section 8.2.7)."""
        seen = "\n".join(headers.get(name) or "" for name in ("via", "from", "call-id", "cseq"))
        data = seen.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(data, digest_size=8, key=self._secret).hexdigest()


def _ignore(outcome: Response | Failure) -> None:
    """The answer to a CANCEL says nothing that the INVITE's does not."""
