"""The HTTP half of a call against a server that answers what a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from control_plane.contract import Problem
from inland.caller.errors import RefusedError, ServiceError, UnreachableError
from inland.caller.network import Answer, HttpNetwork

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[tuple[HttpNetwork, str]]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession() as http:
            yield HttpNetwork(http, url, "sk_test"), url
    finally:
        await runner.cleanup()


def answering(status: int, body: str, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers=headers)

    return handler


def problem(status: int, code: str) -> Handler:
    body = Problem(code=code, title="No", status=status, detail="because")
    return answering(status, body.model_dump_json())


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "no_region_allowed"), (503, "no_region_available"), (422, "location_unknown")],
)
async def test_a_caller_whom_no_region_takes_is_refused(status: int, code: str) -> None:
    async with serving(problem(status, code)) as (network, _):
        with pytest.raises(RefusedError) as caught:
            await network.route("clinic", "DE")
    assert caught.value.code == code
    assert caught.value.exit_status == 3


async def test_an_unknown_key_is_a_service_error_with_its_code() -> None:
    async with serving(problem(401, "unknown_key")) as (network, _):
        with pytest.raises(ServiceError, match="unknown_key: because") as caught:
            await network.route("clinic", "DE")
    assert caught.value.exit_status == 4
    assert not caught.value.next_may_help


@pytest.mark.parametrize("body", ["", "{}", "<html>", '{"session_id": 1}'])
async def test_something_that_is_no_route_is_said_to_be_none(body: str) -> None:
    async with serving(answering(200, body)) as (network, _):
        with pytest.raises(UnreachableError, match="something else than a route"):
            await network.route("clinic", "DE")


async def test_an_error_without_a_problem_document_keeps_its_status() -> None:
    async with serving(answering(500, "oops")) as (network, url):
        with pytest.raises(ServiceError, match="500") as caught:
            await network.offer(url, "t", "v=0")
    assert caught.value.next_may_help


async def test_nobody_listening_is_unreachable() -> None:
    async with serving(answering(200, "")) as (_network, url):
        pass
    async with aiohttp.ClientSession() as http:
        with pytest.raises(UnreachableError, match="cannot be reached"):
            await HttpNetwork(http, url, "k").route("clinic", "DE")


async def test_an_offer_carries_the_token_and_the_answer_its_resource() -> None:
    seen: list[tuple[str, str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        bearer = request.headers["Authorization"]
        seen.append((request.method, request.path, bearer))
        if request.method == "POST":
            assert request.content_type == "application/sdp"
            return web.Response(
                status=201, text="v=0 answer", headers={"Location": "/v1/realtime/calls/c1"}
            )
        return web.Response(status=200)

    async with serving(handler) as (network, url):
        answer = await network.offer(url, "token-1", "v=0")
        assert answer == Answer("v=0 answer", f"{url}/v1/realtime/calls/c1")
        await network.hang_up(answer, "token-1")
    assert seen == [
        ("POST", "/v1/realtime/calls", "Bearer token-1"),
        ("DELETE", "/v1/realtime/calls/c1", "Bearer token-1"),
    ]


@pytest.mark.parametrize("location", ["", "http://elsewhere.example/calls/1", "//elsewhere/x"])
async def test_a_token_is_not_sent_to_another_host(location: str) -> None:
    async with serving(answering(201, "v=0", Location=location)) as (network, url):
        with pytest.raises(UnreachableError, match="no resource of its own"):
            await network.offer(url, "t", "v=0")


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    async with serving(answering(307, "", Location="http://127.0.0.1:9/")) as (network, _):
        with pytest.raises(ServiceError, match="307"):
            await network.route("clinic", "DE")


async def test_hanging_up_a_call_that_is_gone_is_no_error() -> None:
    async with serving(problem(404, "unknown_call")) as (network, url):
        await network.hang_up(Answer("", f"{url}/v1/realtime/calls/c1"), "t")


async def test_a_drill_that_is_switched_off_is_refused_with_its_code() -> None:
    async with serving(problem(403, "drills_off")) as (network, url):
        with pytest.raises(ServiceError, match="drills_off"):
            await network.drill(Answer("", f"{url}/v1/realtime/calls/c1"), "t")
