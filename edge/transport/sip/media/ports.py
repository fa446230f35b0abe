"""UDP ports for calls: a bounded range, in pairs, an even one for RTP and the next for RTCP.

Errors::

    PortsExhausted    every pair is in use or rests: the call is refused; a retry later can help
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections import deque
from dataclasses import dataclass

from edge.clock import Clock

REST = 5.0
"""Seconds that a pair is not used again. What a far end still sends to the call before would be
taken for the next one's first packets."""

LEAST_REST = 1.0
"""The same while no other pair is free: a range that is as wide as its node holds calls would turn
callers away whenever calls end and begin."""

RECEIVE_BUFFER = 64 * 1024
"""Bytes that wait in the kernel, its own share of each packet included: about a second of G.711
after a stall. More would only be heard too late."""

_TRIES = 64
"""Pairs that are tried for one call before the range counts as full."""


class PortsExhausted(Exception):
    """No pair of ports is free."""

    code = "full"


@dataclass(frozen=True, slots=True)
class PortPair:
    """Two bound sockets that do not block. Whoever took them gives them back."""

    rtp: socket.socket
    rtcp: socket.socket
    port: int
    """The even one."""


class PortRange:
    """The pairs of ``ports`` on ``host``, a numeric IPv4 or IPv6 address to bind to.

    A pair is taken at random, so that whoever wants to send into a call must guess.
    """

    def __init__(self, host: str, ports: range, clock: Clock) -> None:
        self._host = host
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._clock = clock
        self._free = list(range(ports.start + ports.start % 2, ports.stop - 1, 2))
        self._resting: deque[tuple[float, int]] = deque()
        self._size = len(self._free)

    @property
    def pairs(self) -> int:
        """How many calls the range can carry at once."""
        return self._size

    @property
    def used(self) -> int:
        """How many pairs are taken; those at rest are not."""
        return self._size - len(self._free) - len(self._resting)

    def take(self) -> PortPair:
        """Two bound sockets. Raises ``PortsExhausted``."""
        busy: list[int] = []
        try:
            while len(busy) < _TRIES and self._any_free():
                port = self._draw()
                pair = self._bind(port)
                if pair is not None:
                    return pair
                # Another program has it; it may be gone by the next call.
                busy.append(port)
            raise PortsExhausted(f"none of {self._size} port pairs is free")
        finally:
            self._free += busy

    def give_back(self, pair: PortPair) -> None:
        """Close the sockets; the ports rest before they are used again."""
        pair.rtp.close()
        pair.rtcp.close()
        self._resting.append((self._clock.monotonic(), pair.port))

    def _any_free(self) -> bool:
        """Whether there is one to draw, those included whose rest is over."""
        now = self._clock.monotonic()
        while self._resting:
            since, port = self._resting[0]
            if now - since < (REST if self._free else LEAST_REST):
                break
            self._free.append(port)
            self._resting.popleft()
        return bool(self._free)

    def _draw(self) -> int:
        place = secrets.randbelow(len(self._free))
        self._free[place], self._free[-1] = self._free[-1], self._free[place]
        return self._free.pop()

    def _bind(self, port: int) -> PortPair | None:
        with contextlib.ExitStack() as stack:
            try:
                rtp, rtcp = (
                    stack.enter_context(socket.socket(self._family, socket.SOCK_DGRAM))
                    for _ in range(2)
                )
                for one, number in ((rtp, port), (rtcp, port + 1)):
                    one.setblocking(False)
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                    if self._family == socket.AF_INET6:
                        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    one.bind((self._host, number))
            except OSError:
                return None
            stack.pop_all()
            return PortPair(rtp, rtcp, port)
        return None


def share(ports: range, worker: int, workers: int) -> range:
    """The part of ``ports`` that belongs to ``worker`` (from 0) of ``workers``: whole pairs, and
    no pair in two parts."""
    first = ports.start + ports.start % 2
    pairs = max(0, ports.stop - first) // 2
    begin, end = pairs * worker // workers, pairs * (worker + 1) // workers
    return range(first + 2 * begin, first + 2 * end)
