"""All media sockets of a worker, looked at once per step of the ticker.

A callback of the event loop per packet costs more than the packet; here a packet waits for up to
5 ms and then many are taken in one go.
"""

from __future__ import annotations

import logging
import selectors
from collections.abc import Callable
from socket import socket

logger = logging.getLogger(__name__)

Drain = Callable[[], None]


class SocketPoll:
    """Calls ``drain`` of every socket that has something to read, each time ``poll`` is called.

    On Linux it is one epoll for all. A ``drain`` takes a bounded number of packets; what remains is
    there at the next ``poll``. It may be called once more after ``remove``, in the same round.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.faults = 0

    def __len__(self) -> int:
        return len(self._selector.get_map() or ())

    def add(self, one: socket, drain: Drain) -> None:
        """Watch a socket from now on."""
        self._selector.register(one, selectors.EVENT_READ, drain)

    def remove(self, one: socket) -> None:
        """Watch it no more; call it before the socket is closed."""
        self._selector.unregister(one)

    def poll(self) -> None:
        """Take what has arrived. Never blocks, never raises."""
        for key, _ in self._selector.select(0):
            try:
                key.data()
            except Exception as error:
                # A fault over one call's packets must not end those of all.
                self.faults += 1
                if self.faults & (self.faults - 1) == 0:
                    logger.error(
                        "a media packet met a fault",
                        extra={"code": type(error).__name__, "count": self.faults},
                    )

    def close(self) -> None:
        """Free the epoll itself."""
        self._selector.close()
