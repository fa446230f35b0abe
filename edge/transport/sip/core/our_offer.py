"""An offer of ours, or a refresh, inside a session: a re-INVITE or UPDATE with its second tries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from edge.transport.sip.core.accepted import Acknowledger
from edge.transport.sip.core.body import SDP
from edge.transport.sip.core.exchange import Exchange
from edge.transport.sip.core.session_timer import SessionTimer
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.core.usage import InviteUsage, Outcome
from edge.transport.sip.wire.message import Response

MAX_TRIES = 4
"""Of one offer: glare and a short session interval are answered by another try."""
OfferMethod: TypeAlias = Literal["INVITE", "UPDATE"]


class OurOffer:
    """``on_done`` is called once with the final outcome, after the ACK to a 2xx.

    ``owner`` says that the Call-ID is ours: then we are the one who waits longer after a glare
    (RFC 3261 section 14.1). ``sdp`` None makes an UPDATE that only refreshes.
    """

    def __init__(
        self,
        usage: InviteUsage,
        timer: SessionTimer,
        acknowledger: Acknowledger,
        method: OfferMethod,
        sdp: bytes | None,
        *,
        owner: bool,
        refresh: bool,
        on_done: Callable[[OurOffer, Outcome], None],
    ) -> None:
        self.sdp = sdp
        self.refresh = refresh
        self._usage = usage
        self._timer = timer
        self._acks = acknowledger
        self._method: OfferMethod = method
        self._owner = owner
        self._on_done = on_done
        self._tries = 0
        self._done = False
        self._retry: Timer | None = None
        self._patience: Timer | None = None
        self._exchange: Exchange | None = None

    @property
    def waiting(self) -> bool:
        """Whether it is between two tries: nothing of it is on the wire."""
        return self._retry is not None and self._retry.pending

    def start(self) -> None:
        """Send it."""
        usage = self._usage
        self._tries += 1
        headers = [*usage.context.about("user-agent", reliable=False)]
        headers += self._timer.request_headers()
        if self.sdp is not None:
            headers.append(("content-type", SDP))
        exchange: Exchange | None = None

        def heard(outcome: Outcome) -> None:
            self._heard(exchange, outcome)

        exchange = usage.request(self._method, heard, headers=headers, body=self.sdp or b"")
        self._exchange = exchange
        if self._method == "INVITE":
            # A far end that says 100 and nothing more would keep all later offers waiting.
            longest = 2 * usage.context.settings.transactions.timeout
            self._patience = usage.later(longest, exchange.cancel)

    def stop(self) -> None:
        """Try no more. What is on the wire is still acknowledged."""
        self._done = True
        for timer in (self._retry, self._patience):
            if timer is not None:
                timer.cancel()

    def abandon(self) -> None:
        """The session is over: ask for no answer any more."""
        self.stop()
        if self._exchange is not None:
            self._exchange.cancel()

    def _heard(self, exchange: Exchange | None, outcome: Outcome) -> None:
        if isinstance(outcome, Response):
            if outcome.status < 200:
                return
            if outcome.status < 300:
                self._succeeded(exchange, outcome)
                return
        if self._done:
            return
        if self._patience is not None:
            self._patience.cancel()
        if isinstance(outcome, Response) and self._tries < MAX_TRIES:
            if outcome.status == 491:
                self._retry = self._usage.later(self._pause(), self.start)
                return
            if outcome.status == 422 and self._timer.raised(outcome):
                self.start()
                return
        self._finish(outcome)

    def _succeeded(self, exchange: Exchange | None, response: Response) -> None:
        dialog = self._usage.dialog
        if self._method == "INVITE" and dialog is not None:
            if self._acks.again(response):
                return
            dialog.refresh(response)
            credentials = exchange.credentials if exchange is not None else []
            self._acks.acknowledge(dialog, response.cseq.number, credentials)
        if self._done:
            return
        if dialog is not None:
            dialog.refresh(response)
        self._usage.learn(response)
        self._timer.answered(response)
        self._finish(response)

    def _finish(self, outcome: Outcome) -> None:
        self.stop()
        self._on_done(self, outcome)

    def _pause(self) -> float:
        """Seconds, in steps of 10 ms."""
        steps = self._usage.context.rng.randint(210, 400) if self._owner else None
        return (self._usage.context.rng.randint(0, 200) if steps is None else steps) / 100
