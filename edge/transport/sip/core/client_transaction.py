"""Client transactions: what we asked, until it is answered (RFC 3261 section 17.1, RFC 6026)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.transport.sip.core.flow import Destination, Flow
from edge.transport.sip.core.retransmission import Retransmission
from edge.transport.sip.core.return_path import DEFAULT_PORT
from edge.transport.sip.core.timers import Timer, Timers
from edge.transport.sip.core.transaction_timers import TransactionTimers
from edge.transport.sip.wire.message import Headers, Request, Response

Failure: TypeAlias = Literal["timeout", "transport"]
"""Why a transaction ended unanswered: nobody spoke in time, or the message cannot be sent."""

ClientState: TypeAlias = Literal[
    "calling", "trying", "proceeding", "accepted", "completed", "terminated"
]


@dataclass(frozen=True, slots=True)
class Ground:
    """What every transaction stands on. ``send`` never raises."""

    timers: Timers
    settings: TransactionTimers
    send: Callable[[Destination, bytes], None]


class ClientTransaction:
    """One request of ours, its top Via included.

    ``on_response`` gets every provisional response and the final one, and of an INVITE each 2xx,
    retransmitted and forked ones too, for 64*T1 after the first. ``on_failure`` is called at most
    once, never after a final response, never before :meth:`TransactionLayer.request` has returned.
    A ``MessageError`` from ``on_response`` is dropped together with the response.
    """

    def __init__(
        self,
        ground: Ground,
        request: Request,
        destination: Destination,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure], None],
        on_end: Callable[[ClientTransaction], None],
    ) -> None:
        self.request = request
        self.destination = destination
        self.via = request.via
        self.state: ClientState = "trying"
        self._ground = ground
        self._data = request.encode()
        self._on_response = on_response
        self._on_failure = on_failure
        self._on_end = on_end
        self._starting = True
        self._deadline: Timer | None = None
        self._flow = destination.flow
        longest = ground.settings.t2 if request.method != "INVITE" else float("inf")
        self._again = Retransmission(ground.timers, self._send, ground.settings.t1, longest)

    @property
    def branch(self) -> str:
        """That of the top Via."""
        return self.via.branch

    @property
    def terminated(self) -> bool:
        """Whether it is over and forgotten."""
        return self.state == "terminated"

    @property
    def unanswered(self) -> bool:
        """Whether a final response is still to come."""
        return self.state in ("calling", "trying", "proceeding")

    def start(self) -> None:
        """Send the request. Called once, by the layer."""
        if not self.destination.reliable:
            self._again.start()
        self._wait(self._ground.settings.timeout, self._time_out)
        self._send()
        self._starting = False

    def cancel(self) -> None:
        """Ask that an INVITE be given up (section 9.1); of any other request nothing.

        The INVITE still ends with a final response, 2xx included, or with ``on_failure``.
        """

    def receive(self, response: Response, flow: Flow) -> bool:
        """Take a response to this request; False when it is a 2xx that this state cannot take."""
        if not self.unanswered:
            return True  # a retransmission for Timer K to absorb
        self._flow = flow
        if response.status < 200:
            self.state = "proceeding"
            self._again.slow_down()
        else:
            self._again.stop()
            self._linger("completed", self._ground.settings.t4)
        self._on_response(response)
        return True

    def fail(self, failure: Failure) -> None:
        """End, and say so, unless a final response has come."""
        if not self.unanswered:
            return
        if self._starting:
            # The owner does not hold this transaction yet: it shall hear of it afterwards.
            self._ground.timers.after(0.0, lambda: self.fail(failure))
            return
        self._end()
        self._on_failure(failure)

    def rides_on(self, flow: Flow) -> bool:
        """Whether the answer is expected over the connection ``flow``."""
        if self._flow is not None:
            return self._flow.transport == flow.transport and (
                self._flow.connection == flow.connection
            )
        asked = self.destination
        port = asked.port or DEFAULT_PORT[asked.transport]
        return asked.transport == flow.transport and (asked.host, port) == flow.remote

    def _send(self) -> None:
        self._ground.send(self.destination, self._data)

    def _time_out(self) -> None:
        self.fail("timeout")

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        """One deadline at a time."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._ground.timers.after(seconds, then)

    def _linger(self, state: Literal["accepted", "completed"], seconds: float) -> None:
        """Absorb for a while what the network still holds; nothing over a reliable transport."""
        if self.destination.reliable and state == "completed":
            self._end()
        else:
            self.state = state
            self._wait(seconds, self._end)

    def _end(self) -> None:
        self.state = "terminated"
        self._again.stop()
        if self._deadline is not None:
            self._deadline.cancel()
        self._on_end(self)


class InviteClientTransaction(ClientTransaction):
    """Section 17.1.1, with the Accepted state of RFC 6026 section 7.2."""

    def __init__(
        self,
        ground: Ground,
        request: Request,
        destination: Destination,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure], None],
        on_end: Callable[[ClientTransaction], None],
        send_cancel: Callable[[Request, Destination], None],
    ) -> None:
        super().__init__(ground, request, destination, on_response, on_failure, on_end)
        self.state = "calling"
        self._send_cancel = send_cancel
        self._cancelling = False

    def cancel(self) -> None:
        if self._cancelling:
            return
        self._cancelling = True
        if self.state == "proceeding":
            self._cancel_now()

    def receive(self, response: Response, flow: Flow) -> bool:
        success = 200 <= response.status < 300
        if self.unanswered:
            self._advance(response, flow)
        elif self.state == "completed":
            if response.status >= 300:
                self._acknowledge(response)
            return not success
        elif not success:
            return True
        self._on_response(response)
        return True

    def _advance(self, response: Response, flow: Flow) -> None:
        self._flow = flow
        self._again.stop()
        if response.status >= 300:
            # As long as the far end may send its answer again (Timer H there, D here).
            self._linger("completed", self._ground.settings.timeout)
            self._acknowledge(response)
        elif response.status >= 200:
            self._linger("accepted", self._ground.settings.timeout)
        elif self.state == "calling":
            self.state = "proceeding"
            if self._deadline is not None:
                self._deadline.cancel()
            if self._cancelling:
                self._cancel_now()

    def _cancel_now(self) -> None:
        # No final response to a cancelled INVITE for 64*T1: it counts as cancelled (section 9.1).
        self._wait(self._ground.settings.timeout, self._time_out)
        self._send_cancel(self._follow_up("CANCEL", self.request.headers), self.destination)

    def _acknowledge(self, response: Response) -> None:
        self._ground.send(self.destination, self._follow_up("ACK", response.headers).encode())

    def _follow_up(self, method: Literal["ACK", "CANCEL"], to: Headers) -> Request:
        """An ACK or CANCEL to this INVITE (sections 9.1 and 17.1.1.3)."""
        ours = self.request.headers
        headers = Headers([("via", str(self.via)), ("max-forwards", "70")])
        for name, value in ours:
            if name in ("route", "from", "call-id"):
                headers.add(name, value)
        headers.add("to", to.get("to") or "")
        headers.add("cseq", f"{self.request.cseq.number} {method}")
        return Request(method, self.request.uri, headers=headers)
