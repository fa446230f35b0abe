"""The INVITE that we send, with its forks, until its final answer (RFC 3261 section 13.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from edge.transport.sip.core.accepted import Acknowledger
from edge.transport.sip.core.body import SDP, session_description
from edge.transport.sip.core.context import Header
from edge.transport.sip.core.dialog import Dialog
from edge.transport.sip.core.events import Answered, Progress
from edge.transport.sip.core.exchange import Exchange
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.reliable import ReliableReader, is_reliable
from edge.transport.sip.core.session_timer import SessionTimer
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.core.transactions import Failure
from edge.transport.sip.core.usage import InviteUsage
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Headers, Request, Response
from edge.transport.sip.wire.values import NameAddr


@dataclass(frozen=True, slots=True)
class Invitation:
    """What is asked of whom. ``from_`` has our tag; ``sdp`` None asks for their offer."""

    target: str
    destination: Destination
    from_: NameAddr
    to: NameAddr
    sdp: bytes | None
    headers: tuple[Header, ...]


@dataclass(slots=True)
class Fork:
    """One early dialog."""

    dialog: Dialog
    reader: ReliableReader = field(default_factory=ReliableReader)
    sdp: bytes | None = None
    settled: bool = False
    """Whether its answer came in a reliable response: offers may follow it."""


class Calling:
    """Our side of an INVITE of ours.

    The first 2xx makes the session; the dialogs of later ones are ended (section 13.2.2.4). After
    the session's end a 2xx that crosses the CANCEL is acknowledged and ended likewise.
    """

    def __init__(
        self,
        usage: InviteUsage,
        invitation: Invitation,
        timer: SessionTimer,
        acknowledger: Acknowledger,
        on_broken: Callable[[], None],
    ) -> None:
        self.forks: dict[str, Fork] = {}
        self._usage = usage
        self._invitation = invitation
        self._timer = timer
        self._acks = acknowledger
        self._on_broken = on_broken
        self._cseq = usage.context.rng.randrange(1, 2**16)
        self._winner: Dialog | None = None
        self._unanswered: int | None = None
        """The CSeq of the INVITE whose 2xx brought an offer, until that is answered."""
        self._patience: Timer | None = None
        self._hold = usage.held()
        self._farewells = 0
        usage.secure = invitation.target.lower().startswith("sips:")
        usage.local_sdp = invitation.sdp
        # May raise for headers that cannot be written: nothing is to tick yet.
        self._exchange = self._invite()
        usage.on_finished.append(self._finished)
        self._deadline = usage.later(usage.context.settings.setup_seconds, self._too_long)

    @property
    def request(self) -> Request:
        """The INVITE as it was sent last."""
        return self._exchange.request

    @property
    def heard(self) -> bool:
        """Whether the far end has answered anything at all."""
        return self._exchange.heard

    @property
    def settled(self) -> bool:
        """Whether the first offer has its answer, so that another may be made.

        Before the 2xx only in an early dialog that has no sister.
        """
        if self._usage.state == "confirmed":
            return self._unanswered is None
        return len(self.forks) == 1 and all(fork.settled for fork in self.forks.values())

    def cancel(self) -> None:
        """Give the INVITE up on the wire; the session has ended."""
        self._exchange.cancel()

    def acknowledge(self, sdp: bytes | None) -> None:
        """The ACK to a 2xx that brought an offer. Without an answer only a BYE can follow."""
        cseq, self._unanswered = self._unanswered, None
        if cseq is None or self._winner is None:
            return
        if self._patience is not None:
            self._patience.cancel()
        if sdp is not None:
            self._usage.local_sdp = sdp
        self._acks.acknowledge(self._winner, cseq, self._exchange.credentials, sdp)

    def take(self, response: Response) -> None:
        """A 2xx of this INVITE that its transaction did not want."""
        self._responded(response)

    def _invite(self) -> Exchange:
        responded = self._usage.guarded(self._responded)
        return Exchange(
            self._usage.context,
            self._build,
            self._usage.credentials,
            responded,
            self._usage.guarded(self._failed),
        )

    def _build(self) -> tuple[Request, Destination]:
        asked, usage = self._invitation, self._usage
        self._cseq += 1
        fields = [("max-forwards", "70"), ("from", str(asked.from_)), ("to", str(asked.to))]
        fields += [("call-id", usage.call_id), ("cseq", f"{self._cseq} INVITE")]
        fields += [usage.contact(asked.destination)]
        # A reliable provisional answer to an INVITE without an offer would bring theirs, to be
        # answered before the far end rings: it is to come in the 2xx.
        fields += usage.context.about("user-agent", reliable=asked.sdp is not None)
        fields += self._timer.request_headers()
        fields += asked.headers
        if asked.sdp is not None:
            fields.append(("content-type", SDP))
        request = Request("INVITE", asked.target, headers=Headers(fields), body=asked.sdp or b"")
        return request, asked.destination

    def _responded(self, response: Response) -> None:
        if response.status < 200:
            if response.status > 100 and not self._usage.ended and self._winner is None:
                self._progressed(response)
        elif response.status < 300:
            self._succeeded(response)
        else:
            self._refused(response)

    # Provisional

    def _progressed(self, response: Response) -> None:
        usage = self._usage
        try:
            sdp = session_description(response) if self._invitation.sdp is not None else None
            fork = self._fork(response)
            if is_reliable(response):
                if fork is None or usage.requests >= usage.context.settings.max_requests:
                    return
                rack = fork.reader.rack(response)
                if rack is None:
                    return
                fork.settled = fork.settled or sdp is not None
                usage.request("PRACK", lambda _: None, dialog=fork.dialog, headers=[("rack", rack)])
        except MessageError:
            return  # as if it had not come; the final answer counts
        if fork is not None:
            fork.sdp = fork.sdp or sdp
            usage.dialog = fork.dialog
        if usage.state == "calling":
            usage.state = "early"
        usage.learn(response)
        usage.emit(Progress(response.status, response.reason, sdp))

    def _fork(self, response: Response) -> Fork | None:
        tag = response.to.tag
        fork = self.forks.get(tag)
        if fork is not None:
            fork.dialog.refresh(response)
        elif tag and len(self.forks) < self._usage.context.settings.max_forks:
            fork = Fork(self._dialog(response))
            self.forks[tag] = fork
        return fork

    def _dialog(self, response: Response) -> Dialog:
        hop, flow = self._exchange.destination, self._usage.context.arriving
        if flow is not None and flow.reliable and flow.transport == hop.transport:
            hop = replace(hop, flow=flow)
        dialog = Dialog.as_caller(self.request, response, hop)
        # Challenges answered later must not make a number come twice.
        dialog.local_cseq = max(dialog.local_cseq, self._cseq)
        return dialog

    # Success

    def _succeeded(self, response: Response) -> None:
        if self._acks.again(response):
            return
        tag, usage = response.to.tag, self._usage
        if self._winner is not None and tag == self._winner.remote_tag:
            return  # the offer in it is still being answered
        lost = usage.ended or self._winner is not None
        if lost and self._farewells >= usage.context.settings.max_forks:
            return  # no proxy has that many phones behind it
        fork = self.forks.get(tag)
        try:
            if fork is None:
                fork = Fork(self._dialog(response))
            else:
                fork.dialog.confirm(response)
        except MessageError:
            self._decline(self._astray(response) if fork is None else fork.dialog, response)
            if not lost:
                usage.finish("failed")
        else:
            if not lost:
                self._won(fork, response)
                return
            self._decline(fork.dialog, response)
        self._hold.release()

    def _decline(self, dialog: Dialog, response: Response) -> None:
        """End what a 2xx has begun, which takes an ACK first."""
        self._farewells += 1
        self._acks.acknowledge(dialog, response.cseq.number, self._exchange.credentials)
        self._usage.say_bye(dialog)

    def _astray(self, response: Response) -> Dialog:
        """The dialog of a 2xx whose routes cannot be read: all goes where the INVITE went."""
        headers = Headers([field for field in response.headers if field[0] != "record-route"])
        dialog = self._dialog(Response(response.status, response.reason, headers=headers))
        dialog.behind_nat = True
        return dialog

    def _won(self, fork: Fork, response: Response) -> None:
        usage, cseq = self._usage, response.cseq.number
        self._winner = usage.dialog = fork.dialog
        self.forks = {fork.dialog.remote_tag: fork}
        self._deadline.cancel()
        usage.state = "confirmed"
        usage.learn(response)
        self._hold.release()
        try:
            sdp = session_description(response)
        except MessageError:
            sdp = None
        if self._invitation.sdp is not None:
            # The first description is the answer, also when it came early (section 13.2.1).
            sdp = sdp or fork.sdp
            self._acks.acknowledge(fork.dialog, cseq, self._exchange.credentials)
        else:
            self._unanswered = cseq
        if sdp is None:
            self.acknowledge(None)
            self._on_broken()
            return
        usage.remote_sdp = sdp
        self._timer.answered(response)
        if self._unanswered is not None:
            seconds = usage.context.settings.answer_seconds
            self._patience = usage.later(seconds, self._on_broken)
        usage.emit(Answered(sdp, response.headers))

    # Failure

    def _refused(self, response: Response) -> None:
        usage = self._usage
        if response.status == 422 and not usage.ended and self._timer.raised(response):
            self._exchange = self._invite()
            return
        usage.finish("rejected", response.status, response.reason, response.headers)
        self._hold.release()

    def _failed(self, failure: Failure) -> None:
        self._usage.finish("no_response" if failure == "timeout" else "unreachable")
        self._hold.release()

    def _too_long(self) -> None:
        self._usage.finish("no_response")
        self.cancel()

    def _finished(self) -> None:
        self._deadline.cancel()
        if self._patience is not None:
            self._patience.cancel()
