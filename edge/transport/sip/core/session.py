"""One phone call as signalling sees it: an INVITE session of either side (RFC 3261 sections 13 to
15, RFC 3262, 3311, 3515, 3891, 4028)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from edge.transport.sip.core.accepted import Acknowledger
from edge.transport.sip.core.called import Called
from edge.transport.sip.core.calling import Calling, Invitation
from edge.transport.sip.core.context import UNWILLING, Context, Header
from edge.transport.sip.core.dialog import Dialog
from edge.transport.sip.core.events import EndCause, SessionEvent
from edge.transport.sip.core.flow import Flow
from edge.transport.sip.core.inside import InsideRequests
from edge.transport.sip.core.negotiation import Negotiation
from edge.transport.sip.core.refer import Referral, Transfer, refer_to
from edge.transport.sip.core.session_timer import SessionTimer
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.core.usage import InviteUsage, Outcome, SessionState
from edge.transport.sip.wire.digest import Credentials
from edge.transport.sip.wire.message import Request, Response

Direction: TypeAlias = Literal["in", "out"]


class Session:
    """Made by the agent: for an INVITE that came, or by :meth:`AgentCore.invite`.

    Methods act at once and never wait; ``on_event`` may be called before they return. What comes
    too late, as ``accept`` after a CANCEL, does nothing. When the owner ends the session, ``Ended``
    comes at once, and what there is to say to the far end is said afterwards. Events that happen
    before ``on_event`` is set are kept for it.
    """

    def __init__(
        self,
        context: Context,
        *,
        call_id: str,
        local_tag: str,
        asked: ServerTransaction | Invitation,
        credentials: Credentials | None = None,
        replaces: Session | None = None,
    ) -> None:
        """Raises ``MessageError`` when no session can be made of an INVITE that came."""
        out = isinstance(asked, Invitation)
        self.direction: Direction = "out" if out else "in"
        self.replaces = replaces
        """The session whose place this one takes when it is accepted (RFC 3891)."""
        self.on_refer: Callable[[Referral], bool] | None = None
        """Takes a REFER by answering True; else it is declined."""
        self.on_forgotten: Callable[[], None] = lambda: None
        """The agent's: nothing of this session is left on the wire."""
        self._usage = InviteUsage(
            context,
            call_id=call_id,
            local_tag=local_tag,
            state="calling" if out else "incoming",
            credentials=credentials,
        )
        self._usage.on_fault = self._broken
        self._usage.on_idle = self._forgotten
        self._timer = SessionTimer(self._usage, self._refresh, self._expired)
        self._acks = Acknowledger(context)
        self._calling: Calling | None = None
        self._called: Called | None = None
        first: Calling | Called
        if isinstance(asked, Invitation):
            first = self._calling = Calling(
                self._usage, asked, self._timer, self._acks, self._broken
            )
        else:
            self._request = asked.request
            self._flow: Flow | None = asked.flow
            first = self._called = Called(self._usage, asked, self._timer, self._broken)
        self._negotiation = Negotiation(
            self._usage, first, self._timer, self._acks, caller=out, on_lost=self._lost
        )
        self._transfer = Transfer(self._usage)
        self._referral: Referral | None = None
        self._inside = InsideRequests(
            self._usage, first, self._negotiation, self._transfer, self._hung_up, self._referred
        )

    # What it is

    @property
    def on_event(self) -> Callable[[SessionEvent], None] | None:
        """Who is told of the session's events."""
        return self._usage.listener

    @on_event.setter
    def on_event(self, listener: Callable[[SessionEvent], None]) -> None:
        self._usage.listen(listener)

    @property
    def state(self) -> SessionState:
        return self._usage.state

    @property
    def call_id(self) -> str:
        return self._usage.call_id

    @property
    def local_tag(self) -> str:
        return self._usage.local_tag

    @property
    def remote_tag(self) -> str:
        """Empty until the far end has answered."""
        return self.dialog.remote_tag if self.dialog is not None else ""

    @property
    def dialog(self) -> Dialog | None:
        """The dialog, or the newest of the early ones."""
        return self._usage.dialog

    @property
    def request(self) -> Request:
        """The INVITE; ours as it was sent last."""
        return self._request if self._calling is None else self._calling.request

    @property
    def flow(self) -> Flow | None:
        """Where their INVITE came from; of ours, the stream that it was answered on."""
        if self._calling is None:
            return self._flow
        return self.dialog.hop.flow if self.dialog is not None else None

    @property
    def sdp(self) -> bytes | None:
        """The far end's newest description, at first the offer of its INVITE."""
        return self._usage.remote_sdp

    @property
    def heard(self) -> bool:
        """Whether the far end has said anything; of an INVITE of ours 100 Trying counts too."""
        return self._calling is None or self._calling.heard

    @property
    def transferring(self) -> bool:
        """Whether a REFER of ours has not come to its end."""
        return self._transfer.running

    # As the called party

    def ring(self, status: int = 180, sdp: bytes | None = None) -> None:
        """Answer provisionally; with ``sdp`` there is early media.

        An ``sdp`` is sent reliably when the far end can, and then is the answer.
        """
        if self._called is not None:
            self._called.ring(status, sdp)

    def accept(self, sdp: bytes) -> None:
        """Answer with 200. The session that this one replaces ends."""
        if self._called is None or self.state not in ("incoming", "early"):
            return
        self._called.accept(sdp)
        replaced, self.replaces = self.replaces, None
        if replaced is not None:
            replaced._leave("replaced", ())

    def reject(
        self, status: int, reason: str | None = None, headers: Sequence[Header] = ()
    ) -> None:
        """Answer with ``status``, 300 or more."""
        if self._called is not None:
            self._called.reject(status, reason, headers)

    def redirect(self, contacts: Sequence[str], status: int = 302) -> None:
        """Send the caller to these URIs, the best first."""
        # All of them were given the same weight without q (RFC 3261 section 20.10).
        steps = len(contacts)
        values = [f"<{uri}>;q={(steps - n) / steps:.3f}" for n, uri in enumerate(contacts)]
        self.reject(status, None, [("contact", value) for value in values])

    # As the caller

    def cancel(self) -> None:
        """Give up an INVITE of ours that is not answered yet."""
        if self.direction == "out" and self.state in ("calling", "early"):
            self._leave("cancelled", ())

    def acknowledge(self, sdp: bytes) -> None:
        """Answer the offer in the 2xx to our INVITE, which had none."""
        if self._calling is not None and not self._usage.ended:
            self._calling.acknowledge(sdp)

    # Established

    def offer(self, sdp: bytes) -> bool:
        """Offer another description, by re-INVITE, or by UPDATE before the INVITE is answered.

        ``Agreed`` or ``OfferFailed`` follows. False, and nothing happens, when an offer of either
        side is open, or the session is not that far.
        """
        return not self._usage.ended and self._negotiation.offer(sdp)

    def answer(self, sdp: bytes) -> None:
        """Answer ``Offered``."""
        self._negotiation.answer(sdp)

    def refuse(self, status: int = 488) -> None:
        """Refuse ``Offered``."""
        self._negotiation.refuse(status)

    def info(self, content_type: str, body: bytes) -> bool:
        """Send an INFO (RFC 6086); False when it is not sent."""
        headers = [("content-type", content_type)]
        return self._say("INFO", headers, body)

    def refer(
        self, to: str, replaces: Session | None = None, headers: Sequence[Header] = ()
    ) -> bool:
        """Give the far end to ``to``, a URI that may have headers; ``ReferProgress`` follows.

        With ``replaces`` it takes our place in that session (RFC 3891). False when either session
        does not stand, or another transfer is going on. Raises ``MessageError`` for a URI that
        cannot have the header.
        """
        if self.state != "confirmed" or self._transfer.running:
            return False
        replaced = None if replaces is None else replaces.dialog
        if replaces is not None and (replaced is None or replaces.state == "ended"):
            return False
        self._transfer.refer(refer_to(to, replaced), headers)
        return True

    def bye(self, headers: Sequence[Header] = ()) -> None:
        """End the session; before it is established, as :meth:`end`."""
        self._leave("local_bye" if self._established else self._early_cause, headers)

    def end(self) -> None:
        """End the session whatever its state: cancel, decline, or BYE."""
        self.bye()

    # The agent's side

    def received(self, transaction: ServerTransaction) -> None:
        """A request inside a dialog of this session."""
        self._usage.guarded(self._inside.received)(transaction)

    def acknowledged(self, ack: Request) -> None:
        """An ACK to a 2xx."""
        self._usage.guarded(self._inside.acknowledged)(ack)

    def took(self, response: Response) -> None:
        """A 2xx to an INVITE of ours that no transaction wanted."""
        if self._acks.again(response):
            return
        number, dialog = response.cseq.number, self.dialog
        first = 0 if self._calling is None else self._calling.request.cseq.number
        inside = dialog is not None and response.to.tag == dialog.remote_tag
        if inside and dialog is not None and first < number <= dialog.local_cseq:
            # A re-INVITE that was given up: whoever took it after all waits for its ACK.
            self._usage.guarded(self._acks.acknowledge)(dialog, number)
        elif self._calling is not None:
            self._usage.guarded(self._calling.take)(response)

    def fail(self) -> None:
        """End the session because of a fault of its owner."""
        self._usage.fault()

    def flow_closed(self, flow: Flow) -> None:
        """A stream is gone."""
        if self._called is not None and flow == self._flow:
            self._usage.guarded(self._called.unreachable)()
        for dialog in self._inside.dialogs():
            dialog.flow_closed(flow)

    def matches(self, remote_tag: str) -> bool:
        """Whether there is a dialog with ``remote_tag``."""
        return self._inside.dialog(remote_tag) is not None

    # Inside

    @property
    def _established(self) -> bool:
        return self.state in ("accepted", "confirmed")

    @property
    def _early_cause(self) -> EndCause:
        return "cancelled" if self.direction == "out" else "rejected"

    def _leave(self, cause: EndCause, headers: Sequence[Header]) -> None:
        """End the session, and tell the far end by what its state calls for."""
        state, usage = self.state, self._usage
        if state == "ended":
            return
        if self._called is not None and state in ("incoming", "early"):
            if cause == "rejected":
                self._called.reject(UNWILLING, None, headers)
                return
            self._called.give_up(500)
        with usage.held():
            usage.finish(cause)
            if state == "accepted" and self._called is not None:
                self._called.farewell(headers)
            elif state == "confirmed" and usage.dialog is not None:
                if self._calling is not None:
                    self._calling.acknowledge(None)
                usage.say_bye(usage.dialog, headers)
            elif self._calling is not None:
                self._calling.cancel()

    def _say(self, method: str, headers: Sequence[Header], body: bytes) -> bool:
        usage = self._usage
        if not self._established or usage.requests >= usage.context.settings.max_requests:
            return False
        agent = ("user-agent", usage.context.user_agent)
        usage.request(method, self._said, headers=[*headers, agent], body=body)
        return True

    def _said(self, outcome: Outcome) -> None:
        if isinstance(outcome, Response) and outcome.status == 481:
            self._lost("failed", 481)

    def _lost(self, cause: EndCause, status: int | None) -> None:
        """The far end has lost the session, or itself (section 12.2.1.2)."""
        usage = self._usage
        if usage.ended:
            return
        if self._called is not None:
            self._called.hung_up()
        with usage.held():
            usage.finish(cause, status)
            if usage.dialog is not None:
                usage.say_bye(usage.dialog)

    def _broken(self) -> None:
        self._leave("failed", ())

    def _expired(self) -> None:
        self._leave("expired", ())

    def _refresh(self) -> None:
        self._negotiation.refresh()

    def _hung_up(self, request: Request) -> None:
        if self._called is not None:
            self._called.hung_up()
        self._usage.finish("remote_bye", headers=request.headers)

    def _referred(self, transaction: ServerTransaction) -> None:
        referral = Referral(self._usage, transaction)
        busy = self._referral is not None and not self._referral.over
        if busy or self.on_refer is None or not self.on_refer(referral):
            referral.refuse(603)
        else:
            self._referral = referral

    def _forgotten(self) -> None:
        self.on_forgotten()
