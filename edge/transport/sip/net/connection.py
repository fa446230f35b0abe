"""One TCP or TLS connection: messages out of the stream, and bounds on what the far end may do."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, cast

from edge.clock import Clock
from edge.transport.sip.core.flow import Address, Flow, Transport
from edge.transport.sip.core.timers import Timer, Timers
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.settings import Limits, PeerTls
from edge.transport.sip.net.tls import tls_problem
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.framing import PING, PONG, StreamFramer

CutReason: TypeAlias = Literal[
    "idle",
    "silent",
    "unfinished",
    "unread",
    "no_pong",
    "malformed",
    "certificate",
    "stopped",
]
"""Why we end a connection: nothing passed for long, no message came at first, one did not end, what
we write is not read, pings are not answered any more, what comes is no SIP, its certificate is not
the pinned one, or we stop."""

WRITE_HIGH = 1 << 16
"""Bytes in the write buffer above which the far end is said not to read."""
RETRY = 0.1
"""Seconds until a source above its rate is asked again."""


class ConnectionUser(Protocol):
    """Who the messages are for. Nothing here may raise."""

    def allowed(self, flow: Flow) -> bool:
        """Whether one more message of this source is read now."""
        ...

    def received(self, data: bytes, flow: Flow) -> None:
        """One whole message."""
        ...

    def malformed(self, error: MessageError, flow: Flow) -> None:
        """The stream holds no SIP from here on; the connection ends after an answer."""
        ...

    def in_use(self, flow: Flow) -> bool:
        """Whether something would miss the connection, silent as it is."""
        ...


class ConnectionTable(Protocol):
    """What the connection is in."""

    def opened(self, connection: Connection) -> None:
        """It stands; a TLS handshake is done."""
        ...

    def closed(self, connection: Connection) -> None:
        """It is gone. Called once for each that was opened."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectionParts:
    """What all connections of a table share."""

    table: ConnectionTable
    user: ConnectionUser
    clock: Clock
    timers: Timers
    limits: Limits
    rng: random.Random


class Connection(asyncio.Protocol):
    """``flow`` is set once it stands. ``peer`` is how the other side's certificate is checked, of a
    connection of ours; ``problem`` what was wrong with it."""

    def __init__(
        self, number: int, transport: Transport, parts: ConnectionParts, *, outgoing: bool
    ) -> None:
        self.number = number
        self.outgoing = outgoing
        self.flow: Flow | None = None
        self.cut_for: CutReason | None = None
        self.peer: PeerTls | None = None
        self.problem: Unreachable | None = None
        self._transport_name: Transport = transport
        self._parts = parts
        self._transport: asyncio.Transport | None = None
        self._framer = StreamFramer()
        self._waiting: deque[bytes] = deque()
        self._heard = parts.clock.monotonic()
        self._useful = False
        self._answers_pings = False
        self._timers: dict[str, Timer] = {}

    @property
    def open(self) -> bool:
        """Whether what is written may still arrive."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def ssl_object(self) -> object | None:
        """The TLS session, once there is one."""
        return self._transport and self._transport.get_extra_info("ssl_object")

    def write(self, data: bytes) -> bool:
        """Send in order, or say that the connection is gone. Never raises."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() + len(data) > self._parts.limits.write_buffer:
            self.cut("unread")
            return False
        self._heard = self._parts.clock.monotonic()
        transport.write(data)
        return True

    def cut(self, reason: CutReason) -> None:
        """End it now, whatever waits to be written. Idempotent."""
        self.cut_for = self.cut_for or reason
        if self._transport is not None:
            self._transport.abort()

    def finish(self, reason: CutReason) -> None:
        """End it once what was written is sent; a far end that does not read is cut."""
        self.cut_for = self.cut_for or reason
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            self._after("finish", self._parts.limits.unread, lambda: self.cut(reason))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = made = cast(asyncio.Transport, transport)
        made.set_write_buffer_limits(high=WRITE_HIGH)
        self.flow = Flow(
            self._transport_name,
            _address(made.get_extra_info("sockname")),
            _address(made.get_extra_info("peername")),
            self.number,
        )
        limits = self._parts.limits
        self._after("idle", limits.idle if self.outgoing else limits.first_message, self._check)
        if self.outgoing:
            self._after("ping", self._until_ping(), self._ping)
        self._parts.table.opened(self)

    def data_received(self, data: bytes) -> None:
        if self.flow is None or self.cut_for is not None:
            return
        try:
            for frame in self._framer.feed(data):
                if frame == PONG:
                    self._ponged()
                else:
                    self._waiting.append(frame)
        except MessageError as error:
            self._parts.user.malformed(error, self.flow)
            self.finish("malformed")
            return
        if not self._framer.pending:
            self._stop("unfinished")
        elif "unfinished" not in self._timers:
            limit = self._parts.limits.message
            self._after("unfinished", limit, lambda: self.cut("unfinished"))
        self._deliver()

    def pause_writing(self) -> None:
        self._after("unread", self._parts.limits.unread, lambda: self.cut("unread"))

    def resume_writing(self) -> None:
        self._stop("unread")

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._waiting.clear()
        if isinstance(exc, ssl.SSLError):
            # TLS 1.3 refuses our certificate only after the handshake.
            self.problem = self.problem or tls_problem(exc)
        if self._transport is not None:
            self._transport = None
            self._parts.table.closed(self)

    def _deliver(self) -> None:
        """Hand on what the rate allows; the rest waits, and meanwhile nothing more is read."""
        user, flow = self._parts.user, self.flow
        if flow is None:
            return
        while self._waiting and self._transport is not None:
            if not user.allowed(flow):
                self._transport.pause_reading()
                self._after("deliver", RETRY, self._deliver)
                return
            frame = self._waiting.popleft()
            if frame == PING:
                self.write(PONG)
                continue
            self._useful = True
            self._heard = self._parts.clock.monotonic()
            user.received(frame, flow)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _check(self) -> None:
        """Close what nobody uses."""
        limits, now = self._parts.limits, self._parts.clock.monotonic()
        assert self.flow is not None
        if not self._useful and not self.outgoing:
            self.cut("silent")
            return
        left = self._heard + limits.idle - now
        if left <= 0 and not self._parts.user.in_use(self.flow):
            self.finish("idle")
            return
        self._after("idle", left if left > 0 else limits.idle, self._check)

    def _until_ping(self) -> float:
        # Not all connections of a restarted node at once (RFC 5626 section 4.4.1).
        return self._parts.limits.ping * self._parts.rng.uniform(0.8, 1.0)

    def _ping(self) -> None:
        heard = self._heard
        if self.write(self._framer.ping()):
            self._heard = heard  # a ping is no use of the connection
            self._after("pong", self._parts.limits.pong, self._no_pong)
            self._after("ping", self._until_ping(), self._ping)

    def _ponged(self) -> None:
        self._answers_pings = True
        self._stop("pong")

    def _no_pong(self) -> None:
        # Who never answered a ping may not know them (RFC 5626 is optional): the ping still keeps
        # the NAT's binding.
        if self._answers_pings:
            self.cut("no_pong")

    def _after(self, name: str, seconds: float, fire: Callable[[], None]) -> None:
        self._stop(name)

        def due() -> None:
            self._timers.pop(name, None)
            fire()

        self._timers[name] = self._parts.timers.after(seconds, due)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


def _address(name: object) -> Address:
    host, port = cast(tuple[str, int], name)[:2]
    return str(host).partition("%")[0], int(port)
