"""The INVITE usage of a dialog (RFC 5057): what the parts of one session share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Literal, ParamSpec, TypeAlias

from edge.transport.sip.core.context import ACCEPT, Context, Header
from edge.transport.sip.core.dialog import Dialog
from edge.transport.sip.core.events import EndCause, Ended, SessionEvent
from edge.transport.sip.core.exchange import Exchange
from edge.transport.sip.core.flow import Destination, back_to
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.core.transactions import Failure, ServerTransaction
from edge.transport.sip.wire.digest import Credentials
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Request, Response

log = logging.getLogger(__name__)

SessionState: TypeAlias = Literal["calling", "incoming", "early", "accepted", "confirmed", "ended"]
"""Of an INVITE of ours: ``calling``, ``early`` after a provisional answer, ``confirmed`` by its
2xx. Of one of theirs: ``incoming``, ``early`` after ours, ``accepted`` by our 2xx, ``confirmed`` by
its ACK. ``ended`` is what the owner sees; a BYE or the like may still be on its way."""
Outcome: TypeAlias = Response | Failure
_P = ParamSpec("_P")


class InviteUsage:
    """State, dialog and events of one session, and the way of its requests.

    A fault in anything that was wrapped by :meth:`guarded` ends this session and no other.
    """

    def __init__(
        self,
        context: Context,
        *,
        call_id: str,
        local_tag: str,
        state: SessionState,
        credentials: Credentials | None = None,
    ) -> None:
        self.context = context
        self.call_id = call_id
        self.local_tag = local_tag
        self.state: SessionState = state
        self.dialog: Dialog | None = None
        self.credentials = credentials
        self.secure = False
        """Whether our Contact has to be a SIPS URI (RFC 3261 sections 8.1.1.8 and 12.1.1)."""
        self.local_sdp: bytes | None = None
        """The description that we sent last, for a refresh that changes nothing."""
        self.remote_sdp: bytes | None = None
        self.peer_allows: frozenset[str] = frozenset()
        self.on_finished: list[Callable[[], None]] = []
        """Each part of the session stops its timers here."""
        self.on_idle: Callable[[], None] = lambda: None
        """The session has ended and nothing of it is on its way."""
        self.on_fault: Callable[[], None] = lambda: None
        self._listener: Callable[[SessionEvent], None] | None = None
        self._unheard: list[SessionEvent] = []
        self._busy = 0
        self._idle = False

    # Events

    @property
    def ended(self) -> bool:
        """Whether ``Ended`` was said."""
        return self.state == "ended"

    @property
    def listener(self) -> Callable[[SessionEvent], None] | None:
        """Who is told of events."""
        return self._listener

    @property
    def requests(self) -> int:
        """How much is on its way."""
        return self._busy

    def listen(self, listener: Callable[[SessionEvent], None]) -> None:
        """Give ``listener`` all events, also those that happened before it came."""
        self._listener = listener
        unheard, self._unheard = self._unheard, []
        for event in unheard:
            self._tell(event)

    def emit(self, event: SessionEvent) -> None:
        """Tell the owner; nothing after the end."""
        if self.ended:
            return
        if isinstance(event, Ended):
            self.state = "ended"
        self._tell(event)

    def _tell(self, event: SessionEvent) -> None:
        if self._listener is None:
            self._unheard.append(event)
        else:
            self.guarded(self._listener)(event)

    def finish(
        self,
        cause: EndCause,
        status: int | None = None,
        reason: str = "",
        headers: Headers | None = None,
    ) -> None:
        """The session is over for its owner. Idempotent."""
        if self.ended:
            return
        with self.held():
            for stop in tuple(self.on_finished):
                stop()
            self.emit(Ended(cause, status, reason, headers))

    # Faults and time

    def guarded(self, act: Callable[_P, None]) -> Callable[_P, None]:
        """``act``, which then never raises."""

        def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
            try:
                act(*args, **kwargs)
            except MessageError:
                # No fault of ours, and anybody's to cause as often as they like.
                log.info("a phone session ended by a message that cannot be used")
                self.fault()
            except Exception:
                log.exception("a phone session broke")
                self.fault()

        return run

    def fault(self) -> None:
        """Give the session up, whatever state it is in."""
        try:
            self.on_fault()
        except Exception:
            log.exception("a phone session could not be ended in order")
            self._listener = None
            self.finish("failed")

    def later(self, seconds: float, act: Callable[[], None]) -> Timer:
        """Call ``act`` once, ``seconds`` from now."""
        return self.context.timers.after(seconds, self.guarded(act))

    # What is on its way

    def held(self) -> Hold:
        """Something of the session is on its way until the hold is released."""
        return Hold(self)

    def hold(self, change: Literal[1, -1]) -> None:
        self._busy += change
        if self.ended and self._busy == 0 and not self._idle:
            self._idle = True
            self.on_idle()

    # Messages

    def contact(self, destination: Destination) -> Header:
        """Our Contact for messages to ``destination``."""
        uri = self.context.contact(destination)
        if self.secure and uri.lower().startswith("sip:"):
            uri = f"sips:{uri[4:]}"
        return ("contact", f"<{uri}>")

    def learn(self, message: Request | Response) -> None:
        """Keep what the far end says it understands."""
        if "allow" in message.headers:
            try:
                allowed = message.headers.all("allow")
            except MessageError:
                return  # it says nothing, and the message is good without it
            self.peer_allows = frozenset(method.upper() for method in allowed)

    def request(
        self,
        method: str,
        on_outcome: Callable[[Outcome], None],
        *,
        dialog: Dialog | None = None,
        headers: Sequence[Header] = (),
        body: bytes = b"",
    ) -> Exchange:
        """Send a request inside the dialog. ``on_outcome`` gets provisional responses too.

        Raises ``RuntimeError`` when there is no dialog.
        """
        chosen = dialog or self.dialog
        if chosen is None:
            raise RuntimeError("there is no dialog")

        def build() -> tuple[Request, Destination]:
            destination = chosen.destination()
            named = [] if method in ("BYE", "PRACK") else [self.contact(destination)]
            return chosen.request(method, [*named, *headers], body), destination

        hold = self.held()

        def decided(outcome: Outcome) -> None:
            try:
                on_outcome(outcome)
            finally:
                if not isinstance(outcome, Response) or outcome.status >= 200:
                    hold.release()

        heard = self.guarded(decided)
        return Exchange(self.context, build, self.credentials, heard, heard)

    def say_bye(self, dialog: Dialog, headers: Sequence[Header] = ()) -> None:
        """End ``dialog`` on the wire; nobody asks how that went."""
        agent = ("user-agent", self.context.user_agent)
        self.request("BYE", lambda outcome: None, dialog=dialog, headers=[*headers, agent])

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str | None = None,
        headers: Sequence[Header] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Response:
        """Answer a request of this session, with our Contact where one belongs."""
        fields = list(headers)
        if transaction.request.method in ("INVITE", "UPDATE") and 100 < status < 300:
            fields.insert(0, self.contact(back_to(transaction.flow)))
        response = make_response(
            transaction.request,
            status,
            reason,
            to_tag=self.local_tag,
            headers=fields,
            body=body,
            content_type=content_type,
        )
        transaction.respond(response)
        return response

    def refuse(self, transaction: ServerTransaction, error: MessageError) -> None:
        """Answer a request that cannot be used."""
        headers = [("accept", ACCEPT)] if error.status == 415 else []
        self.respond(transaction, error.status, headers=headers)


class Hold:
    """Keeps a session from being forgotten; ``release`` is idempotent."""

    def __init__(self, usage: InviteUsage) -> None:
        self._usage: InviteUsage | None = usage
        usage.hold(1)

    def release(self) -> None:
        """Let go."""
        usage, self._usage = self._usage, None
        if usage is not None:
            usage.hold(-1)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        self.release()
