"""Offers inside a session, theirs and ours, by re-INVITE and UPDATE: one at a time
(RFC 3261 section 14, RFC 3311, RFC 3264)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from edge.transport.sip.core.accepted import Accepted, Acknowledger
from edge.transport.sip.core.body import SDP, session_description
from edge.transport.sip.core.events import (
    Agreed,
    Confirmed,
    EndCause,
    Offered,
    OfferFailed,
)
from edge.transport.sip.core.our_offer import OurOffer
from edge.transport.sip.core.respond import REASONS
from edge.transport.sip.core.session_timer import SessionTimer, too_short
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.core.usage import InviteUsage, Outcome
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Request, Response


class FirstOffer(Protocol):
    """How far the session's INVITE has come."""

    @property
    def settled(self) -> bool:
        """Whether its offer has its answer."""
        ...


class Negotiation:
    """``on_lost`` is called when the far end no longer knows the session or no longer answers."""

    def __init__(
        self,
        usage: InviteUsage,
        first: FirstOffer,
        timer: SessionTimer,
        acknowledger: Acknowledger,
        *,
        caller: bool,
        on_lost: Callable[[EndCause, int | None], None],
    ) -> None:
        self._usage = usage
        self._first = first
        self._timer = timer
        self._acks = acknowledger
        self._caller = caller
        self._on_lost = on_lost
        self._ours: OurOffer | None = None
        self._theirs: ServerTransaction | None = None
        self._patience: Timer | None = None
        self._accepted: Accepted | None = None
        self._wanted = False
        """Whether they ask for an offer of ours."""
        self._asked = False
        """Whether the 2xx that waits for its ACK carries an offer of ours."""
        usage.on_finished.append(self._finished)

    # Ours

    def offer(self, sdp: bytes) -> bool:
        """Send an offer; False, and nothing is done, when another is open or the INVITE is not
        far enough."""
        if self._blocked() or not self._first.settled:
            return False
        if self._usage.state == "confirmed":
            self._begin(sdp, update=False, refresh=False)
        elif "UPDATE" in self._usage.peer_allows:
            self._begin(sdp, update=True, refresh=False)
        else:
            return False
        return True

    def refresh(self) -> None:
        """Tell the far end that we are there, changing nothing; not while an offer is open."""
        usage = self._usage
        if self._blocked() or usage.state != "confirmed":
            return
        if "UPDATE" in usage.peer_allows or usage.local_sdp is None:
            self._begin(None, update=True, refresh=True)
        else:
            self._begin(usage.local_sdp, update=False, refresh=True)

    def _begin(self, sdp: bytes | None, *, update: bool, refresh: bool) -> None:
        self._ours = OurOffer(
            self._usage,
            self._timer,
            self._acks,
            "UPDATE" if update else "INVITE",
            sdp,
            owner=self._caller,
            refresh=refresh,
            on_done=self._done,
        )
        self._ours.start()

    def _blocked(self) -> bool:
        return self._ours is not None or self._theirs is not None or self._accepted is not None

    def _done(self, ours: OurOffer, outcome: Outcome) -> None:
        self._ours = None
        usage = self._usage
        if not isinstance(outcome, Response):
            if outcome == "timeout":
                self._on_lost("no_response", None)
            elif not ours.refresh:
                usage.emit(OfferFailed(503, REASONS[503]))
            return
        if outcome.status in (408, 481):
            self._on_lost("no_response" if outcome.status == 408 else "failed", outcome.status)
        elif outcome.status >= 300:
            if not ours.refresh:
                usage.emit(OfferFailed(outcome.status, outcome.reason))
        elif ours.sdp is not None:
            self._answered(ours, outcome)

    def _answered(self, ours: OurOffer, response: Response) -> None:
        usage = self._usage
        try:
            answer = session_description(response)
        except MessageError:
            answer = None
        if answer is None:
            if not ours.refresh:
                usage.emit(OfferFailed(response.status, "no session description"))
            return
        usage.local_sdp = ours.sdp
        news = answer != usage.remote_sdp
        usage.remote_sdp = answer
        if news or not ours.refresh:
            usage.emit(Agreed(answer))

    # Theirs

    def received(self, transaction: ServerTransaction) -> None:
        """A re-INVITE, or an UPDATE, or a PRACK with an offer. Raises ``MessageError``."""
        usage, request = self._usage, transaction.request
        sdp = session_description(request)
        offering = sdp is not None or request.method == "INVITE"
        if self._refused(transaction, offering):
            return
        interval = too_short(request, usage.context.settings.least_interval)
        if interval is not None:
            usage.respond(transaction, 422, headers=interval)
            return
        if usage.dialog is not None and request.method != "PRACK":
            usage.dialog.refresh(request, transaction.flow)
        usage.learn(request)
        if not offering:
            self._succeed(transaction, None)
            return
        self._theirs = transaction
        self._wanted = sdp is None
        transaction.on_cancel = usage.guarded(self._cancelled)
        self._patience = usage.later(usage.context.settings.answer_seconds, self._too_long)
        if sdp is not None:
            usage.remote_sdp = sdp
        usage.emit(Offered(sdp))

    def answer(self, sdp: bytes) -> None:
        """Our description to what they asked; nothing when they no longer ask."""
        transaction = self._settle()
        if transaction is not None:
            self._usage.local_sdp = sdp
            self._succeed(transaction, sdp)

    def refuse(self, status: int) -> None:
        """What stood still stands."""
        transaction = self._settle()
        if transaction is not None:
            self._usage.respond(transaction, status)

    def acknowledged(self, ack: Request) -> bool:
        """Whether ``ack`` is for a 2xx of ours to a re-INVITE."""
        accepted = self._accepted
        if accepted is None or accepted.cseq != ack.cseq.number:
            return False
        accepted.acknowledged(ack)
        return True

    def _refused(self, transaction: ServerTransaction, offering: bool) -> bool:
        """Answer at once what cannot be taken now (sections 14.2; RFC 3311 section 5.2)."""
        usage, request = self._usage, transaction.request
        if not offering:
            return False
        unsettled = not self._first.settled
        if request.method == "INVITE" and usage.state not in ("accepted", "confirmed"):
            unsettled = True  # the one before it has no final answer yet
        accepted = self._accepted
        if accepted is not None and not self._asked:
            # Who asks anew has had our 2xx: its ACK may still be on the way, or lost.
            accepted.acknowledged(None)
        if self._ours is not None and self._ours.waiting:
            ours, self._ours = self._ours, None
            ours.stop()
            if not ours.refresh:
                usage.emit(OfferFailed(491, REASONS[491]))
        if self._theirs is not None or (unsettled and not self._caller and not self._late()):
            after = usage.context.rng.randint(0, 10)
            usage.respond(transaction, 500, headers=[("retry-after", str(after))])
            return True
        if self._ours is not None or self._asked or unsettled:
            usage.respond(transaction, 491)
            return True
        return False

    def _late(self) -> bool:
        """Whether our 2xx to the first INVITE carried the offer, and its answer is due."""
        return self._usage.state == "accepted"

    def _succeed(self, transaction: ServerTransaction, sdp: bytes | None) -> None:
        usage, request = self._usage, transaction.request
        headers = usage.context.about("server")
        if request.method != "PRACK":
            headers += self._timer.response_headers(request)
        kind = SDP if sdp is not None else None
        response = usage.respond(transaction, 200, None, headers, sdp or b"", kind)
        if request.method == "INVITE":
            self._asked = self._wanted
            self._accepted = Accepted(
                usage, transaction, response, self._acknowledged, self._no_ack
            )

    def _acknowledged(self, ack: Request | None) -> None:
        asked, self._asked, self._accepted = self._asked, False, None
        if not asked or self._usage.ended:
            return
        try:
            answer = None if ack is None else session_description(ack)
        except MessageError:
            answer = None
        if answer is None:
            self._on_lost("failed", None)
            return
        self._usage.remote_sdp = answer
        self._usage.emit(Confirmed(answer))

    def _no_ack(self) -> None:
        self._accepted = None
        self._on_lost("no_ack", None)

    def _settle(self) -> ServerTransaction | None:
        transaction, self._theirs = self._theirs, None
        if self._patience is not None:
            self._patience.cancel()
        return transaction

    def _cancelled(self) -> None:
        self.refuse(487)

    def _too_long(self) -> None:
        self.refuse(504)

    def _finished(self) -> None:
        self.refuse(487)
        if self._ours is not None:
            self._ours.abandon()
        if self._accepted is not None:
            self._accepted.stop()
