"""Notices connections and look-ups that the settings do not explain. It hinders none.

Python tells its audit hooks (PEP 578) what is about to be connected to, whichever library does it.
It is a tripwire and no wall: code in C that opens sockets by itself (uvloop, c-ares, gRPC) passes
it unseen, and so does another process. The barrier outside is what holds data back.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

from edge.clock import Clock
from edge.egress.ways import TcpWay
from edge.transport.sip.core.flow import is_numeric
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.lookup import Lookup
from regions.providers import is_loopback

Kind: TypeAlias = Literal["connect", "lookup"]
Seen: TypeAlias = tuple[Kind, str, int]
"""What was done, with which host, and at which port; 0 for a look-up."""
MAX_SEEN = 256
"""Waiting to be judged; more in one second are dropped."""
JUDGE_SECONDS = 1.0
ASK_SECONDS = 10.0
"""Between two times that names are asked for again on account of an address nobody knows."""
_WATCHED = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname"})


class Tripwire:
    """``on_trip`` is called with kind and host, in the loop, for each that nothing explains."""

    def __init__(
        self,
        ways: Iterable[TcpWay],
        on_trip: Callable[[Kind, str], None],
        *,
        lookup: Lookup,
        clock: Clock,
    ) -> None:
        self._ways = tuple(ways)
        self._names = {way.host.lower() for way in self._ways if not is_numeric(way.host)}
        self._known = {(_plain(way.host), way.port) for way in self._ways if is_numeric(way.host)}
        self._on_trip = on_trip
        self._lookup = lookup
        self._clock = clock
        self._asked = float("-inf")
        self._seen: deque[Seen] = deque(maxlen=MAX_SEEN)
        self._armed = False

    def arm(self) -> None:
        """Watch from now on. An audit hook stays as long as its process."""
        self._armed = True
        sys.addaudithook(self._hear)

    def disarm(self) -> None:
        """Hear nothing more."""
        self._armed = False

    async def run(self) -> None:
        """Judge what was seen, each second, until cancelled."""
        try:
            while True:
                await self.judge()
                await asyncio.sleep(JUDGE_SECONDS)
        finally:
            self.disarm()

    async def judge(self) -> None:
        """Report what was seen and is explained by nothing. Never raises but for cancellation."""
        while self._seen:
            kind, host, port = self._seen.popleft()
            if not await self._explained(kind, host, port):
                self._on_trip(kind, host)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        """The hook, in whichever thread it happens: takes note and judges nothing."""
        if event not in _WATCHED or not self._armed:
            return
        try:
            seen = _read(event, args)
        except Exception:
            # Whatever is raised here would end the connection that is being watched.
            return
        if seen is not None:
            self._seen.append(seen)

    async def _explained(self, kind: Kind, host: str, port: int) -> bool:
        if is_loopback(host):
            return True
        if kind == "lookup":
            return host.lower().rstrip(".") in self._names
        if (host, port) in self._known:
            return True
        if self._names and self._clock.monotonic() - self._asked >= ASK_SECONDS:
            self._asked = self._clock.monotonic()
            await self._ask()
        return (host, port) in self._known

    async def _ask(self) -> None:
        """Addresses of the names; earlier ones stay known, for connections outlive changes."""
        for way in self._ways:
            if not is_numeric(way.host):
                try:
                    found = await self._lookup.addresses(way.host)
                except Unreachable:
                    continue
                self._known |= {(_plain(each), way.port) for each in found if is_numeric(each)}


def _read(event: str, args: tuple[Any, ...]) -> Seen | None:
    """What an event is about; None for unix sockets, and for asking nobody."""
    if event == "socket.connect":
        made, address = args
        if made.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        host = _text(address[0])
        return "connect", _plain(host) if is_numeric(host) else host, int(address[1])
    host = _text(args[0]) if args[0] else ""
    return None if not host or is_numeric(host) else ("lookup", host, 0)


def _text(host: str | bytes) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)


def _plain(host: str) -> str:
    """An address in its one spelling, without its zone; mapped ones (RFC 4291) as IPv4."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
