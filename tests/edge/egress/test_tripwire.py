from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Sequence

import pytest

from edge.egress.report import MAX_LOGGED, Trips
from edge.egress.tripwire import ASK_SECONDS, Tripwire
from edge.egress.ways import TcpWay
from edge.logs import JsonFormatter, pseudonym
from tests.edge.egress.site import Names
from tests.fakes.clock import FakeClock

STORE = "203.0.113.2"


class Wire:
    """A tripwire whose hook is fed by hand, and what it reported."""

    def __init__(self, ways: Sequence[TcpWay], names: Names | None = None) -> None:
        self.tripped: list[tuple[str, str]] = []
        self.names = names or Names({"store.example.org": [STORE]})
        self.clock = FakeClock()
        self.wire = Tripwire(
            ways,
            lambda kind, host: self.tripped.append((kind, host)),
            lookup=self.names,
            clock=self.clock,
        )
        self.wire._armed = True

    async def hears(self, event: str, *args: object) -> list[tuple[str, str]]:
        self.wire._hear(event, args)
        await self.wire.judge()
        found, self.tripped = self.tripped, []
        return found

    async def connect(self, host: str, port: int) -> list[tuple[str, str]]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as made:
            return await self.hears("socket.connect", made, (host, port))


WAYS = (TcpWay("session store", "store.example.org", 6379), TcpWay("tool", "203.0.113.3", 443))


async def test_a_connection_that_the_settings_explain_is_not_reported() -> None:
    wire = Wire(WAYS)
    assert await wire.connect("203.0.113.3", 443) == []
    assert await wire.connect(STORE, 6379) == []
    assert await wire.connect("::ffff:203.0.113.3", 443) == []
    assert await wire.connect("127.0.0.1", 1) == []
    assert await wire.connect("::1", 1) == []


@pytest.mark.parametrize(
    ("host", "port"),
    [("203.0.113.3", 80), ("203.0.113.4", 443), ("2001:db8::9", 443), (STORE, 443)],
)
async def test_a_connection_that_nothing_explains_is_reported(host: str, port: int) -> None:
    assert await Wire(WAYS).connect(host, port) == [("connect", host)]


async def test_looking_up_another_name_is_reported() -> None:
    wire = Wire(WAYS)
    assert await wire.hears("socket.getaddrinfo", "Store.example.org", 6379, 0, 0, 0) == []
    assert await wire.hears("socket.getaddrinfo", b"store.example.org.", 6379, 0, 0, 0) == []
    for harmless in (None, "", "127.0.0.1", "localhost", "203.0.113.9"):
        assert await wire.hears("socket.getaddrinfo", harmless, 1, 0, 0, 0) == []
    assert await wire.hears("socket.getaddrinfo", "words.evil.example", 53, 0, 0, 0) == [
        ("lookup", "words.evil.example")
    ]
    assert await wire.hears("socket.gethostbyname", "other.example") == [
        ("lookup", "other.example")
    ]


async def test_a_name_that_moved_is_asked_for_again_but_not_each_time() -> None:
    hosts = {"store.example.org": [STORE]}
    wire = Wire(WAYS, Names(hosts))
    assert await wire.connect(STORE, 6379) == []
    hosts["store.example.org"] = ["203.0.113.7"]
    assert await wire.connect("203.0.113.7", 6379) == [("connect", "203.0.113.7")]
    wire.clock.advance(ASK_SECONDS)
    assert await wire.connect("203.0.113.7", 6379) == []
    assert await wire.connect(STORE, 6379) == [], "a connection that still stands"
    assert len(wire.names.asked) == 2


async def test_a_resolver_that_is_away_explains_nothing_and_breaks_nothing() -> None:
    assert await Wire(WAYS, Names({})).connect(STORE, 6379) == [("connect", STORE)]


@pytest.mark.parametrize(
    "args",
    [(), (None, None), (object(), object()), (socket, ("x",)), (1, 2, 3)],
)
async def test_whatever_the_hook_is_given_it_raises_nothing(args: tuple[object, ...]) -> None:
    for event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "open"):
        await Wire(WAYS).hears(event, *args)


async def test_unix_sockets_lead_nowhere() -> None:
    with socket.socket(socket.AF_UNIX) as made:
        assert await Wire(WAYS).hears("socket.connect", made, "/run/x.sock") == []


async def test_pythons_own_connections_are_heard_in_every_thread_until_disarmed() -> None:
    tripped: list[tuple[str, str]] = []
    wire = Tripwire(
        (),
        lambda kind, host: tripped.append((kind, host)),
        lookup=Names({}),
        clock=FakeClock(),
    )
    wire.arm()

    def connect(host: str) -> None:
        with socket.socket() as made:
            made.setblocking(False)
            with contextlib.suppress(OSError):
                made.connect((host, 9))

    try:
        connect("203.0.113.1")
        thread = threading.Thread(target=connect, args=("203.0.113.2",))
        thread.start()
        thread.join()
        with socket.socket() as made:
            made.setblocking(False)
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.get_running_loop().sock_connect(made, ("203.0.113.3", 9))
        await wire.judge()
        assert tripped == [("connect", f"203.0.113.{each}") for each in (1, 2, 3)]
    finally:
        wire.disarm()
    connect("203.0.113.4")
    sys.audit("socket.getaddrinfo", "x.example", 1, 0, 0, 0)
    await wire.judge()
    assert len(tripped) == 3


def test_each_host_is_logged_once_by_a_pseudonym_and_counted_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counted: list[str] = []
    trips = Trips(counted.append)
    for kind, host in (("connect", STORE), ("connect", STORE), ("lookup", "evil.example")):
        trips(kind, host)  # type: ignore[arg-type]
    for number in range(MAX_LOGGED * 2):
        trips("connect", f"198.51.100.{number}")
    assert counted.count("connect") == 2 + MAX_LOGGED * 2
    assert len(caplog.records) == MAX_LOGGED
    text = "".join(JsonFormatter().format(record) for record in caplog.records)
    assert STORE not in text and "evil" not in text
    assert pseudonym(STORE) in text
