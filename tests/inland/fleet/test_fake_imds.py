"""The fake metadata service keeps the rules of the real one that the node depends on."""

from __future__ import annotations

from aiohttp import ClientSession, web

from tests.fakes.clock import FakeClock
from tests.fakes.imds import MAX_TTL, TOKEN_HEADER, TOKEN_PATH, TTL_HEADER, FakeImds
from tests.fakes.scripted_edge import serve

STATE = "/latest/meta-data/autoscaling/target-lifecycle-state"


async def test_metadata_are_told_only_to_a_token_that_has_not_run_out() -> None:
    clock = FakeClock()
    async with FakeImds(clock=clock) as imds, ClientSession(imds.url) as http:
        async with http.get(STATE) as answer:
            assert answer.status == 401
        async with http.put(TOKEN_PATH, headers={TTL_HEADER: "60"}) as answer:
            token = {TOKEN_HEADER: await answer.text()}
        async with http.get(STATE, headers=token) as answer:
            assert await answer.text() == "InService"
        clock.advance(60)
        async with http.get(STATE, headers=token) as answer:
            assert answer.status == 401


async def test_a_token_for_longer_than_six_hours_is_refused() -> None:
    async with FakeImds() as imds, ClientSession(imds.url) as http:
        async with http.put(TOKEN_PATH, headers={TTL_HEADER: str(MAX_TTL + 1)}) as answer:
            assert answer.status == 400
        async with http.put(TOKEN_PATH) as answer:
            assert answer.status == 400


async def test_an_absent_category_is_not_found() -> None:
    async with FakeImds() as imds, ClientSession(imds.url) as http:
        imds.machine.public_ipv4 = None
        async with http.put(TOKEN_PATH, headers={TTL_HEADER: "60"}) as answer:
            token = {TOKEN_HEADER: await answer.text()}
        async with http.get("/latest/meta-data/public-ipv4", headers=token) as answer:
            assert answer.status == 404


async def test_what_is_not_metadata_goes_on_to_the_api() -> None:
    async def api(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.method} {request.path_qs} {await request.text()}")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api)
    runner, url = await serve(app)
    try:
        async with (
            FakeImds(api=url) as imds,
            ClientSession(imds.url) as http,
            http.post("/?Action=Describe", data="body") as answer,
        ):
            assert await answer.text() == "POST /?Action=Describe body"
    finally:
        await runner.cleanup()
