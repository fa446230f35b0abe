"""From a destination to a socket: at once where that is possible, else in order once the far end
is found and connected."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from edge.clock import Clock
from edge.transport.sip.core.flow import Destination, Flow, Transport
from edge.transport.sip.net.connection import Connection
from edge.transport.sip.net.connections import Connections
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.kept import Kept
from edge.transport.sip.net.resolver import Resolver
from edge.transport.sip.net.settings import Limits
from edge.transport.sip.net.text import branch_of, is_request, over_tcp

CHOSEN = 64.0
"""Seconds for which a name means the target that was chosen, since the last use: longer than a
transaction, whose retransmissions, CANCEL and ACK go where its request went (RFC 3263 section 4.3).
"""
PROBLEM = 300.0
"""Seconds for which we remember why a destination could not be reached."""
MAX_RIDING = 512
"""Requests over one connection that are remembered in case it ends."""
GONE = Unreachable("refused", "the connection was closed")
LARGE = 1300
"""Bytes above which a request should not go over UDP (RFC 3261 section 18.1.1)."""
MOVED = 900.0
"""Seconds for which the branch of a request that left UDP for TCP is known: longer than it rings.
"""

Place: TypeAlias = tuple[Transport, str, int | None, str]


class Datagrams(Protocol):
    """The UDP sockets together."""

    def send_datagram(self, data: bytes, target: Destination) -> Unreachable | None:
        """Send to a numeric target, over the flow's socket if it names one. Never raises."""
        ...


@dataclass(slots=True)
class _Waiting:
    destination: Destination
    messages: list[bytes] = field(default_factory=list)
    size: int = 0


class Outbox:
    """``failed(branch)`` is called for each message that is lost here, never inside ``send``."""

    def __init__(
        self,
        resolver: Resolver,
        connections: Connections,
        datagrams: Datagrams,
        limits: Limits,
        clock: Clock,
        *,
        failed: Callable[[str], None],
        large_over_tcp: bool,
    ) -> None:
        self.lost = 0
        """Messages that could not be sent."""
        self._resolver = resolver
        self._connections = connections
        self._datagrams = datagrams
        self._limits = limits
        self._failed = failed
        self._large_over_tcp = large_over_tcp
        self._tasks: asyncio.TaskGroup | None = None
        self._stopped = False
        self._searches: set[asyncio.Task[None]] = set()
        self._waiting: dict[Place, _Waiting] = {}
        self._chosen: Kept[Place, Destination] = Kept(clock)
        self._problems: Kept[Place, Unreachable] = Kept(clock)
        self._moved: Kept[str, bool] = Kept(clock)
        self._riding: dict[int, deque[tuple[Destination, str]]] = {}
        connections.on_lost = self._connection_lost

    def __len__(self) -> int:
        """Destinations that are looked for now."""
        return len(self._waiting)

    def send(self, destination: Destination, data: bytes) -> None:
        """Send, sooner or later; never raises."""
        if destination.flow is not None and self._over(destination.flow, data):
            return
        if destination.flow is not None and not is_request(data) and destination.reliable:
            # Who closed its connection does not wait for a response; a new one to a port that it
            # merely names would be made on anybody's word.
            self._give_up([data])
            return
        if self._large_over_tcp and destination.transport == "udp":
            destination, data = self._by_size(destination, data)
        self._to(destination, data)

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Look for far ends in ``tasks``; what was sent until now has waited for that."""
        self._tasks = tasks
        for place, waiting in self._waiting.items():
            self._search(place, waiting)

    def stop(self) -> None:
        """Look for nobody any more; what waits is lost without a word. Idempotent."""
        self._stopped = True
        for task in self._searches:
            task.cancel()

    def target_of(self, destination: Destination) -> Destination | None:
        """The numeric target that is sent to now, when it is known."""
        if (there := self._resolver.at_once(destination)) is not None:
            return there
        return self._chosen.get(_place(destination))

    def choose(self, destination: Destination, targets: Sequence[Destination]) -> None:
        """``targets`` were found for ``destination``: send to the first, unless one of them has
        been chosen already."""
        place = _place(destination)
        if self._resolver.at_once(destination) is None and self._chosen.get(place) not in targets:
            self._chosen.put(place, targets[0], CHOSEN)

    def failed(self, target: Destination) -> None:
        """``target`` did not answer: it is not what any name stands for now."""
        self._resolver.failed(target)
        self._chosen.drop_value(target)

    def problem(self, destination: Destination) -> Unreachable | None:
        """Why the last attempt to reach ``destination`` failed, if it did."""
        return self._problems.get(_place(destination))

    def _by_size(self, destination: Destination, data: bytes) -> tuple[Destination, bytes]:
        """A large request over TCP, and with it the CANCEL and the ACK that share its branch
        (sections 9.1 and 17.1.1.3)."""
        branch = branch_of(data)
        if branch is None or (len(data) <= LARGE and self._moved.get(branch) is None):
            return destination, data
        changed = over_tcp(data)
        if changed is None:
            return destination, data
        self._moved.put(branch, True, MOVED)
        return _by_tcp(destination), changed

    def _over(self, flow: Flow, data: bytes) -> bool:
        if flow.transport == "udp":
            target = Destination("udp", flow.remote[0], flow.remote[1], flow)
            problem = self._datagrams.send_datagram(data, target)
            if problem is not None:
                self._lose(target, [data], problem)
            return True
        connection = self._connections.find(flow)
        return connection is not None and connection.write(data)

    def _to(self, destination: Destination, data: bytes) -> None:
        place = _place(destination)
        waiting = self._waiting.get(place)
        if waiting is None:
            target = self.target_of(destination)
            if target is not None and self._now(destination, target, [data]):
                if self._chosen.get(place) is not None:
                    self._chosen.put(place, target, CHOSEN)
                return
            if self._stopped or len(self._waiting) >= self._limits.waiting_destinations:
                self._lose(destination, [data], Unreachable("full", "too much waits to be sent"))
                return
            waiting = self._waiting[place] = _Waiting(destination)
            self._search(place, waiting)
        if waiting.size + len(data) > self._limits.waiting_bytes:
            self._lose(destination, [data], Unreachable("full", "too much waits to be sent"))
            return
        waiting.messages.append(data)
        waiting.size += len(data)

    def _now(
        self, destination: Destination, target: Destination, messages: Sequence[bytes]
    ) -> bool:
        """Send to the ``target`` found for ``destination`` if that takes no waiting."""
        if target.transport == "udp":
            for data in messages:
                problem = self._datagrams.send_datagram(data, target)
                if problem is not None:
                    self._lose(destination, [data], problem)
            return True
        connection = self._connections.ours_to(target)
        if connection is None:
            return False
        for data in messages:
            if not connection.write(data):
                self._lose(destination, [data], GONE)
            elif is_request(data) and (branch := branch_of(data)) is not None:
                riding = self._riding.setdefault(connection.number, deque(maxlen=MAX_RIDING))
                riding.append((destination, branch))
        return True

    def _search(self, place: Place, waiting: _Waiting) -> None:
        if self._tasks is not None:
            search = self._tasks.create_task(self._find(place, waiting))
            self._searches.add(search)
            search.add_done_callback(self._searches.discard)

    async def _find(self, place: Place, waiting: _Waiting) -> None:
        """Resolve, connect, and send what has gathered by then."""
        destination = waiting.destination
        try:
            target = await self._reach(destination)
        except Unreachable as error:
            del self._waiting[place]
            self._lose(destination, waiting.messages, error)
            return
        except BaseException:
            del self._waiting[place]
            raise
        # No await from here on: what is sent meanwhile would overtake what waits.
        del self._waiting[place]
        self._problems.drop(place)
        if place[1] != target.host:
            self._chosen.put(place, target, CHOSEN)
        if not self._now(destination, target, waiting.messages):
            self._lose(destination, waiting.messages, GONE)

    def _connection_lost(self, connection: Connection) -> None:
        """What was asked over it is not answered any more, whatever name it was asked under; of
        what has been answered nobody wants to know."""
        for destination, branch in self._riding.pop(connection.number, ()):
            place = _place(destination)
            self._problems.put(place, connection.problem or GONE, PROBLEM)
            self._chosen.drop(place)
            asyncio.get_running_loop().call_soon(self._failed, branch)

    async def _reach(self, destination: Destination) -> Destination:
        problem: Unreachable | None = None
        for target in await self._resolver.resolve(destination):
            if not target.reliable:
                return target
            try:
                await self._connections.connect(target)
            except Unreachable as error:
                self.failed(target)
                problem = error
            else:
                return target
        assert problem is not None
        raise problem

    def _lose(
        self, destination: Destination, messages: Sequence[bytes], problem: Unreachable
    ) -> None:
        place = _place(destination)
        self._problems.put(place, problem, PROBLEM)
        self._chosen.drop(place)
        self._give_up(messages)

    def _give_up(self, messages: Sequence[bytes]) -> None:
        self.lost += len(messages)
        loop = asyncio.get_running_loop()
        for data in messages:
            if (branch := branch_of(data)) is not None:
                # The transaction may be sending this very moment; it must be whole when it ends.
                loop.call_soon(self._failed, branch)


def _place(destination: Destination) -> Place:
    return destination.transport, destination.host.lower(), destination.port, destination.name


def _by_tcp(destination: Destination) -> Destination:
    return Destination("tcp", destination.host, destination.port, None, destination.name)
