"""All media sockets in one look."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge.transport.sip.media.poll import SocketPoll


@contextmanager
def sockets(count: int) -> Iterator[list[socket.socket]]:
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for one in made:
            one.bind(("127.0.0.1", 0))
            one.setblocking(False)
        yield made
    finally:
        for one in made:
            one.close()


def test_every_socket_with_something_to_read_is_drained_and_no_other() -> None:
    poll, called = SocketPoll(), []
    with sockets(3) as made:
        for index, one in enumerate(made):
            poll.add(one, lambda index=index: called.append(index))  # type: ignore[misc]
        poll.poll()
        assert called == []
        made[0].sendto(b"x", made[2].getsockname())
        made[0].sendto(b"x", made[1].getsockname())
        poll.poll()
        assert sorted(called) == [1, 2]
        poll.poll()
        assert sorted(called) == [1, 1, 2, 2]  # what was not read is there again
        poll.remove(made[1])
        poll.poll()
        assert sorted(called) == [1, 1, 2, 2, 2]
        assert len(poll) == 2
    poll.close()


def test_a_fault_over_one_call_does_not_keep_the_others_from_theirs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    poll, called = SocketPoll(), []

    def fault() -> None:
        raise RuntimeError("a caller's secret")

    with sockets(2) as made, caplog.at_level(logging.ERROR):
        poll.add(made[0], fault)
        poll.add(made[1], lambda: called.append(1))
        for one in made:
            one.sendto(b"x", one.getsockname())
        for _ in range(100):
            poll.poll()
    poll.close()
    assert called == [1] * 100
    assert poll.faults == 100
    assert len(caplog.records) == 7
    assert "secret" not in caplog.text
