"""The two ends of the three-way handshake: a 2xx until its ACK, and an ACK for each 2xx
(RFC 3261 sections 13.2.2.4 and 13.3.1.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.transport.sip.core.context import Context, Header
from edge.transport.sip.core.dialog import Dialog
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.retransmission import Retransmission
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.core.usage import InviteUsage
from edge.transport.sip.wire.message import Request, Response

MAX_ACKS = 16
"""ACKs of one session that can be sent again."""


class Accepted:
    """Our 2xx to an INVITE, sent again until it is acknowledged or 64*T1 are over.

    Over reliable transports too: a proxy on the way may have changed to UDP.
    """

    def __init__(
        self,
        usage: InviteUsage,
        transaction: ServerTransaction,
        response: Response,
        on_ack: Callable[[Request | None], None],
        on_lost: Callable[[], None],
    ) -> None:
        timers = usage.context.settings.transactions
        self._usage = usage
        self.cseq = transaction.request.cseq.number
        self._transaction = transaction
        self._response = response
        self._on_ack = on_ack
        self._on_lost = on_lost
        self._hold = usage.held()
        self._again = Retransmission(
            usage.context.timers, usage.guarded(self._repeat), timers.t1, timers.t2
        )
        self._again.start()
        self._deadline = usage.later(timers.timeout, self._lost)

    def acknowledged(self, ack: Request | None) -> None:
        """The ACK came; or None, when the far end's next request says that it was sent."""
        self._settle(lambda: self._on_ack(ack))

    def stop(self) -> None:
        """Wait no longer. Idempotent."""
        self._again.stop()
        self._deadline.cancel()
        self._hold.release()

    def _repeat(self) -> None:
        self._transaction.respond(self._response)

    def _lost(self) -> None:
        self._settle(self._on_lost)

    def _settle(self, then: Callable[[], None]) -> None:
        # Held meanwhile: a BYE that was waiting for this still belongs to the session.
        with self._usage.held():
            self.stop()
            then()


class Acknowledger:
    """Our ACKs, kept to be sent again with each retransmission of what they acknowledge."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sent: dict[tuple[str, int], tuple[Destination, bytes]] = {}

    def acknowledge(
        self,
        dialog: Dialog,
        cseq: int,
        credentials: Sequence[Header] = (),
        sdp: bytes | None = None,
    ) -> None:
        """Send the ACK to the 2xx with ``cseq`` that came in ``dialog``."""
        headers = [*credentials, ("user-agent", self._context.user_agent)]
        if sdp is not None:
            headers.append(("content-type", "application/sdp"))
        destination = dialog.destination()
        request = dialog.request("ACK", headers, sdp or b"", cseq)
        data = self._context.transactions.send_ack(request, destination)
        if len(self._sent) >= MAX_ACKS:
            del self._sent[next(iter(self._sent))]
        self._sent[dialog.remote_tag, cseq] = (destination, data)

    def again(self, response: Response) -> bool:
        """Send the ACK to ``response`` once more; False when there was none."""
        sent = self._sent.get((response.to.tag, response.cseq.number))
        if sent is None:
            return False
        self._context.send(*sent)
        return True
