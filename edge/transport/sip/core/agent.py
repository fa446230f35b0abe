"""The user agent without its sockets: messages in, sessions and messages out."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence

from edge.clock import Clock
from edge.transport.sip.core.body import session_description
from edge.transport.sip.core.calling import Invitation
from edge.transport.sip.core.context import ACCEPT, UNWILLING, Context, Header
from edge.transport.sip.core.exchange import Exchange
from edge.transport.sip.core.flow import Address, Destination, Flow
from edge.transport.sip.core.replacing import find_replaced
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.screening import refusal
from edge.transport.sip.core.session import Session
from edge.transport.sip.core.session_timer import too_short
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.core.timers import Timers
from edge.transport.sip.core.transactions import (
    ClientTransaction,
    Failure,
    ServerTransaction,
    TransactionLayer,
)
from edge.transport.sip.wire.digest import Credentials
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Message, Request, Response
from edge.transport.sip.wire.uri import SipUri, is_tel
from edge.transport.sip.wire.values import NameAddr

log = logging.getLogger(__name__)


class TooManySessions(Exception):
    """The agent holds as many sessions as it may; later there may be room."""


class AgentCore:
    """Feed it what arrives, and run ``timers`` when they are due. Nothing that arrives raises.

    ``local`` gives the sent-by of a request to a destination, ``contact`` the URI under which the
    far end there reaches us. ``rng`` makes tags: it must not be guessable outside of tests.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        timers: Timers,
        send: Callable[[Destination, bytes], None],
        local: Callable[[Destination], Address],
        contact: Callable[[Destination], str],
        user_agent: str,
        rng: random.Random | None = None,
        settings: AgentSettings | None = None,
    ) -> None:
        self.on_invite: Callable[[Session], None] = _unavailable
        """An INVITE that begins a session. It sets ``on_event``, and answers now or later."""
        self.on_request: Callable[[ServerTransaction], bool] = _admit
        """First look at every request outside a dialog. Answers True when it has answered it."""
        settings = settings or AgentSettings()
        self._random = rng or random.SystemRandom()
        layer = TransactionLayer(
            clock=clock,
            timers=timers,
            send=send,
            local=local,
            user=self,
            settings=settings.transactions,
            rng=self._random,
        )
        self._context = Context(timers, layer, send, contact, user_agent, self._random, settings)
        self._sessions: dict[tuple[str, str], Session] = {}

    @property
    def sessions(self) -> int:
        """Sessions of which anything is left, if only a BYE on its way."""
        return len(self._sessions)

    @property
    def live(self) -> tuple[Session, ...]:
        """The sessions themselves."""
        return tuple(self._sessions.values())

    @property
    def transactions(self) -> int:
        """Transactions that are alive."""
        return self._context.transactions.active

    @property
    def layer(self) -> TransactionLayer:
        """For those who send requests of their own outside dialogs."""
        return self._context.transactions

    # From the wire

    def receive(self, message: Message, flow: Flow) -> None:
        """One message that arrived over ``flow``."""
        self._context.arriving = flow
        try:
            self._context.transactions.receive(message, flow)
        except Exception:
            log.exception("a SIP message broke its handling")
        finally:
            self._context.arriving = None

    def malformed(self, error: MessageError, flow: Flow) -> None:
        """One that could not be read."""
        try:
            self._context.transactions.malformed(error, flow)
        except Exception:
            log.exception("a malformed SIP message broke its handling")

    def flow_closed(self, flow: Flow) -> None:
        """A connection is gone."""
        for session in tuple(self._sessions.values()):
            session.flow_closed(flow)
        self._context.transactions.flow_closed(flow)

    def transport_failed(self, branch: str) -> None:
        """The message with this branch in its top Via could not be sent."""
        self._context.transactions.transport_failed(branch)

    # For the owner

    def invite(
        self,
        target: str,
        *,
        destination: Destination,
        from_: NameAddr,
        to: NameAddr | None = None,
        sdp: bytes | None,
        headers: Sequence[Header] = (),
        credentials: Credentials | None = None,
        call_id: str | None = None,
    ) -> Session:
        """Call ``target``, a URI. ``sdp`` None asks the far end for its offer.

        Raises ``TooManySessions``; ``MessageError`` for headers that cannot be written.
        """
        if len(self._sessions) >= self._context.settings.max_sessions:
            raise TooManySessions
        tag = self._context.token()
        invitation = Invitation(
            target, destination, from_.with_tag(tag), to or NameAddr(target), sdp, tuple(headers)
        )
        return self._keep(
            Session(
                self._context,
                call_id=call_id or self._call_id(),
                local_tag=tag,
                asked=invitation,
                credentials=credentials,
            )
        )

    def request(
        self,
        method: str,
        target: str,
        *,
        destination: Destination,
        from_: NameAddr,
        to: NameAddr,
        headers: Sequence[Header] = (),
        body: bytes = b"",
        credentials: Credentials | None = None,
        call_id: str | None = None,
        cseq: int = 1,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure], None],
    ) -> Exchange:
        """Send a request outside a dialog: OPTIONS, REGISTER. Challenges are answered.

        ``on_response`` gets all other responses, ``on_failure`` the lack of a final one. Who
        registers gives the same ``call_id`` each time and a ``cseq`` beyond that of
        ``exchange.request``, the last one sent.
        """
        number = cseq - 1
        own, name = from_.with_tag(self._context.token()), call_id or self._call_id()

        def build() -> tuple[Request, Destination]:
            nonlocal number
            number += 1
            fields = [("max-forwards", "70"), ("from", str(own)), ("to", str(to))]
            fields += [("call-id", name), ("cseq", f"{number} {method}")]
            if "contact" not in [given.lower() for given, _ in headers]:
                fields.append(("contact", f"<{self._context.contact(destination)}>"))
            fields += [*self._context.about("user-agent"), *headers]
            return Request(method, target, headers=Headers(fields), body=body), destination

        return Exchange(
            self._context, build, credentials, _guarded(on_response), _guarded(on_failure)
        )

    def transact(
        self,
        request: Request,
        destination: Destination,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure], None],
    ) -> ClientTransaction:
        """Send a request outside a dialog as it is: whoever keeps its own numbers and nonces."""
        layer = self._context.transactions
        return layer.request(request, destination, _guarded(on_response), _guarded(on_failure))

    # For the transaction layer

    def request_received(self, transaction: ServerTransaction) -> None:
        """A new request."""
        request = transaction.request
        try:
            if request.to.tag:
                self._inside(transaction)
            elif not self.on_request(transaction):
                self._outside(transaction)
        except MessageError as error:
            # Malformed, 415, 416: the answer says which.
            headers = [("accept", ACCEPT)] if error.status == 415 else []
            self._answer(transaction, error.status, headers)
        except Exception:
            log.exception("a SIP request broke its handling")
            self._answer(transaction, 500)

    def ack_received(self, request: Request, flow: Flow) -> None:
        """An ACK to a 2xx."""
        session = self._session(request)
        if session is not None:
            session.acknowledged(request)

    def response_received(self, response: Response, flow: Flow) -> None:
        """A 2xx to an INVITE of ours that came late or from another fork."""
        session = self._sessions.get((response.call_id, response.from_.tag))
        if session is not None:
            session.took(response)

    # Inside

    def _inside(self, transaction: ServerTransaction) -> None:
        session = self._session(transaction.request)
        if session is None:
            # Anybody can name a dialog that there is not: nothing is kept of it.
            transaction.forget(self._made(transaction, 481))
        else:
            session.received(transaction)

    def _outside(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if transaction.merged:
            self._answer(transaction, 482)
            return
        if not is_tel(request.uri):
            SipUri.parse(request.uri)
        refused = refusal(request, self._context)
        if refused is not None:
            self._answer(transaction, refused.status, refused.headers)
        elif request.method == "INVITE":
            self._invited(transaction)
        elif request.method == "OPTIONS":
            about = self._context.about("server")
            self._answer(transaction, 200, [("accept", ACCEPT), *about])
        elif request.method == "REFER":
            self._answer(transaction, 603)
        else:
            self._answer(transaction, 481)

    def _invited(self, transaction: ServerTransaction) -> None:
        request, settings = transaction.request, self._context.settings
        session_description(request)
        interval = too_short(request, settings.least_interval)
        if interval is not None:
            self._answer(transaction, 422, interval)
            return
        if len(self._sessions) >= settings.max_sessions:
            self._answer(transaction, UNWILLING)
            return
        replaced: Session | None = None
        if settings.allow_replaces and "replaces" in request.headers:
            found = find_replaced(request, self._sessions)
            if isinstance(found, int):
                self._answer(transaction, found)
                return
            replaced = found
        session = self._keep(
            Session(
                self._context,
                call_id=request.call_id,
                local_tag=transaction.to_tag,
                asked=transaction,
                replaces=replaced,
            )
        )
        try:
            self.on_invite(session)
        except Exception:
            log.exception("the owner of a SIP call broke")
            session.fail()

    def _keep(self, session: Session) -> Session:
        key = (session.call_id, session.local_tag)

        def forget() -> None:
            self._sessions.pop(key, None)

        self._sessions[key] = session
        session.on_forgotten = forget
        return session

    def _session(self, request: Request) -> Session | None:
        session = self._sessions.get((request.call_id, request.to.tag))
        if session is not None and session.matches(request.from_.tag):
            return session
        return None

    def _answer(
        self, transaction: ServerTransaction, status: int, headers: Sequence[Header] = ()
    ) -> None:
        transaction.respond(self._made(transaction, status, headers))

    def _made(
        self, transaction: ServerTransaction, status: int, headers: Sequence[Header] = ()
    ) -> Response:
        fields = list(headers)
        if "server" not in [name for name, _ in fields]:
            fields.append(("server", self._context.user_agent))
        return make_response(transaction.request, status, headers=fields)

    def _call_id(self) -> str:
        return f"{self._context.token()}{self._context.token()}"


def _guarded(act: Callable[..., None]) -> Callable[..., None]:
    """``act`` of an owner, which is not to break the handling of what arrived."""

    def run(*args: object) -> None:
        try:
            act(*args)
        except Exception:
            log.exception("the owner of a SIP request broke")

    return run


def _admit(transaction: ServerTransaction) -> bool:
    return False


def _unavailable(session: Session) -> None:
    session.reject(UNWILLING)
