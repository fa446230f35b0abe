"""Starting, slow and broken clients, faults, draining, closing."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from control_plane import api
from control_plane.contract import Problem
from control_plane.errors import ListenError
from control_plane.server import Serving, serve
from control_plane.service import ControlPlane
from tests.control_plane.helpers import CLINIC, post_beat, post_route, serving, settings

GERMAN = {"agent": "clinic-reception", "country": "DE"}


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set whenever the server begins to read a body."""
    begun = asyncio.Event()
    read = web.Request.read

    async def announced(request: web.Request) -> bytes:
        begun.set()
        return await read(request)

    monkeypatch.setattr(web.Request, "read", announced)
    return begun


async def connect(
    client: aiohttp.ClientSession,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    base = urlsplit(str(client._base_url))
    return await asyncio.open_connection(base.hostname, base.port)


async def answer_to(client: aiohttp.ClientSession, *parts: bytes) -> tuple[str, bytes]:
    """Send raw bytes and read until the server closes: status line and body."""
    reader, writer = await connect(client)
    for part in parts:
        writer.write(part)
        await writer.drain()
    async with asyncio.timeout(60):
        raw = await reader.read()
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), body


async def test_a_busy_port_is_one_clear_line_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=rf"port {port} on 127\.0\.0\.1 is in use.*--port"):
            await serve(settings(tmp_path, port=port), asyncio.Event())
    assert len(asyncio.all_tasks()) == 1


async def test_an_address_that_is_not_ours_is_named(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match=r"192\.0\.2\.1.*--host"):
        await serve(settings(tmp_path, host="192.0.2.1"), asyncio.Event())


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/route HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
        b"POST /v1/route HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 500 + b"\r\n",
    ],
)
async def test_what_is_not_http_gets_a_problem_and_no_address_is_logged(
    tmp_path: Path, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(settings(tmp_path)) as client:
        status, body = await answer_to(client, garbage)
        assert (await client.get("/healthz")).status == 200
    assert status.split(" ")[1] == "400"
    assert Problem.model_validate_json(body).code == "bad_request"
    assert "127.0.0.1" not in caplog.text
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


async def test_a_broken_chunked_body_is_the_clients_mistake(
    tmp_path: Path, reading: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "BODY_SECONDS", 0.05)
    head = (
        b"POST /v1/route HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Authorization: " + CLINIC["Authorization"].encode() + b"\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    async with serving(settings(tmp_path)) as client, asyncio.timeout(60):
        reader, writer = await connect(client)
        writer.write(head)
        await reading.wait()
        writer.write(b"zz\r\nnot a chunk\r\n")
        raw = await reader.read()
        writer.close()
    status = int(raw.split(b" ")[1])
    assert status in (400, 408)  # the library's C parser only stops delivering the body
    assert Problem.model_validate_json(raw.partition(b"\r\n\r\n")[2]).status == status


async def test_a_body_that_the_parser_gives_up_on_is_the_clients_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: web.Request) -> bytes:
        raise web.RequestPayloadError

    monkeypatch.setattr(web.Request, "read", broken)
    async with serving(settings(tmp_path)) as client:
        status, body = await post_route(client, GERMAN)
    assert (status, body["code"]) == (400, "bad_request")


async def test_a_body_that_announces_too_much_is_refused_before_it_comes(tmp_path: Path) -> None:
    head = (
        b"POST /v1/route HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        b"Authorization: " + CLINIC["Authorization"].encode() + b"\r\n\r\n"
    )
    async with serving(settings(tmp_path)) as client:
        status, _ = await answer_to(client, head)
    assert status.split(" ")[1] == "413"


async def test_a_compressed_body_is_not_inflated(tmp_path: Path) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    async with (
        serving(settings(tmp_path)) as client,
        client.post(
            "/v1/route", data=bomb, headers=CLINIC | {"Content-Encoding": "gzip"}
        ) as answer,
    ):
        assert answer.status == 400


async def test_a_head_that_drips_in_is_cut_off(tmp_path: Path) -> None:
    async with serving(settings(tmp_path, idle_seconds=1)) as client:
        reader, writer = await connect(client)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()


async def test_a_body_that_never_comes_is_refused_and_the_connection_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "BODY_SECONDS", 0.05)
    head = (
        b"POST /v1/route HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        b"Authorization: " + CLINIC["Authorization"].encode() + b"\r\n\r\n{"
    )
    async with serving(settings(tmp_path)) as client:
        status, body = await answer_to(client, head)
    assert status.split(" ")[1] == "408"
    assert Problem.model_validate_json(body).code == "request_timeout"


async def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head = (
        b"POST /v1/route HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        b"Authorization: " + CLINIC["Authorization"].encode() + b"\r\n\r\n{"
    )
    async with serving(settings(tmp_path)) as client:
        for _ in range(20):
            _, writer = await connect(client)
            writer.write(head)
            await writer.drain()
            writer.transport.abort()
        assert (await client.get("/healthz")).status == 200
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(asyncio.all_tasks()) == 1


async def test_a_fault_of_ours_is_a_problem_and_its_values_are_not_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("+4915123456")

    monkeypatch.setattr(ControlPlane, "route", broken)
    async with serving(settings(tmp_path)) as client:
        status, body = await post_route(client, GERMAN)
    assert (status, body["code"]) == (500, "internal_error")
    assert "15123456" not in json.dumps(body) + caplog.text
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert "RuntimeError" in record.__dict__["reason"]


async def test_nothing_of_a_caller_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(settings(tmp_path)) as client:
        await post_beat(client)
        _, body = await post_route(client, GERMAN)
        await post_route(client, GERMAN, {"Authorization": "Bearer sk_wrong_key_here"})
    logged = caplog.text + "".join(str(r.__dict__) for r in caplog.records)
    for secret in ("sk_", "Bearer", body["token"], body["session_id"]):
        assert secret not in logged


async def test_a_stop_says_so_to_balancers_while_requests_are_still_served(tmp_path: Path) -> None:
    stop = asyncio.Event()
    ready: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    wanted = settings(tmp_path, drain_seconds=0.5)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        service = tasks.create_task(serve(wanted, stop, on_ready=ready.set_result))
        async with aiohttp.ClientSession((await ready).url) as client:
            await post_beat(client)
            stop.set()
            while (await (await client.get("/readyz")).json())["status"] != "draining":
                pass
            assert (await post_route(client, GERMAN))[0] == 200
            await service
            with pytest.raises(aiohttp.ClientConnectionError):
                await client.get("/healthz")


async def test_a_request_in_progress_is_finished_before_closing(
    tmp_path: Path, reading: asyncio.Event
) -> None:
    stop = asyncio.Event()
    ready: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    body = json.dumps(GERMAN).encode()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(settings(tmp_path), stop, on_ready=ready.set_result))
        base = urlsplit((await ready).url)
        async with aiohttp.ClientSession(base.geturl()) as client:
            await post_beat(client)
        reading.clear()
        reader, writer = await asyncio.open_connection(base.hostname, base.port)
        writer.write(
            b"POST /v1/route HTTP/1.1\r\nHost: x\r\n"
            + f"Authorization: {CLINIC['Authorization']}\r\n".encode()
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        await reading.wait()
        stop.set()
        writer.write(body)
        raw = await reader.read()
        writer.close()
    assert raw.startswith(b"HTTP/1.1 200 ")
    assert len(asyncio.all_tasks()) == 1
