"""The node's signalling: every wrong request has a clear 4xx, and nothing reaches a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from edge.api import CALLS, MAX_BODY, Gate, create_app
from edge.internal import WorkerStatus
from edge.jwks import KeyCache
from edge.pool import WorkerPool
from edge.problem import EdgeRefusal
from edge.session.keys import LocalKeyFile
from edge.session.resume import ResumeTokens
from edge.settings import NodeSettings
from regions.catalogue import load_catalogue
from tests.edge.test_admission import CATALOGUE, NOW, OneKey
from tests.fakes.clock import FakeClock

SDP = {"Content-Type": "application/sdp"}


@dataclass
class FakeWorker:
    """A worker that takes every call, or refuses as told."""

    refusal: EdgeRefusal | None = None
    orders: list[dict[str, Any]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def app(self) -> web.Application:
        async def calls(request: web.Request) -> web.Response:
            self.orders.append(await request.json())
            if self.refusal:
                return self.refusal.response()
            return web.json_response({"call_id": "rtc_w0_abcdefgh", "answer": "v=0\r\n"})

        async def delete(request: web.Request) -> web.Response:
            self.ended.append(request.match_info["id"])
            return web.Response(status=204)

        async def metrics(request: web.Request) -> web.Response:
            return web.Response(text='inland_calls_active{worker="0"} 3.0\n')

        app = web.Application()
        app.router.add_post("/calls", calls)
        app.router.add_delete("/calls/{id}", delete)
        app.router.add_get("/metrics", metrics)
        return app


@dataclass
class Node:
    client: TestClient[web.Request, web.Application]
    worker: FakeWorker
    gate: Gate
    key: OneKey

    async def post(self, body: Any = "v=0\r\n", path: str = CALLS, **headers: str) -> Any:
        defaults = {"Authorization": f"Bearer {self.key.sign()}", **SDP}
        return await self.client.post(path, data=body, headers=defaults | headers)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    settings = NodeSettings(
        node="eu-central-1-a",
        region="eu-central-1",
        data=tmp_path,
        agents=tmp_path,
        control_planes=("http://127.0.0.1:1",),
    )
    pool = WorkerPool(settings, tmp_path, tmp_path / "voice.sock")
    pool.slots[0].status = WorkerStatus(pid=1, media_port=1, active=0, capacity=2)
    key = OneKey()
    keys = KeyCache(settings.control_planes)
    keys._keys = {"k1": key.public}
    keys.loaded.set()
    clock = FakeClock(wall=NOW)
    secret = LocalKeyFile.open(tmp_path / "region.key", "eu-central-1").subkey("resume")
    gate = Gate(settings, load_catalogue(), pool, keys, ResumeTokens(secret, clock), clock)
    worker = FakeWorker()
    runner = web.AppRunner(worker.app())
    await runner.setup()
    await web.UnixSite(runner, str(pool.slots[0].socket)).start()
    async with TestClient(TestServer(create_app(gate))) as client:
        yield Node(client, worker, gate, key)
    await pool.stop()
    await runner.cleanup()


async def problem(response: aiohttp.ClientResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    assert response.headers["Access-Control-Allow-Origin"] == "*", "a page could not read why"
    body = await response.json()
    assert body["detail"], "no words for people"
    return response.status, body["code"]


async def test_offer_is_answered_with_location_and_sdp(node: Node) -> None:
    response = await node.post()
    assert response.status == 201
    assert response.headers["Location"] == f"{CALLS}/rtc_w0_abcdefgh"
    assert response.content_type == "application/sdp"
    assert node.worker.orders[0]["caller"]["session_id"] == "s_" + "a" * 22
    assert node.worker.orders[0]["caller"]["resumed"] is False


async def test_whip_is_an_alias_and_forms_are_understood(node: Node) -> None:
    assert (await node.post(path="/whip")).status == 201
    form = aiohttp.FormData()
    form.add_field("sdp", "v=0\r\nform", content_type="application/sdp")
    form._is_multipart = True
    response = await node.client.post(
        CALLS, data=form, headers={"Authorization": f"Bearer {node.key.sign()}"}
    )
    assert response.status == 201
    assert node.worker.orders[1]["offer"] == "v=0\r\nform"


async def test_resume_token_takes_the_session_over(node: Node) -> None:
    token, _ = node.gate.resume.issue(
        session_id="s_" + "b" * 22,
        tenant="demo-clinic",
        agent="clinic-reception",
        region="eu-central-1",
        allowed_regions=("eu-central-1",),
        policy=CATALOGUE.policy,
        jurisdictions=("eea",),
        lifetime_s=60,
    )
    assert (await node.post(Authorization=f"Bearer {token}")).status == 201
    assert node.worker.orders[0]["caller"]["resumed"] is True


async def test_resume_token_for_a_region_the_law_excludes_is_refused(node: Node) -> None:
    token, _ = node.gate.resume.issue(
        session_id="s_" + "b" * 22,
        tenant="demo-clinic",
        agent="clinic-reception",
        region="eu-central-1",
        allowed_regions=("eu-central-1",),
        policy=CATALOGUE.policy,
        jurisdictions=("in",),
        lifetime_s=60,
    )
    response = await node.post(Authorization=f"Bearer {token}")
    assert await problem(response) == (403, "wrong_region")


async def test_resume_after_a_tightened_law_keeps_only_lawful_regions(node: Node) -> None:
    token, _ = node.gate.resume.issue(
        session_id="s_" + "b" * 22,
        tenant="demo-clinic",
        agent="clinic-reception",
        region="eu-central-1",
        allowed_regions=("eu-central-1", "ap-south-1"),
        policy="2020-01-01.1#000000000000",
        jurisdictions=("eea",),
        lifetime_s=60,
    )
    assert (await node.post(Authorization=f"Bearer {token}")).status == 201
    regions = node.worker.orders[0]["caller"]["regions"]
    assert all(listed == ["eu-central-1"] for listed in regions.values())


async def test_bad_requests_are_refused_before_any_worker_sees_them(node: Node) -> None:
    table: list[tuple[Any, dict[str, str], tuple[int, str]]] = [
        ("x", {"Authorization": ""}, (401, "bad_token")),
        ("x", {"Authorization": "Bearer nonsense"}, (401, "bad_token")),
        ("x", {"Authorization": "Bearer rs_nonsense"}, (401, "bad_token")),
        ("x", {"Authorization": f"Bearer {node.key.sign(exp=NOW - 100)}"}, (401, "token_expired")),
        ("x", {"Content-Type": "application/json"}, (415, "unsupported_media_type")),
        (b"\xff\xfe", {}, (400, "bad_request")),
        ("x" * (1 << 20), {}, (413, "body_too_large")),
        ("x" * (MAX_BODY + 1), {}, (413, "body_too_large")),
        ("no form", {"Content-Type": "multipart/form-data; boundary=x"}, (400, "bad_request")),
        ("no form", {"Content-Type": "multipart/form-data"}, (400, "bad_request")),
    ]
    for body, headers, expected in table:
        assert await problem(await node.post(body, **headers)) == expected, headers
    assert node.worker.orders == []


async def test_workers_refusal_reaches_the_caller(node: Node) -> None:
    node.worker.refusal = EdgeRefusal("no_common_codec", "offer Opus or PCMU")
    assert await problem(await node.post()) == (406, "no_common_codec")
    assert node.gate.pool.slots[0].opening == 0


async def test_full_draining_and_starting_nodes_send_callers_on(node: Node) -> None:
    slot = node.gate.pool.slots[0]
    slot.status = WorkerStatus(pid=1, media_port=1, active=2, capacity=2)
    full = await node.post()
    assert await problem(full) == (503, "full")
    assert full.headers["Retry-After"] == "1"
    slot.status = None
    assert await problem(await node.post()) == (503, "not_ready")
    slot.status = WorkerStatus(pid=1, media_port=1, active=0, capacity=2)
    node.gate.draining = True
    assert await problem(await node.post()) == (503, "draining")
    assert (await node.client.get("/readyz")).status == 503
    assert node.worker.orders == []


async def test_hang_up_reaches_the_worker_that_the_id_names(node: Node) -> None:
    assert (await node.client.delete(f"{CALLS}/rtc_w0_abcdefgh")).status == 200
    assert node.worker.ended == ["rtc_w0_abcdefgh"]


@pytest.mark.parametrize("call_id", ["x", "rtc_w9_abc", "rtc_wx_abc", "rtc_w²_a", "rtc_w0001_a"])
async def test_unknown_call_is_not_found(node: Node, call_id: str) -> None:
    assert await problem(await node.client.delete(f"{CALLS}/{call_id}")) == (404, "unknown_call")


async def test_drill_needs_to_be_switched_on(node: Node) -> None:
    response = await node.client.post(f"{CALLS}/rtc_w0_abcdefgh/drill")
    assert await problem(response) == (403, "drills_off")


async def test_preflight_says_what_may_be_posted(node: Node) -> None:
    response = await node.client.options(CALLS, headers={"Origin": "https://example.org"})
    assert response.status == 204
    assert response.headers["Accept-Post"] == "application/sdp"
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]


async def test_slow_body_is_given_up(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.api.BODY_SECONDS", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"v=0"
        await asyncio.Event().wait()

    response = await node.post(never())
    assert await problem(response) == (408, "too_slow")


async def test_metrics_of_the_workers_are_merged(node: Node) -> None:
    response = await node.client.get("/metrics")
    assert 'inland_calls_active{worker="0"} 3.0' in await response.text()


async def test_unknown_paths_and_methods_are_problems_too(node: Node) -> None:
    assert await problem(await node.client.get("/nowhere")) == (404, "bad_request")
    assert await problem(await node.client.put(CALLS)) == (405, "bad_request")
