"""The demo takes calls when the control plane can place them, and not before."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from control_plane.contract import RegionStatus, State
from inland.bench.serving import serving
from inland.caller.options import DEMO_KEY
from inland.demo.child import Child, DemoError
from inland.demo.known import until_known

EU, IN = "eu-central-1", "ap-south-1"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@asynccontextmanager
async def control_plane(*capacities: dict[str, int]) -> AsyncIterator[tuple[str, list[str]]]:
    """Says of its regions what ``capacities`` has, one after the other, the last one for ever; with
    the keys by which it was asked."""
    left: list[dict[str, int]] = list(capacities)
    keys: list[str] = []

    async def state(request: web.Request) -> web.Response:
        keys.append(request.headers["Authorization"])
        now = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(text=_state(now).model_dump_json(), content_type="application/json")

    app = web.Application()
    app.router.add_get("/v1/state", state)
    async with serving(app) as url:
        yield url, keys


def _state(capacities: dict[str, int]) -> State:
    regions = tuple(
        RegionStatus(region=name, jurisdiction="any", live=1, capacity=room, active=0)
        for name, room in capacities.items()
    )
    return State(policy="sha256:" + "0" * 64, version="1", ready=True, regions=regions, nodes=())


async def test_it_waits_until_every_region_has_room(http: aiohttp.ClientSession) -> None:
    told: list[dict[str, int]] = [{}, {EU: 4, IN: 0}, {EU: 4, IN: 4}]
    async with control_plane(*told) as (url, keys):
        await until_known(url, (EU, IN), http, ())
    assert keys == [f"Bearer {DEMO_KEY}"] * len(told)


async def test_a_region_that_is_never_heard_of_is_named(http: aiohttp.ClientSession) -> None:
    async with control_plane({EU: 4}) as (url, _):
        with pytest.raises(DemoError, match=f"not heard of {IN} within"):
            await until_known(url, (EU, IN), http, (), within=0)


async def test_a_control_plane_that_is_gone_is_waited_for_no_longer(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    child = await Child.start("control plane", ["--help"], os.environ, tmp_path / "log")
    await child.process.wait()
    with pytest.raises(DemoError, match="control plane ended with status 0"):
        await until_known("http://127.0.0.1:9", (EU,), http, (child,))
