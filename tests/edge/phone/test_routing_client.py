"""Asking the control planes about a call: in turn, for a short while, believing nothing odd."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from control_plane.contract import NodeRouteRequest, RegionVerdict, RouteResponse
from edge.phone.placement import Unrouted
from edge.phone.routing_client import MAX_BYTES, UNREACHABLE, RoutingClient, routing_client
from tests.control_plane.helpers import node_secret, post_beat, serving
from tests.control_plane.helpers import settings as control_plane_settings

HANG_SECONDS = 60.0
WANTED = NodeRouteRequest(tenant="demo-clinic", agent="clinic-reception", dialled_country="DE")
PLACED = RouteResponse(
    session_id="s_" + "a" * 22,
    token="t",
    expires_at=1,
    policy="p",
    jurisdictions=("eea",),
    candidates=(),
    regions=(),
)


def problem(code: str, status: int, **changes: Any) -> tuple[int, bytes]:
    body = {"code": code, "title": "", "status": status, "detail": "", "regions": []} | changes
    return status, json.dumps(body).encode()


class Replica:
    """Answers with what it was given, and keeps what it was asked."""

    def __init__(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        self.status, self.headers = status, headers
        self.body = body or PLACED.model_dump_json().encode()
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.hang: asyncio.Event | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers["Authorization"], await request.json()))
        if self.hang is not None:
            await self.hang.wait()
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@asynccontextmanager
async def asking(*replicas: Replica | None) -> AsyncIterator[RoutingClient]:
    """A client of these replicas; None is one that nobody listens for."""
    servers, bases = [], []
    for replica in replicas:
        if replica is None:
            bases.append(f"http://127.0.0.1:{unused_port()}")
            continue
        app = web.Application()
        app.router.add_post("/v1/nodes/{node}/route", replica.serve)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        bases.append(str(server.make_url("/")))
    try:
        async with (
            asyncio.timeout(HANG_SECONDS),
            routing_client(bases, node="eu-central-1-a", secret="s" * 32) as client,
        ):
            yield client
    finally:
        for replica in replicas:
            if replica is not None and replica.hang is not None:
                replica.hang.set()
        for server in servers:
            await server.close()


async def test_a_node_asks_by_countries_with_its_secret() -> None:
    replica = Replica()
    async with asking(replica) as client:
        assert await client.ask(WANTED) == PLACED
    assert replica.asked == [
        (
            "/v1/nodes/eu-central-1-a/route",
            "Bearer " + "s" * 32,
            {
                "tenant": "demo-clinic",
                "agent": "clinic-reception",
                "dialled_country": "DE",
                "media": "sip",
            },
        )
    ]


async def test_a_replica_that_is_away_is_passed_over_and_not_asked_first_again() -> None:
    away, alive = Replica(500, b"oops"), Replica()
    async with asking(away, alive) as client:
        assert await client.ask(WANTED) == PLACED
        assert await client.ask(WANTED) == PLACED
    assert (len(away.asked), len(alive.asked)) == (1, 2)


async def test_a_replica_that_hangs_costs_its_own_time_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.phone.routing_client.ASK_SECONDS", 0.05)
    hanging, alive = Replica(), Replica()
    hanging.hang = asyncio.Event()
    async with asking(None, hanging, alive) as client:
        assert await client.ask(WANTED) == PLACED


async def test_the_last_one_may_take_all_the_time_that_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A control plane that is alone and busy is waited for: nobody else could answer."""
    monkeypatch.setattr("edge.phone.routing_client.ASK_SECONDS", 0.0)
    monkeypatch.setattr("edge.phone.routing_client.TOTAL_SECONDS", HANG_SECONDS)
    alone, first, last = Replica(), Replica(), Replica()
    async with asking(alone) as client:
        assert await client.ask(WANTED) == PLACED
    async with asking(first, last) as client:
        assert await client.ask(WANTED) == PLACED
    assert (len(first.asked), len(last.asked)) == (0, 1)


async def test_when_all_hang_the_call_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.phone.routing_client.TOTAL_SECONDS", 0.05)
    hanging = Replica()
    hanging.hang = asyncio.Event()
    async with asking(hanging, hanging) as client:
        assert await client.ask(WANTED) == UNREACHABLE
    assert len(hanging.asked) == 1


async def test_nobody_there_is_no_ruling() -> None:
    async with asking(None, None) as client:
        assert await client.ask(WANTED) == UNREACHABLE


@pytest.mark.parametrize(
    ("code", "status"),
    [("no_region_allowed", 403), ("unknown_agent", 404), ("location_unknown", 422)],
)
async def test_what_every_replica_would_say_is_asked_once(code: str, status: int) -> None:
    first, second = Replica(*problem(code, status)), Replica()
    async with asking(first, second) as client:
        assert await client.ask(WANTED) == Unrouted(code)
    assert second.asked == []


@pytest.mark.parametrize(
    ("code", "status"),
    [("rate_limited", 429), ("unknown_key", 401), ("no_region_available", 503), ("not_found", 404)],
)
async def test_what_another_replica_may_know_better_is_asked_on(code: str, status: int) -> None:
    first, second = Replica(*problem(code, status)), Replica()
    async with asking(first, second) as client:
        assert await client.ask(WANTED) == PLACED


async def test_the_refusal_that_names_the_allowed_regions_is_kept() -> None:
    verdicts = [
        RegionVerdict(region="eu-west-1", allowed=True, reason="").model_dump(),
        RegionVerdict(region="ap-south-1", allowed=False, reason="").model_dump(),
    ]
    status, body = problem("no_region_available", 503, regions=verdicts)
    full = Replica(status, body, **{"Retry-After": "5"})
    limited = Replica(*problem("rate_limited", 429))
    kept = Unrouted("no_region_available", ("eu-west-1",), 5)
    for order in ((full, limited, None), (None, limited, full), (limited, None, full)):
        async with asking(*order) as client:
            assert await client.ask(WANTED) == kept


@pytest.mark.parametrize("value", ["soon", "-1", "1" * 9, "\u0665", "1.5"])
async def test_an_odd_retry_after_is_none(value: str) -> None:
    status, body = problem("no_region_allowed", 403)
    async with asking(Replica(status, body, **{"Retry-After": value})) as client:
        found = await client.ask(WANTED)
    assert isinstance(found, Unrouted) and found.retry_after is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"{}"),
        (200, b"["),
        (200, b"\xff"),
        (200, b"[" * 100_000),
        (200, b" " * (MAX_BYTES + 1)),
        (200, problem("no_region_allowed", 200)[1]),
        (403, PLACED.model_dump_json().encode()),
        (302, b""),
        (204, b""),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_an_answer_that_is_none_is_as_good_as_no_replica(status: int, body: bytes) -> None:
    odd = Replica(status, body or b"{}", Location="/v1/nodes/eu-central-1-a/route")
    async with asking(odd, Replica()) as client:
        assert await client.ask(WANTED) == PLACED
    assert len(odd.asked) == 1, "redirects are not followed"


async def test_a_real_control_plane_understands_the_question(tmp_path: Any) -> None:
    async with serving(control_plane_settings(tmp_path)) as session:
        await post_beat(session, "eu-west-1", sip="sip:eu-west-1.example.org")
        base = str(session._base_url)
        async with routing_client(
            [base], node="eu-central-1-a", secret=node_secret("eu-central-1")
        ) as client:
            placed = await client.ask(WANTED)
            nowhere = await client.ask(WANTED.model_copy(update={"dialled_country": "CH"}))
    assert isinstance(placed, RouteResponse)
    assert [each.sip for each in placed.candidates] == ["sip:eu-west-1.example.org"]
    assert nowhere == Unrouted("no_region_allowed")
