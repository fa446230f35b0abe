"""TCP connections: what far ends may do with them, and how long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import ip_network

import pytest

from edge.transport.sip.core.flow import Destination, back_to
from edge.transport.sip.net.settings import Limits, ListenSettings
from edge.transport.sip.wire.framing import PING, PONG
from edge.transport.sip.wire.message import Response
from tests.edge.transport.sip.net.desk import (
    HANG,
    LOOPBACK,
    Desk,
    options,
    read_message,
    stream_server,
)
from tests.fakes.clock import FakeClock

TCP = ListenSettings(tcp=((LOOPBACK, 0),))
LIMITS = Limits()
LARGE = b"SIP/2.0 200 OK\r\nX: " + b"x" * 60_000 + b"\r\n\r\n"


@asynccontextmanager
async def connected(
    desk: Desk,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*desk.address("tcp"))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the far end closed or reset the connection."""
    heard = b""
    async with asyncio.timeout(HANG):
        with suppress(ConnectionResetError):
            while more := await reader.read(65536):
                heard += more
    return heard


async def hung_up(far: socket.socket) -> None:
    """Wait until nothing more can come over a bare socket."""
    async with asyncio.timeout(HANG):
        with suppress(ConnectionResetError):
            assert await asyncio.get_running_loop().sock_recv(far, 1) == b""


async def turns(count: int = 20) -> None:
    """Let the loop do what is on its way."""
    for _ in range(count):
        await asyncio.sleep(0)


def advance(desk: Desk, seconds: float) -> None:
    """Let fake time pass, and what is due happen."""
    assert isinstance(desk.clock, FakeClock)
    desk.clock.advance(seconds)
    desk.timers.run()


def cut(desk: Desk, reason: str) -> bool:
    return dict(desk.endpoint.connections.cut) == {reason: 1}


async def test_messages_in_one_segment_and_in_many_are_answered_in_order() -> None:
    async with Desk(TCP) as desk, connected(desk) as (reader, writer):
        first, second = (options("TCP", f"z9hG4bK{at}", call_id=f"c{at}") for at in (1, 2))
        writer.write(first + second[:50])
        assert (await read_message(reader)).via.branch == "z9hG4bK1"
        for at in range(50, len(second)):
            writer.write(second[at : at + 1])
            await writer.drain()
        assert (await read_message(reader)).via.branch == "z9hG4bK2"


async def test_a_ping_is_answered_with_a_pong() -> None:
    async with Desk(TCP) as desk, connected(desk) as (reader, writer):
        writer.write(PING)
        async with asyncio.timeout(HANG):
            assert await reader.readexactly(2) == PONG


async def test_pings_above_the_rate_of_their_source_wait_for_their_pongs() -> None:
    settings = replace(TCP, limits=Limits(source_rate=10, source_burst=3))
    async with Desk(settings, FakeClock()) as desk, connected(desk) as (reader, writer):
        async with asyncio.timeout(HANG):
            for _ in range(3):
                writer.write(PING)
                assert await reader.readexactly(2) == PONG
            pong = asyncio.ensure_future(reader.readexactly(2))
            writer.write(PING)
            await desk.until(lambda: desk.endpoint.budgets.refused == 1)
            assert not pong.done()
            advance(desk, 0.11)
            assert await pong == PONG


async def test_connections_leave_half_of_the_files_to_the_rest_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda kind: (8, 8))
    async with Desk(TCP) as desk:
        streams = [await asyncio.open_connection(*desk.address("tcp")) for _ in range(4)]
        assert await ended(streams[3][0]) == b"", "and strangers have three quarters of that"
        assert len(desk.endpoint.connections) == 3
        for _, writer in streams:
            writer.transport.abort()


async def test_one_connection_serves_many_requests() -> None:
    async with Desk(TCP) as here, Desk(TCP) as there:
        where = Destination("tcp", *there.address("tcp"))
        for number in range(5):
            assert isinstance(await here.ask(where, call_id=f"c{number}"), Response)
        assert {flow.connection for flow in there.flows} == {1}


async def test_requests_that_wait_for_one_connection_keep_their_order() -> None:
    async with Desk(TCP) as here, Desk(TCP) as there:
        where = Destination("tcp", *there.address("tcp"))
        async with asyncio.TaskGroup() as asking:
            for number in range(20):
                asking.create_task(here.ask(where, call_id=f"c{number}"))
        assert [message.call_id for message in there.seen] == [f"c{n}" for n in range(20)]
        assert len(there.endpoint.connections) == 1


async def test_a_far_end_that_connected_to_us_is_asked_over_its_own_connection() -> None:
    async with Desk(TCP) as here, Desk(TCP) as there:
        await here.ask(Destination("tcp", *there.address("tcp")))
        assert isinstance(await there.ask(back_to(there.flows[0]), call_id="back"), Response)
        assert len(here.endpoint.connections) == len(there.endpoint.connections) == 1


async def test_a_connection_that_came_in_is_not_used_for_its_address_alone() -> None:
    async with Desk(TCP) as here, Desk(TCP) as there:
        await here.ask(Destination("tcp", *there.address("tcp")))
        remote = there.flows[0].remote
        assert there.endpoint.connections.ours_to(Destination("tcp", *remote)) is None
        assert await there.ask(Destination("tcp", *remote), call_id="guess") == "transport"


async def test_a_closed_connection_is_made_anew() -> None:
    async with Desk(TCP) as here:
        port = 0
        async with Desk(TCP) as there:
            port = there.address("tcp")[1]
            assert isinstance(await here.ask(Destination("tcp", LOOPBACK, port)), Response)
        await here.until(lambda: len(here.endpoint.connections) == 0)
        assert await here.ask(Destination("tcp", LOOPBACK, port)) == "transport"
        async with Desk(replace(TCP, tcp=((LOOPBACK, port),))):
            assert isinstance(await here.ask(Destination("tcp", LOOPBACK, port)), Response)


async def test_what_was_asked_over_a_connection_fails_when_it_ends() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with stream_server(hang_up) as port, Desk(TCP) as here:
        assert await here.ask(Destination("tcp", LOOPBACK, port)) == "transport"


async def test_a_response_over_a_connection_that_is_gone_opens_no_new_one() -> None:
    async with Desk(TCP) as desk:
        async with connected(desk) as (_, writer):
            writer.write(options("TCP"))
            await desk.until(lambda: desk.seen)
        await desk.until(lambda: desk.closed)
        desk.endpoint.send(back_to(desk.flows[0]), b"SIP/2.0 200 OK\r\n\r\n")
        assert len(desk.endpoint.outbox) == 0
        assert desk.endpoint.outbox.lost == 1


async def test_half_a_message_is_waited_for_and_no_longer() -> None:
    async with Desk(TCP, FakeClock()) as desk, connected(desk) as (reader, writer):
        writer.write(options("TCP") + options("TCP")[:-30])
        await read_message(reader)
        await turns()
        for _ in range(9):
            advance(desk, LIMITS.message / 10)
            writer.write(b"x")  # a byte now and then buys no time
            await turns()
        assert len(desk.endpoint.connections) == 1
        advance(desk, LIMITS.message / 10)
        await ended(reader)
        assert cut(desk, "unfinished")


async def test_a_finished_message_ends_the_wait() -> None:
    async with Desk(TCP, FakeClock()) as desk, connected(desk) as (reader, writer):
        whole = options("TCP")
        writer.write(whole[:-10])
        await desk.until(lambda: len(desk.endpoint.connections) == 1)
        writer.write(whole[-10:])
        await read_message(reader)
        advance(desk, LIMITS.message + 1)
        assert len(desk.endpoint.connections) == 1


async def test_who_says_nothing_of_use_is_cut_soon_pings_or_not() -> None:
    async with Desk(TCP, FakeClock()) as desk, connected(desk) as (reader, writer):
        writer.write(PING)
        await reader.readexactly(2)
        advance(desk, LIMITS.first_message + 0.1)
        await ended(reader)
        assert cut(desk, "silent")


async def test_a_connection_that_nobody_uses_is_closed_and_one_in_use_is_not() -> None:
    async with (
        Desk(TCP, FakeClock()) as desk,
        connected(desk) as (idle, idler),
        connected(desk) as (used, user),
    ):
        idler.write(options("TCP"))
        await read_message(idle)
        user.write(options("TCP", call_id="other"))
        await read_message(used)
        desk.used = {desk.flows[1]}
        advance(desk, LIMITS.first_message)
        advance(desk, LIMITS.idle)
        await ended(idle)
        assert cut(desk, "idle")
        assert len(desk.endpoint.connections) == 1


async def test_what_is_no_sip_is_answered_where_it_can_be_and_ends() -> None:
    async with Desk(TCP) as desk, connected(desk) as (reader, writer):
        writer.write(options("TCP").replace(b"Content-Length: 0\r\n", b""))
        heard = await ended(reader)
        assert heard.startswith(b"SIP/2.0 400 ")
        assert cut(desk, "malformed")


@pytest.mark.parametrize("flood", [b"x" * 300_000, b"\x16\x03\x01" + bytes(300_000)])
async def test_what_never_becomes_a_message_is_cut_at_its_bound(flood: bytes) -> None:
    async with Desk(TCP) as desk, connected(desk) as (reader, writer):
        writer.write(flood)
        await ended(reader)
        assert cut(desk, "malformed")


async def test_one_bad_message_of_known_length_does_not_end_the_connection() -> None:
    async with Desk(TCP) as desk, connected(desk) as (reader, writer):
        writer.write(options("TCP").replace(b"1 OPTIONS", b"1 INVITE"))
        answer = await read_message_raw(reader)
        assert answer.startswith(b"SIP/2.0 400 ")
        writer.write(options("TCP", call_id="after"))
        assert (await read_message_raw(reader)).startswith(b"SIP/2.0 200 ")


async def read_message_raw(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(HANG):
        return await reader.readuntil(b"\r\n\r\n")


@asynccontextmanager
async def deaf(desk: Desk) -> AsyncIterator[socket.socket]:
    """A far end that writes and does not read."""
    loop = asyncio.get_running_loop()
    with socket.socket() as far:
        far.setblocking(False)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await loop.sock_connect(far, desk.address("tcp"))
        await loop.sock_sendall(far, options("TCP"))
        await desk.until(lambda: desk.seen)
        yield far


async def test_a_far_end_that_does_not_read_is_cut_by_time() -> None:
    settings = replace(TCP, limits=Limits(write_buffer=1 << 30))
    async with Desk(settings, FakeClock()) as desk, deaf(desk):
        for _ in range(400):
            desk.endpoint.send(back_to(desk.flows[0]), LARGE)
        advance(desk, LIMITS.unread - 0.1)
        await turns()
        assert len(desk.endpoint.connections) == 1
        advance(desk, 0.2)
        await desk.until(lambda: desk.closed)
        assert cut(desk, "unread")


async def test_a_far_end_that_reads_late_is_kept() -> None:
    settings = replace(TCP, limits=Limits(write_buffer=1 << 30))
    async with Desk(settings, FakeClock()) as desk, deaf(desk) as far:
        for _ in range(200):
            desk.endpoint.send(back_to(desk.flows[0]), LARGE)
        await turns()
        left = 200 * len(LARGE)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(HANG):
            while left > 0:
                left -= len(await loop.sock_recv(far, 1 << 20))
        advance(desk, LIMITS.unread + 0.1)
        await turns()
        assert len(desk.endpoint.connections) == 1


async def test_a_far_end_that_does_not_read_is_cut_by_size_without_waiting() -> None:
    async with Desk(TCP, FakeClock()) as desk, deaf(desk):
        for _ in range(400):
            desk.endpoint.send(back_to(desk.flows[0]), LARGE)
        await desk.until(lambda: desk.closed)
        assert cut(desk, "unread")


async def pinged(answers: int) -> tuple[Desk, int]:
    """A desk connected to a server that answers so many pings; the connections left after three."""
    pings: asyncio.Queue[int] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SIP/2.0 200 OK\r\n" + request.partition(b"\r\n")[2])
        while await reader.read(4) == PING:
            if pings.qsize() < answers:
                writer.write(PONG)
            pings.put_nowait(1)
        writer.close()

    async with stream_server(serve) as port, Desk(TCP, FakeClock()) as desk:
        assert isinstance(await desk.ask(Destination("tcp", LOOPBACK, port)), Response)
        for _ in range(3):
            advance(desk, LIMITS.ping + 0.1)
            await turns()
            advance(desk, LIMITS.pong + 0.1)
            await turns()
        left = len(desk.endpoint.connections)
    return desk, left


async def test_pings_that_are_answered_keep_a_connection() -> None:
    desk, left = await pinged(answers=3)
    assert left == 1
    assert not desk.endpoint.connections.cut["no_pong"]


async def test_a_lost_pong_ends_a_connection_whose_far_end_used_to_answer() -> None:
    desk, left = await pinged(answers=1)
    assert left == 0
    assert desk.endpoint.connections.cut["no_pong"] == 1


async def test_pings_alone_do_not_keep_a_connection_that_nobody_uses() -> None:
    async with Desk(TCP) as there, Desk(TCP, FakeClock()) as here:
        await here.ask(Destination("tcp", *there.address("tcp")))
        for _ in range(int(LIMITS.idle / LIMITS.ping) + 2):
            advance(here, LIMITS.ping)
            await turns()
        await here.until(lambda: here.closed)
        assert cut(here, "idle")


async def test_a_far_end_that_knows_no_pings_is_kept() -> None:
    desk, left = await pinged(answers=0)
    assert left == 1
    assert not desk.endpoint.connections.cut["no_pong"]


async def test_a_source_has_its_number_of_connections_and_no_more() -> None:
    settings = replace(TCP, limits=Limits(connections_per_source=3))
    async with Desk(settings) as desk:
        streams = [await asyncio.open_connection(*desk.address("tcp")) for _ in range(5)]
        await desk.until(lambda: True)
        for reader, _ in streams[3:]:
            assert await ended(reader) == b""
        assert desk.endpoint.connections.refused == 2
        assert len(desk.endpoint.connections) == 3
        for _, writer in streams:
            writer.transport.abort()
        await desk.until(lambda: len(desk.endpoint.connections) == 0)
        async with connected(desk) as (reader, writer):
            writer.write(options("TCP"))
            await read_message(reader)


async def test_a_trusted_network_may_have_as_many_as_there_are() -> None:
    trusted = (ip_network("127.0.0.0/8"),)
    settings = replace(TCP, trusted=trusted, limits=Limits(connections=5, connections_per_source=1))
    async with Desk(settings) as desk:
        streams = [await asyncio.open_connection(*desk.address("tcp")) for _ in range(6)]
        assert await ended(streams[5][0]) == b""
        assert len(desk.endpoint.connections) == 5
        for _, writer in streams:
            writer.transport.abort()


async def test_strangers_leave_room_for_connections_of_our_own() -> None:
    settings = replace(TCP, limits=Limits(connections=4))
    async with Desk(TCP) as there, Desk(settings) as here:
        streams = [await asyncio.open_connection(*here.address("tcp")) for _ in range(4)]
        assert await ended(streams[3][0]) == b""
        assert isinstance(await here.ask(Destination("tcp", *there.address("tcp"))), Response)
        async with Desk(TCP) as another:
            full = Destination("tcp", *another.address("tcp"))
            assert await here.ask(full, call_id="one too many") == "transport"
            problem = here.endpoint.outbox.problem(full)
        assert problem is not None
        assert problem.code == "full"
        for _, writer in streams:
            writer.transport.abort()


async def test_a_thousand_connections_stay_bounded_and_the_listener_answers_after_them() -> None:
    limit = 100
    settings = replace(TCP, limits=Limits(connections=200, connections_per_source=limit))
    loop = asyncio.get_running_loop()
    async with Desk(settings) as desk:
        far = []
        for _ in range(10):
            batch = [socket.socket() for _ in range(100)]
            far += batch
            for each in batch:
                each.setblocking(False)
                await loop.sock_connect(each, desk.address("tcp"))
            assert len(desk.endpoint.connections) <= limit
        for each in far[limit:]:
            await hung_up(each)
        assert desk.endpoint.connections.refused == 1000 - limit
        assert len(desk.endpoint.connections) == limit
        for each in far:
            each.close()
        await desk.until(lambda: len(desk.endpoint.connections) == 0)
        async with connected(desk) as (reader, writer):
            writer.write(options("TCP"))
            await read_message(reader)
        assert len(desk.timers) <= 8


async def test_a_source_above_its_rate_waits_and_loses_nothing() -> None:
    limits = Limits(source_rate=10, source_burst=5)
    async with (
        Desk(replace(TCP, limits=limits), FakeClock()) as desk,
        connected(desk) as (reader, writer),
    ):
        for number in range(12):
            writer.write(options("TCP", f"z9hG4bK{number}", call_id=f"c{number}"))
        await desk.until(lambda: len(desk.seen) == 5)
        for _ in range(20):
            advance(desk, 0.11)
        answers = [await read_message(reader) for _ in range(12)]
        assert [answer.call_id for answer in answers] == [f"c{n}" for n in range(12)]


async def test_a_source_above_its_rate_is_not_read_on() -> None:
    limits = Limits(source_rate=1, source_burst=1)
    async with Desk(replace(TCP, limits=limits), FakeClock()) as desk, deaf(desk) as far:
        flood, sent, stuck = options("TCP") * 200, 0, 0
        while stuck < 20 and sent < 64 << 20:
            try:
                sent += far.send(flood)
                stuck = 0
            except BlockingIOError:
                stuck += 1
            await asyncio.sleep(0)
        assert stuck == 20, "the kernel's buffers fill up, not ours"
