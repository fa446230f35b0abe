"""Server transactions: what we were asked, until our answer has arrived (RFC 3261 section 17.2,
RFC 6026, RFC 4320)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from edge.transport.sip.core.client_transaction import Failure, Ground
from edge.transport.sip.core.flow import Flow
from edge.transport.sip.core.matching import ServerKey, merge_key, weight
from edge.transport.sip.core.respond import make_response, tag_to
from edge.transport.sip.core.retransmission import Retransmission
from edge.transport.sip.core.return_path import way_back
from edge.transport.sip.core.timers import Timer
from edge.transport.sip.wire.message import Request, Response

ServerState: TypeAlias = Literal[
    "trying", "proceeding", "accepted", "completed", "confirmed", "terminated"
]


class ServerTransaction:
    """One request of the far end, its top Via completed with where it came from.

    ``merged`` says that the same request has come another way too, by a fork upstream, and is
    being answered: the owner answers 482 (section 8.2.2.2). ``to_tag`` is a fresh tag for the
    answers; they get it by themselves when they bring no other. ``on_cancel`` is called at most
    once, before a final response was sent. ``on_failure`` says that an answer did not arrive, or
    that the owner has given none while the far end waited; it is never called inside ``respond``.
    """

    def __init__(
        self,
        ground: Ground,
        request: Request,
        flow: Flow,
        key: ServerKey,
        to_tag: str,
        on_end: Callable[[ServerTransaction], None],
    ) -> None:
        self.request = request
        self.flow = flow
        self.key = key
        self.merge_key = merge_key(request)
        self.weight = weight(request)
        self.brief = False
        """Whether nothing is kept of it once it is answered: its source has much here already. A
        copy of the request counts as a new one then."""
        self.to_tag = to_tag
        self.merged = False
        self.completed = False
        """Whether a final response was sent."""
        self.state: ServerState = "trying"
        self.on_cancel: Callable[[], None] = _nothing
        self.on_failure: Callable[[Failure], None] = _ignore
        self._ground = ground
        self._way = way_back(request.via, flow)
        self._on_end = on_end
        self._last: Response | None = None
        self._data = b""
        self._trying: Timer | None = None
        self._deadline: Timer | None = None

    @property
    def terminated(self) -> bool:
        """Whether it is over and forgotten."""
        return self.state == "terminated"

    @property
    def refused(self) -> bool:
        """Whether the final response was no success."""
        return self._last is not None and self._last.status >= 300

    @property
    def sent_tag(self) -> str:
        """The To tag of the answers."""
        tag = self._last.to.tag if self._last is not None else ""
        return tag or self.request.to.tag or self.to_tag

    def start(self) -> None:
        """Begin to wait for the owner's answer. Called once, by the layer, before the owner."""
        settings = self._ground.settings
        self._trying = self._ground.timers.after(settings.patience, self._try)
        self._wait(settings.timeout, self._unanswered)

    def respond(self, response: Response) -> None:
        """Send ``response`` and whatever the transport needs for it to arrive.

        Ignored after a final response; to a non-INVITE also a provisional one other than 100, a
        100 that would be too early over UDP, and a 408 (RFC 4320).
        """
        if self.completed or self.terminated:
            return
        if response.status < 200:
            self._provisional(response)
            return
        self.completed = True
        self._stop_trying()
        if self._way.reliable or self.brief:
            self._end()
        else:
            self.state = "completed"
            self._data = b""
            self._wait(self._ground.settings.timeout, self._end)
        if response.status != 408:
            self._transmit(response)

    def forget(self, response: Response | None = None) -> None:
        """Send ``response``, if any, once, and keep nothing of this request: to a stranger."""
        if self.completed or self.terminated:
            return
        self.completed = True
        self._end()
        if response is not None:
            self._transmit(response)

    def repeated(self) -> None:
        """The request came again."""
        if self._data:
            self._ground.send(self._way, self._data)

    def undelivered(self) -> None:
        """An answer could not be sent: tell the owner, who may be in the midst of sending it."""
        self._ground.timers.after(0.0, lambda: self.on_failure("transport"))

    def acknowledged(self) -> bool:
        """Take an ACK; True when it is one to a 2xx, which is the owner's."""
        return False

    def cancelled(self) -> None:
        """A CANCEL came; it is answered already. Only an INVITE minds."""

    def _provisional(self, response: Response) -> None:
        early = self._trying is not None and self._trying.pending and not self._way.reliable
        if response.status != 100 or early:
            return
        self._stop_trying()
        self.state = "proceeding"
        self._transmit(response)

    def _try(self) -> None:
        self.respond(make_response(self.request, 100))

    def _unanswered(self) -> None:
        self._end()
        self.on_failure("timeout")

    def _transmit(self, response: Response) -> None:
        if response.status > 100:
            tag_to(response, self.to_tag)
        self._last = response
        self._data = response.encode()
        self._ground.send(self._way, self._data)

    def _stop_trying(self) -> None:
        if self._trying is not None:
            self._trying.cancel()

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        """One deadline at a time."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._ground.timers.after(seconds, then)

    def _end(self) -> None:
        self.state = "terminated"
        self._stop_trying()
        if self._deadline is not None:
            self._deadline.cancel()
        self._on_end(self)


class InviteServerTransaction(ServerTransaction):
    """Section 17.2.1, with the Accepted state of RFC 6026 section 7.1.

    ``respond`` sends a 2xx each time that it is called, for 64*T1 after the first: sending it
    until the ACK comes is the owner's business (section 13.3.1.4).
    """

    def __init__(
        self,
        ground: Ground,
        request: Request,
        flow: Flow,
        key: ServerKey,
        to_tag: str,
        on_end: Callable[[ServerTransaction], None],
    ) -> None:
        super().__init__(ground, request, flow, key, to_tag, on_end)
        self.state = "proceeding"
        self._was_cancelled = False
        settings = ground.settings
        self._again = Retransmission(ground.timers, self.repeated, settings.t1, settings.t2)

    def start(self) -> None:
        settings = self._ground.settings
        if settings.auto_trying:
            self._try()
        else:
            self._trying = self._ground.timers.after(settings.trying_after, self._try)

    def respond(self, response: Response) -> None:
        success = 200 <= response.status < 300
        if self.state == "accepted" and success:
            self._transmit(response)
        if self.state != "proceeding":
            return
        self._stop_trying()
        if success:
            self.completed = True
            self.state = "accepted"
            self._wait(self._ground.settings.timeout, self._end)
        elif response.status >= 300:
            self.completed = True
            self.state = "completed"
            self._wait(self._ground.settings.timeout, self._unacknowledged)
            if not self._way.reliable:
                self._again.start()
        self._transmit(response)

    def repeated(self) -> None:
        if self.state in ("proceeding", "completed"):
            super().repeated()

    def acknowledged(self) -> bool:
        if self.state == "completed":
            self._again.stop()
            if self._way.reliable:
                self._end()
            else:
                self.state = "confirmed"
                self._wait(self._ground.settings.t4, self._end)
        return self.state == "accepted"

    def cancelled(self) -> None:
        if self.state == "proceeding" and not self._was_cancelled:
            self._was_cancelled = True
            self.on_cancel()

    def _unacknowledged(self) -> None:
        self._end()
        self.on_failure("timeout")

    def _end(self) -> None:
        self._again.stop()
        super()._end()


def _nothing() -> None:
    pass


def _ignore(failure: Failure) -> None:
    pass
