"""From bytes to the state machines: rate, parser, and the last line against whatever breaks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge.clock import Clock
from edge.transport.sip.core.flow import Flow
from edge.transport.sip.net.budgets import SourceBudgets
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Message, parse_message

logger = logging.getLogger(__name__)

KEEP_ALIVE = b"\r\n\t \0"
"""What keep-alive datagrams are made of: CRLF, and what some phones send in its place."""


class Receiver(Protocol):
    """The user agent without its sockets."""

    def receive(self, message: Message, flow: Flow) -> None:
        """Take one message."""
        ...

    def malformed(self, error: MessageError, flow: Flow) -> None:
        """Answer what could not be read, if it can be answered."""
        ...

    def flow_closed(self, flow: Flow) -> None:
        """A connection is gone."""
        ...

    def transport_failed(self, branch: str) -> None:
        """A message with this branch could not be sent."""
        ...

    def in_use(self, flow: Flow) -> bool:
        """Whether something would miss a connection, silent as it is."""
        ...

    def settle(self) -> None:
        """Look at what has changed: a message, a timer or a connection was dealt with."""
        ...


@dataclass(slots=True)
class IntakeCounts:
    """Messages by what became of them. ``faults`` are those that our own code stumbled over."""

    received: int = 0
    malformed: int = 0
    keep_alives: int = 0
    faults: int = 0


class Intake:
    """Nothing here raises, whatever arrives."""

    def __init__(self, receiver: Receiver, budgets: SourceBudgets, clock: Clock) -> None:
        self.counts = IntakeCounts()
        self._receiver = receiver
        self._budgets = budgets
        self._clock = clock

    def datagram(self, data: bytes, flow: Flow) -> None:
        """Take a datagram, unless its source sends too many."""
        if not self.allowed(flow):
            return
        if not data.strip(KEEP_ALIVE):
            self.counts.keep_alives += 1
            return
        self.received(data, flow)

    def allowed(self, flow: Flow) -> bool:
        """Whether one more message of ``flow``'s source is read now."""
        return self._budgets.take(flow.remote[0], self._clock.monotonic())

    def received(self, data: bytes, flow: Flow) -> None:
        """Take one whole message."""
        self.counts.received += 1
        self.guard(lambda: self._read(data, flow))

    def malformed(self, error: MessageError, flow: Flow) -> None:
        """Take what a stream ends with when it is no SIP."""
        self.counts.malformed += 1
        self.guard(lambda: self._receiver.malformed(error, flow))

    def flow_closed(self, flow: Flow) -> None:
        """A connection is gone."""
        self.guard(lambda: self._receiver.flow_closed(flow))

    def failed(self, branch: str) -> None:
        """A message could not be sent."""
        self.guard(lambda: self._receiver.transport_failed(branch))

    def in_use(self, flow: Flow) -> bool:
        """Whether something would miss the connection, silent as it is."""
        return self._receiver.in_use(flow)

    def trusts(self, host: str) -> bool:
        """Whether ``host`` may hold more than strangers."""
        return self._budgets.trusts(host)

    def settle(self) -> None:
        """Timers ran."""
        self.guard(lambda: None)

    def guard(self, step: Callable[[], None]) -> None:
        """Do one step of the user agent; what it raises is counted and written down."""
        try:
            step()
            self._receiver.settle()
        except Exception as error:
            # One message must not take the phone of a whole node down, whatever our own code makes
            # of it. Who sends many must not fill the log: the first is written, the second, the
            # fourth, and so on.
            self.counts.faults = count = self.counts.faults + 1
            if count & (count - 1) == 0:
                extra = {"code": type(error).__name__, "count": count}
                logger.error("a message was dropped because handling it failed", extra=extra)

    def _read(self, data: bytes, flow: Flow) -> None:
        try:
            message = parse_message(data)
        except MessageError as error:
            self.counts.malformed += 1
            self._receiver.malformed(error, flow)
        else:
            self._receiver.receive(message, flow)
