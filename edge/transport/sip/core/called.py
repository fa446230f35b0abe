"""The INVITE that somebody sent us, from the first ring to the ACK (RFC 3261 section 13.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.transport.sip.core.accepted import Accepted
from edge.transport.sip.core.body import SDP, session_description
from edge.transport.sip.core.context import UNWILLING, Header
from edge.transport.sip.core.dialog import Dialog
from edge.transport.sip.core.events import Confirmed
from edge.transport.sip.core.flow import back_to
from edge.transport.sip.core.reliable import ReliableProvisionals
from edge.transport.sip.core.session_timer import SessionTimer
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.core.transactions import Failure, ServerTransaction
from edge.transport.sip.core.usage import InviteUsage
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Request

RING_AGAIN = 60.0
"""A provisional response is said anew so often, seconds: proxies give up otherwise (section
13.3.1.1)."""


class Called:
    """Our side of an INVITE of theirs. ``offer`` is their description; None asks for ours.

    Raises ``MessageError`` when no dialog or session can be made of it.
    """

    def __init__(
        self,
        usage: InviteUsage,
        transaction: ServerTransaction,
        timer: SessionTimer,
        on_broken: Callable[[], None],
    ) -> None:
        request = transaction.request
        self.offer = session_description(request)
        self.accepted: Accepted | None = None
        self._usage = usage
        self._transaction = transaction
        self._timer = timer
        self._on_broken = on_broken
        self._required = "100rel" in request.headers.tokens("require")
        self._able = self._required or "100rel" in request.headers.tokens("supported")
        self._reliable = ReliableProvisionals(usage, transaction, self._heard, self._unheard)
        self._answered_early = False
        self._ring: tuple[int, bytes | None] | None = None
        self._ringing: Timer | None = None
        self._accepting: bytes | None = None
        self._farewell: list[Header] | None = None
        cseq = usage.context.rng.randrange(1, 2**16)
        usage.dialog = Dialog.as_callee(request, transaction.flow, usage.local_tag, cseq)
        usage.secure = usage.dialog.secure
        usage.remote_sdp = self.offer
        usage.learn(request)
        self._hold = usage.held()
        self._deadline = usage.later(usage.context.settings.setup_seconds, self._too_long)
        transaction.on_cancel = usage.guarded(self._cancelled)
        transaction.on_failure = usage.guarded(self._failed)
        usage.on_finished.append(self._finished)

    @property
    def settled(self) -> bool:
        """Whether the first offer has its answer, so that another may be made."""
        if self._usage.state == "confirmed":
            return True
        if self._usage.state == "accepted":
            return self.offer is not None
        return self._answered_early and not self._reliable.pending

    def ring(self, status: int, sdp: bytes | None) -> None:
        """A provisional answer. ``sdp`` is left out when there was no offer to answer, and when it
        was answered already."""
        usage = self._usage
        if usage.state not in ("incoming", "early") or self._accepting is not None:
            return
        if self.offer is None and self._required:
            return  # it would have to carry an offer, of which ``accept`` is to be the first
        if self.offer is None or self._answered_early:
            sdp = None
        usage.state = "early"
        self._ring = (status, sdp)
        self._send_ring()

    def accept(self, sdp: bytes) -> None:
        """Answer with 200; waits for the PRACK to a description that is on its way."""
        if self._usage.state not in ("incoming", "early") or self._accepting is not None:
            return
        self._accepting = sdp
        if not (self._answered_early and self._reliable.pending):
            self._heard()

    def reject(self, status: int, reason: str | None, headers: Sequence[Header]) -> None:
        """Answer with a final response that is no success."""
        usage = self._usage
        if usage.state not in ("incoming", "early"):
            return
        response = usage.respond(self._transaction, status, reason, [*headers, self._server])
        usage.finish("rejected", status, response.reason)

    def give_up(self, status: int) -> None:
        """Answer with ``status``, because of a fault of our own."""
        self._usage.respond(self._transaction, status, None, [self._server])

    def prack(self, transaction: ServerTransaction) -> bool:
        """Whether a PRACK is for a response of ours; then it is still to be answered."""
        return self._reliable.acknowledged(transaction.request)

    def farewell(self, headers: Sequence[Header]) -> None:
        """Say BYE as soon as the ACK is there, which a callee has to wait for (section 15)."""
        self._farewell = list(headers)

    def unreachable(self) -> None:
        """The stream is gone that all answers would take: a ringing call cannot be answered."""
        self._failed("transport")

    def hung_up(self) -> None:
        """Their BYE is here: nothing of ours is waited for."""
        if self.accepted is not None:
            self.accepted.stop()

    @property
    def _server(self) -> Header:
        return ("server", self._usage.context.user_agent)

    def _send_ring(self) -> None:
        if self._ring is None:
            return
        status, sdp = self._ring
        usage = self._usage
        headers = [usage.contact(back_to(self._transaction.flow)), *usage.context.about("server")]
        if self._required or (self._able and sdp is not None):
            self._answered_early = self._answered_early or sdp is not None
            self._reliable.send(status, headers, sdp or b"")
        else:
            kind = SDP if sdp is not None else None
            usage.respond(self._transaction, status, None, headers[1:], sdp or b"", kind)
        if sdp is not None:
            usage.local_sdp = sdp
            if self._able:
                self._ring = (status, None)
        if self._ringing is not None:
            self._ringing.cancel()
        self._ringing = usage.later(RING_AGAIN, self._send_ring)

    def _heard(self) -> None:
        sdp, usage, transaction = self._accepting, self._usage, self._transaction
        if sdp is None or usage.state not in ("incoming", "early"):
            return
        self._reliable.stop()
        headers = [
            *usage.context.about("server"),
            *self._timer.response_headers(transaction.request),
        ]
        usage.state = "accepted"
        self._settle_in()
        if self._answered_early:
            response = usage.respond(transaction, 200, None, headers)
        else:
            usage.local_sdp = sdp
            response = usage.respond(transaction, 200, None, headers, sdp, SDP)
        self.accepted = Accepted(usage, transaction, response, self._acknowledged, self._no_ack)
        self._hold.release()

    def _acknowledged(self, ack: Request | None) -> None:
        usage, self.accepted = self._usage, None
        if usage.ended:
            self._say_farewell()
            return
        usage.state = "confirmed"
        if self.offer is not None:
            usage.emit(Confirmed(None))
            return
        try:
            answer = None if ack is None else session_description(ack)
        except MessageError:
            answer = None
        if answer is None:
            self._on_broken()
            return
        usage.remote_sdp = answer
        usage.emit(Confirmed(answer))

    def _no_ack(self) -> None:
        usage, self.accepted = self._usage, None
        if usage.ended:
            self._say_farewell()
            return
        dialog = usage.dialog
        usage.finish("no_ack")
        if dialog is not None:
            usage.say_bye(dialog)

    def _say_farewell(self) -> None:
        headers, self._farewell = self._farewell, None
        if headers is not None and self._usage.dialog is not None:
            self._usage.say_bye(self._usage.dialog, headers)

    def _cancelled(self) -> None:
        if self._usage.state in ("incoming", "early"):
            self._usage.respond(self._transaction, 487, None, [self._server])
            self._usage.finish("cancelled")

    def _unheard(self) -> None:
        if self._usage.state in ("incoming", "early"):
            self._usage.respond(self._transaction, 504, None, [self._server])
            self._usage.finish("no_ack")

    def _failed(self, failure: Failure) -> None:
        # A 2xx is sent again; only an INVITE that cannot be answered at all is given up.
        if self._usage.state in ("incoming", "early"):
            self._usage.finish("unreachable")

    def _too_long(self) -> None:
        if self._usage.state in ("incoming", "early"):
            self._usage.respond(self._transaction, UNWILLING, None, [self._server])
            self._usage.finish("no_response")

    def _settle_in(self) -> None:
        self._deadline.cancel()
        if self._ringing is not None:
            self._ringing.cancel()

    def _finished(self) -> None:
        self._settle_in()
        self._reliable.stop()
        if self._usage.state in ("incoming", "early"):
            # Nothing of a transaction that has its final response already.
            self._usage.respond(self._transaction, 487, None, [self._server])
        self._hold.release()
