"""The node's signalling: every wrong request has a clear 4xx, and nothing reaches a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from edge.api import CALLS, MAX_BODY, MAX_FORM, create_app
from edge.audit_trail import Unaudited
from edge.gate import Gate
from edge.health import create_health_app
from edge.internal import Admitted, WorkerStatus
from edge.jwks import KeyCache
from edge.policy_keeper import PolicyKeeper
from edge.policy_kept import KeptBundle
from edge.pool import WorkerPool
from edge.problem import EdgeRefusal
from edge.receipts_api import operator_digest
from edge.session.keys import LocalKeyFile
from edge.session.receipt import ReceiptKey
from edge.session.resume import ResumeTokens
from edge.settings import NodeSettings
from edge.tenancy import Tenancy
from regions.law import Law
from regions.models import TenantPolicy
from tests.edge.test_admission import CATALOGUE, NOW, OneKey
from tests.fakes.clock import FakeClock
from tests.fakes.law import in_force

SDP = {"Content-Type": "application/sdp"}
SESSION = "s_" + "b" * 22
NODE_SECRET = "the-secret-of-this-node"
MINE = "rtc_w0_" + "a" * 22
OTHER = "rtc_w1_" + "b" * 22


@dataclass
class FakeWorker:
    """A worker that takes every call, or refuses as told."""

    index: int
    refusal: EdgeRefusal | None = None
    hangs: bool = False
    orders: list[dict[str, Any]] = field(default_factory=list)
    opened: dict[str, str] = field(default_factory=dict)
    """What it says of a call besides its id and the answer."""
    ended: list[str] = field(default_factory=list)
    taken_over: list[str] = field(default_factory=list)
    whose: list[str] = field(default_factory=list)
    whose_status: int = 204
    gathered: int = 0
    other: list[str] = field(default_factory=list)
    receipts: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: int = 0

    def app(self) -> web.Application:
        async def calls(request: web.Request) -> web.Response:
            self.orders.append(await request.json())
            await self._answer()
            if self.refusal:
                return self.refusal.response()
            call_id = (MINE, OTHER)[self.index]
            return web.json_response({"call_id": call_id, "answer": "v=0\r\n", **self.opened})

        async def delete(request: web.Request) -> web.Response:
            self.ended.append(request.match_info["id"])
            return web.Response(status=204)

        async def whose(request: web.Request) -> web.Response:
            self.whose.append(request.match_info["session"])
            return web.Response(status=self.whose_status)

        async def session(request: web.Request) -> web.Response:
            self.taken_over.append(request.match_info["session"])
            await self._answer()
            return web.Response(status=204)

        async def metrics(request: web.Request) -> web.Response:
            self.gathered += 1
            return web.Response(text=f'inland_calls_active{{worker="{self.index}"}} 3.0\n')

        async def receipts(request: web.Request) -> web.Response:
            self.asked += 1
            await self._answer()
            key = request.match_info["tenant"], request.match_info["session"]
            return web.json_response({"receipts": self.receipts.get(key, [])})

        async def account(request: web.Request) -> web.Response:
            await self._answer()
            found = self.accounts.get(request.match_info["session"])
            if found is None:
                return EdgeRefusal("unknown_session", "none here").response()
            return web.json_response(found)

        async def anything(request: web.Request) -> web.Response:
            self.other.append(request.path)
            return web.Response()

        app = web.Application()
        app.router.add_post("/calls", calls)
        app.router.add_delete("/calls/{id}", delete)
        app.router.add_get("/calls/{id}/session/{session}", whose)
        app.router.add_delete("/sessions/{session}", session)
        app.router.add_get("/sessions/{session}/receipts/{tenant}", receipts)
        app.router.add_get("/sessions/{session}/account", account)
        app.router.add_get("/metrics", metrics)
        app.router.add_route("*", "/{anything:.*}", anything)
        return app

    async def _answer(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()


@dataclass
class Victim:
    """A process that a drill may kill."""

    pid: int = 1
    killed: bool = False

    def kill(self) -> None:
        self.killed = True


@dataclass
class Node:
    client: TestClient[web.Request, web.Application]
    workers: list[FakeWorker]
    gate: Gate
    key: OneKey
    clock: FakeClock
    posts: int = 0

    @property
    def worker(self) -> FakeWorker:
        return self.workers[0]

    def status(self, index: int = 0, active: int = 0, *calls: str) -> None:
        """The worker reports."""
        slot = self.gate.pool.slots[index]
        slot.status = WorkerStatus(pid=1, media_port=1, active=active, capacity=2, calls=calls)
        slot.heard = self.clock.monotonic()

    def victim(self) -> Victim:
        """Gives worker 0 a process."""
        victim = Victim()
        self.gate.pool.slots[0].process = cast(asyncio.subprocess.Process, victim)
        return victim

    def resume_token(self, session: str = SESSION, **changes: Any) -> str:
        facts: dict[str, Any] = {
            "session_id": session,
            "tenant": "demo-clinic",
            "agent": "clinic-reception",
            "region": "eu-central-1",
            "allowed_regions": ("eu-central-1",),
            "policy": CATALOGUE.policy,
            "jurisdictions": ("eea",),
            "lifetime_s": 60,
        }
        token, _ = self.gate.resume.issue(**facts | changes)
        return token

    async def post(self, body: Any = "v=0\r\n", path: str = CALLS, **headers: str) -> Any:
        """Offer; with a session of its own unless a header says otherwise."""
        self.posts += 1
        session = f"s_{self.posts:022d}"
        defaults = {"Authorization": f"Bearer {self.key.sign(sub=session)}", **SDP}
        return await self.client.post(path, data=body, headers=defaults | headers)

    async def resume(self, token: str) -> Any:
        return await self.post(Authorization=f"Bearer {token}")


@asynccontextmanager
async def serving(folder: Path, workers: int, **changes: Any) -> AsyncIterator[Node]:
    settings = NodeSettings(
        node="eu-central-1-a",
        region="eu-central-1",
        data=folder,
        agents=folder,
        workers=workers,
        control_planes=("http://127.0.0.1:1",),
        **changes,
    )
    clock = FakeClock(wall=NOW)
    pool = WorkerPool(settings, folder, folder / "voice.sock", clock=clock)
    key = OneKey()
    keys = KeyCache(settings.control_planes)
    keys._keys = {"k1": key.public}
    keys.loaded.set()
    region_key = LocalKeyFile.open(folder / "region.key", "eu-central-1")
    resume = ResumeTokens(region_key.subkey("resume"), clock)
    tenancy = Tenancy.of(settings)
    receipt_key = ReceiptKey(region_key.subkey("receipt")).public
    secret = operator_digest(NODE_SECRET)
    gate = Gate(
        settings, in_force(CATALOGUE), pool, keys, resume, clock, tenancy, receipt_key, secret
    )
    fakes = [FakeWorker(index) for index in range(workers)]
    async with AsyncExitStack() as closing:
        for fake, slot in zip(fakes, pool.slots, strict=True):
            runner = web.AppRunner(fake.app(), handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            closing.push_async_callback(runner.cleanup)
            await web.UnixSite(runner, str(slot.socket)).start()
        client = await closing.enter_async_context(TestClient(TestServer(create_app(gate))))
        node = Node(client, fakes, gate, key, clock)
        for index in range(workers):
            node.status(index)
        await pool.until_ready()
        yield node
        for slot in pool.slots:
            slot.process = None
        await pool.stop()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with serving(tmp_path, 1) as node:
        yield node


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Node]:
    async with serving(tmp_path, 2) as node:
        yield node


@pytest.fixture
async def drilled(tmp_path: Path) -> AsyncIterator[Node]:
    async with serving(tmp_path, 1, drills=True) as node:
        node.status(0, 1, MINE)
        yield node


async def problem(response: aiohttp.ClientResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    assert response.headers["Access-Control-Allow-Origin"] == "*", "a page could not read why"
    body = await response.json()
    assert body["detail"], "no words for people"
    return response.status, body["code"]


async def test_offer_is_answered_with_location_and_sdp(node: Node) -> None:
    response = await node.post(Authorization=f"Bearer {node.key.sign()}")
    assert response.status == 201
    assert response.headers["Location"] == f"{CALLS}/{MINE}"
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


def carried(replica: str, sdp: str = "v=0\r\n") -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("sdp", sdp)
    form.add_field("replica", replica)
    return form


async def bring(node: Node, form: aiohttp.FormData, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token or node.key.sign()}"}
    return await node.client.post(CALLS, data=form, headers=headers)


class TestReplica:
    async def test_it_reaches_the_worker_beside_the_offer(self, node: Node) -> None:
        audit = node.gate.audit = Audited()
        node.worker.opened = {"session_id": SESSION, "carried_from": "eu-west-1"}
        assert (await bring(node, carried("{}" * 60_000))).status == 201
        (order,) = node.worker.orders
        assert (order["offer"], order["replica"]) == ("v=0\r\n", "{}" * 60_000)
        assert order["caller"]["session_id"] == "s_" + "a" * 22
        assert audit.events == [("carried", SESSION, "eu-west-1")]

    async def test_an_offer_alone_brings_none(self, node: Node) -> None:
        audit = node.gate.audit = Audited()
        assert (await node.post()).status == 201
        assert node.worker.orders[0]["replica"] is None
        assert [kind for kind, *_ in audit.events] == ["opened"]

    async def test_a_form_is_bounded_and_so_is_the_offer_in_it(self, node: Node) -> None:
        too_much = [carried("x" * MAX_FORM), carried("x", "v" * (MAX_BODY + 1))]
        for form in too_much:
            assert await problem(await bring(node, form)) == (413, "body_too_large")
        assert node.worker.orders == []

    async def test_no_other_body_may_be_as_long(self, node: Node) -> None:
        response = await node.post("x" * (MAX_BODY + 1))
        assert await problem(response) == (413, "body_too_large")

    async def test_it_does_not_go_with_a_resume_token(self, node: Node) -> None:
        response = await bring(node, carried("{}"), node.resume_token())
        assert await problem(response) == (400, "bad_request")
        assert node.worker.orders == []

    async def test_a_stranger_does_not_have_it_read(self, node: Node) -> None:
        response = await bring(node, carried("{}"), "nobody")
        assert await problem(response) == (401, "bad_token")

    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("bad_replica", 400),
            ("replica_mismatch", 403),
            ("wrong_region", 403),
            ("replica_used", 409),
            ("replica_expired", 410),
            ("body_too_large", 413),
        ],
    )
    async def test_what_the_worker_says_of_it_reaches_the_caller(
        self, node: Node, code: str, status: int
    ) -> None:
        node.worker.refusal = EdgeRefusal(code, "call anew")
        assert await problem(await bring(node, carried("{}"))) == (status, code)


@dataclass
class Audited(Unaudited):
    """Notes what is written down of callers."""

    events: list[tuple[str, str, str]] = field(default_factory=list)

    def opened(self, caller: Admitted) -> None:
        self.events.append(("opened", caller.session_id, ""))

    def carried(self, caller: Admitted, region: str) -> None:
        self.events.append(("carried", caller.session_id, region))


async def test_resume_token_takes_the_session_over(node: Node) -> None:
    token = node.resume_token()
    assert (await node.resume(token)).status == 201
    assert node.worker.orders[0]["caller"]["resumed"] is True


async def test_resume_token_for_a_region_the_law_excludes_is_refused(node: Node) -> None:
    token = node.resume_token(jurisdictions=("in",))
    response = await node.resume(token)
    assert await problem(response) == (403, "wrong_region")


async def test_resume_after_a_tightened_law_keeps_only_lawful_regions(node: Node) -> None:
    token = node.resume_token(
        allowed_regions=("eu-central-1", "ap-south-1"), policy="2020-01-01.1#000000000000"
    )
    assert (await node.resume(token)).status == 201
    regions = node.worker.orders[0]["caller"]["regions"]
    assert regions.pop("recording") == []
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


@pytest.mark.parametrize(
    "head",
    [
        "Content-Disposition: form-data; name",
        'Content-Disposition: form-data; name="sdp"\r\n' + "X: y\r\n" * 10_000,
        'Content-Disposition: form-data; name="sdp"\r\nContent-Transfer-Encoding: x\r\n\r\nx',
        'Content-Disposition: form-data; name="sdp"\r\n'
        "Content-Type: text/plain; charset=nobodys\r\n\r\nx",
        'Content-Disposition: form-data; name="sdp"\r\n'
        "Content-Type: text/plain; charset=unicode_escape\r\n\r\n\\ud800",
    ],
    ids=["header cut off", "too many headers", "encoding", "charset", "half a surrogate"],
)
async def test_a_form_that_cannot_be_read_is_refused(node: Node, head: str) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=B"}
    response = await node.post(f"--B\r\n{head}\r\n--B--\r\n".encode(), **form)
    assert await problem(response) == (400, "bad_request")
    assert node.worker.orders == []


async def test_workers_refusal_reaches_the_caller(node: Node) -> None:
    node.worker.refusal = EdgeRefusal("no_common_codec", "offer Opus or PCMU")
    assert await problem(await node.post()) == (406, "no_common_codec")
    assert node.gate.pool.slots[0].opening == 0


async def test_full_draining_and_silent_nodes_send_callers_on(node: Node) -> None:
    node.status(0, 2)
    full = await node.post()
    assert await problem(full) == (503, "full")
    assert full.headers["Retry-After"] == "1"
    node.status()
    assert (await node.client.get("/readyz")).status == 200
    node.clock.advance(3.1)
    assert await problem(await node.post()) == (503, "not_ready")
    assert (await node.client.get("/readyz")).status == 503
    node.gate.pool.slots[0].status = None
    assert await problem(await node.post()) == (503, "not_ready")
    node.status()
    node.gate.draining = True
    assert await problem(await node.post()) == (503, "draining")
    assert (await node.client.get("/readyz")).status == 503
    assert node.worker.orders == []


async def test_offer_that_a_worker_does_not_answer_goes_to_another_one(
    pair: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.api.OPEN_SECONDS", 1.0)
    pair.worker.hangs = True
    response = await pair.post()
    assert response.headers["Location"] == f"{CALLS}/{OTHER}"
    first, second = (worker.orders[0] for worker in pair.workers)
    assert first["caller"] == second["caller"]
    assert first["until"] == pytest.approx(pair.clock.monotonic() + 1.0)
    assert [slot.opening for slot in pair.gate.pool.slots] == [0, 0]
    pair.workers[1].hangs = True
    assert await problem(await pair.post()) == (503, "not_ready")
    assert len(pair.worker.orders) + len(pair.workers[1].orders) == 4, "once more, not for ever"


async def test_refusal_of_a_worker_is_no_reason_to_ask_another(pair: Node) -> None:
    pair.worker.refusal = EdgeRefusal("unknown_agent", "no such agent here")
    assert await problem(await pair.post()) == (404, "unknown_agent")
    assert pair.workers[1].orders == []


async def test_other_workers_hear_that_a_session_was_resumed(pair: Node) -> None:
    assert (await pair.resume(pair.resume_token())).status == 201
    assert [worker.taken_over for worker in pair.workers] == [[], [SESSION]]
    assert (await pair.post()).status == 201
    assert [worker.taken_over for worker in pair.workers] == [[], [SESSION]], "a new call"


async def test_resume_that_was_refused_ends_nothing(pair: Node) -> None:
    pair.worker.refusal = EdgeRefusal("session_ended", "over")
    assert await problem(await pair.resume(pair.resume_token())) == (410, "session_ended")
    assert pair.workers[1].taken_over == []


async def test_worker_that_cannot_be_told_does_not_cost_the_answer(
    pair: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.api.TAKEN_OVER_SECONDS", 1.0)
    pair.workers[1].hangs = True
    assert (await pair.resume(pair.resume_token())).status == 201
    assert pair.workers[1].taken_over == [SESSION]


async def test_one_token_cannot_flood_the_node(node: Node) -> None:
    token = node.resume_token()
    assert [(await node.resume(token)).status for _ in range(5)] == [201] * 5
    limited = await node.resume(token)
    assert await problem(limited) == (429, "rate_limited")
    assert limited.headers["Retry-After"] == "1"
    assert (await node.resume(node.resume_token("s_" + "c" * 22))).status == 201
    node.clock.advance(1.0)
    node.status()
    assert (await node.resume(token)).status == 201
    assert await problem(await node.resume(token)) == (429, "rate_limited")
    assert len(node.worker.orders) == 7


async def test_body_of_a_stranger_is_not_waited_for(node: Node) -> None:
    never = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"v=0"
        await never.wait()

    async with asyncio.timeout(60):
        response = await node.post(slow(), Authorization="Bearer nonsense")
        assert await problem(response) == (401, "bad_token")


async def test_hang_up_reaches_the_worker_that_has_the_call(pair: Node) -> None:
    pair.status(1, 1, OTHER)
    assert (await pair.client.delete(f"{CALLS}/{OTHER}")).status == 200
    assert [worker.ended for worker in pair.workers] == [[], [OTHER]]


ODD_IDS = [
    "x",
    "rtc_w0_abc",
    "rtc_wx_" + "a" * 22,
    "rtc_w%C2%B2_" + "a" * 22,
    "rtc_w%D9%A1_" + "a" * 22,  # a digit, but not ours
    "rtc_w0001_" + "a" * 22,
    "rtc_w0_" + "a" * 23,
    "rtc_w0_" + "a" * 21 + "%2F",
    "rtc_w0_x%2F..%2F..%2Fmetrics%3F",
    "rtc_w0_" + "a" * 22 + "%0A",
    "..%2f..%2fmetrics",
]


@pytest.mark.parametrize("call_id", ODD_IDS)
async def test_id_that_no_worker_makes_reaches_none(drilled: Node, call_id: str) -> None:
    drilled.status(0, 2, MINE, unquote(call_id))  # even if one claimed to have it
    await reaches_no_worker(drilled, call_id)


@pytest.mark.parametrize("call_id", ["rtc_w0_" + "c" * 22, "rtc_w9_" + "a" * 22])
async def test_id_that_no_worker_has_reaches_none(drilled: Node, call_id: str) -> None:
    await reaches_no_worker(drilled, call_id)


async def reaches_no_worker(drilled: Node, call_id: str) -> None:
    victim = drilled.victim()
    url = URL(f"{CALLS}/{call_id}", encoded=True)
    drill = URL(f"{CALLS}/{call_id}/drill", encoded=True)
    fragment = {"Content-Type": "application/trickle-ice-sdpfrag"}
    resume = {"Authorization": f"Bearer {drilled.resume_token()}"}
    client = drilled.client
    assert await problem(await client.delete(url)) == (404, "unknown_call")
    assert await problem(await client.patch(url, headers=fragment)) == (404, "unknown_call")
    assert await problem(await client.post(drill, headers=resume)) == (404, "unknown_call")
    worker = drilled.worker
    assert (worker.ended, worker.whose, worker.other, worker.gathered) == ([], [], [], 0)
    assert not victim.killed


async def test_drill_needs_to_be_switched_on(node: Node) -> None:
    node.status(0, 1, MINE)
    response = await node.client.post(f"{CALLS}/{MINE}/drill")
    assert await problem(response) == (403, "drills_off")


async def test_drill_kills_the_worker_of_the_callers_own_call(drilled: Node) -> None:
    victim = drilled.victim()
    headers = {"Authorization": f"Bearer {drilled.resume_token()}"}
    assert (await drilled.client.post(f"{CALLS}/{MINE}/drill", headers=headers)).status == 202
    assert victim.killed
    assert drilled.worker.whose == [SESSION]


@pytest.mark.parametrize("status", [200, 202, 301, 404, 500])
async def test_drill_needs_the_workers_exact_word_that_the_call_is_the_callers(
    drilled: Node, status: int
) -> None:
    victim = drilled.victim()
    drilled.worker.whose_status = status
    headers = {"Authorization": f"Bearer {drilled.resume_token()}"}
    response = await drilled.client.post(f"{CALLS}/{MINE}/drill", headers=headers)
    assert await problem(response) == (503, "not_ready")
    assert not victim.killed


async def test_drill_is_not_for_route_tokens(drilled: Node) -> None:
    victim = drilled.victim()
    headers = {"Authorization": f"Bearer {drilled.key.sign()}"}
    response = await drilled.client.post(f"{CALLS}/{MINE}/drill", headers=headers)
    assert await problem(response) == (401, "bad_token")
    assert not victim.killed


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


async def test_a_node_whose_store_is_away_says_so_and_takes_no_calls(pair: Node) -> None:
    def report(index: int, *, store: bool) -> None:
        slot = pair.gate.pool.slots[index]
        slot.status = WorkerStatus(pid=1, media_port=1, active=0, capacity=2, store=store)

    for first, second, answers in ((False, True, True), (False, False, False), (True, True, True)):
        report(0, store=first)
        report(1, store=second)
        ready = await pair.client.get("/readyz")
        assert (await ready.json())["checks"]["store"] is answers
        assert ready.status == (200 if answers else 503)
        assert pair.gate.load().draining is not answers


async def test_with_a_health_port_callers_reach_no_word_about_the_node(tmp_path: Path) -> None:
    async with serving(tmp_path, 1, health_port=0) as node:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert await problem(await node.client.get(path)) == (404, "bad_request")
        assert (await node.post()).status == 201
        async with TestClient(TestServer(create_health_app(node.gate))) as health:
            for path in ("/healthz", "/readyz", "/metrics"):
                assert (await health.get(path)).status == 200
            assert (await health.post(CALLS)).status == 404
            node.gate.draining = True
            assert (await health.get("/readyz")).status == 503


async def test_a_node_refuses_the_calls_of_tenants_that_it_does_not_serve(tmp_path: Path) -> None:
    async with serving(tmp_path, 1, tenants=("bank",)) as node:
        assert await problem(await node.post()) == (403, "wrong_tenant")
        assert await problem(await node.resume(node.resume_token())) == (403, "wrong_tenant")
        assert node.worker.orders == []
    async with serving(tmp_path, 1) as node:
        token = node.key.sign(ded=True)
        refused = await node.post(Authorization=f"Bearer {token}")
        assert await problem(refused) == (403, "wrong_tenant")
        assert node.worker.orders == []


async def test_metrics_of_the_workers_are_merged(pair: Node) -> None:
    text = await (await pair.client.get("/metrics")).text()
    assert 'inland_calls_active{worker="0"} 3.0' in text
    assert 'inland_calls_active{worker="1"} 3.0' in text


async def test_metrics_are_gathered_at_most_once_a_second_unless_calls_change(node: Node) -> None:
    async def read() -> int:
        assert (await node.client.get("/metrics")).status == 200
        return node.worker.gathered

    assert [await read() for _ in range(3)] == [1, 1, 1]
    node.clock.advance(1.0)
    assert [await read() for _ in range(2)] == [2, 2]
    node.status(0, 1, MINE)
    assert [await read() for _ in range(2)] == [3, 3]


async def test_unknown_paths_and_methods_are_problems_too(node: Node) -> None:
    assert await problem(await node.client.get("/nowhere")) == (404, "bad_request")
    assert await problem(await node.client.put(CALLS)) == (405, "bad_request")


async def test_no_call_is_taken_before_it_is_known_by_which_law(node: Node, tmp_path: Path) -> None:
    law, region = node.gate.law, node.gate.settings.region
    kept = KeptBundle(tmp_path, ())
    keeper = PolicyKeeper(law, (), kept, (), region=region, refresh_seconds=15.0)
    node.gate.policy = keeper
    assert node.gate.load().draining
    ready = await node.client.get("/readyz")
    assert (ready.status, (await ready.json())["checks"]["policy"]) == (503, False)
    assert await problem(await node.post()) == (503, "not_ready")
    assert await problem(await node.resume(node.resume_token())) == (503, "not_ready")
    keeper.settled.set()
    assert not node.gate.load().draining
    assert (await node.post()).status == 201


async def test_a_session_that_the_law_excludes_now_is_not_resumed_here(node: Node) -> None:
    token = node.resume_token()
    denied = TenantPolicy(deny=(node.gate.settings.region,))
    node.gate.law.replace(Law(CATALOGUE, {"demo-clinic": denied}, serial=1))
    assert await problem(await node.resume(token)) == (403, "wrong_region")
    assert node.worker.orders == []
