"""A session's receipts are for whoever holds its token or the node's secret, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from edge.call_builder import Rooms
from edge.receipts_api import ASKS_BURST, RECEIPT_KEYS
from edge.session.errors import TenantRefused
from edge.session.sqlite import SqliteStore
from edge.session.stores import OneStore
from edge.worker import Worker
from edge.worker_receipts import MAX_RECEIPTS, add_receipts
from tests.edge.session.entries import session
from tests.edge.session.parts import finish, record
from tests.edge.test_api import NODE_SECRET, SESSION, Node, problem, serving

OTHER = "s_" + "c" * 22
TENANT = "demo-clinic"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with serving(tmp_path, 2) as node:
        for worker in node.workers:
            worker.receipts[TENANT, SESSION] = ["one", "two"]
        yield node


async def ask(
    node: Node, token: str | None, session_id: str = SESSION, **query: str
) -> aiohttp.ClientResponse:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    path = f"/v1/sessions/{session_id}/receipt"
    return await node.client.get(path, headers=headers, params=query)


async def test_a_caller_reads_the_receipts_of_their_own_session(node: Node) -> None:
    response = await ask(node, node.resume_token())
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == "*", "a page reads it"
    body = await response.json()
    assert body["receipts"] == ["one", "two"]
    assert "live" not in body
    assert body["keys"] == await (await node.client.get(RECEIPT_KEYS)).json()


async def test_a_page_may_ask_from_anywhere(node: Node) -> None:
    for path in (f"/v1/sessions/{SESSION}/receipt", RECEIPT_KEYS):
        response = await node.client.options(path)
        assert response.status == 204
        assert "GET" in response.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]


async def test_an_operator_names_the_tenant(node: Node) -> None:
    assert (await (await ask(node, NODE_SECRET, tenant=TENANT)).json())["receipts"]
    assert await problem(await ask(node, NODE_SECRET)) == (400, "bad_request")
    refused = await ask(node, NODE_SECRET, tenant="another")
    assert await problem(refused) == (404, "unknown_session")


@pytest.mark.parametrize(
    "token", [None, "", "nonsense", NODE_SECRET[:-1], NODE_SECRET + "x", "rs_nonsense", "é"]
)
async def test_strangers_learn_the_same_of_every_session(node: Node, token: str | None) -> None:
    answers = [await ask(node, token, which, tenant=TENANT) for which in (SESSION, OTHER)]
    assert [await problem(answer) for answer in answers] == [(401, "bad_token")] * 2
    assert node.worker.asked == 0, "no worker is bothered"


async def test_another_session_s_token_learns_nothing_of_this_one(node: Node) -> None:
    token = node.resume_token(OTHER)
    known, unknown = await ask(node, token, SESSION), await ask(node, token, OTHER)
    assert await known.json() == await unknown.json()
    assert known.status == 404


async def test_the_callers_tenant_is_that_of_the_token_whatever_the_query_says(node: Node) -> None:
    token = node.resume_token(tenant="another")
    assert await problem(await ask(node, token, tenant=TENANT)) == (404, "unknown_session")


async def test_an_expired_token_is_told_so(node: Node) -> None:
    token = node.resume_token()
    node.clock.advance(61)
    node.status(0)
    assert await problem(await ask(node, token)) == (401, "token_expired")


async def test_a_route_token_opens_no_receipt(node: Node) -> None:
    assert await problem(await ask(node, node.key.sign(sub=SESSION))) == (401, "bad_token")


@pytest.mark.parametrize("session_id", ["x", "s_short", "s_" + "é" * 22, "s_" + "b" * 23])
async def test_what_is_no_session_is_nowhere(node: Node, session_id: str) -> None:
    response = await ask(node, NODE_SECRET, session_id, tenant=TENANT)
    assert response.status == 404
    assert node.worker.asked == 0


async def test_one_session_is_not_asked_for_without_end(node: Node) -> None:
    token = node.resume_token()
    statuses = [(await ask(node, token)).status for _ in range(ASKS_BURST + 1)]
    assert statuses == [200] * ASKS_BURST + [429]
    node.worker.receipts[TENANT, OTHER] = ["three"]
    assert (await ask(node, node.resume_token(OTHER), OTHER)).status == 200
    node.clock.advance(1.0)
    assert (await ask(node, token)).status == 200


async def test_a_live_call_shows_what_is_known_so_far(node: Node) -> None:
    account = {"tenant": TENANT, "call_id": "c"}
    node.workers[1].accounts[OTHER] = account
    body = await (await ask(node, node.resume_token(OTHER), OTHER)).json()
    assert (body["receipts"], body["live"]) == ([], account)


async def test_a_live_call_of_another_tenant_is_not_shown(node: Node) -> None:
    node.workers[1].accounts[OTHER] = {"tenant": "another"}
    refused = await ask(node, NODE_SECRET, OTHER, tenant=TENANT)
    assert await problem(refused) == (404, "unknown_session")


async def test_a_worker_that_hangs_is_not_waited_for(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.receipts_api.ANSWER_SECONDS", 1.0)
    monkeypatch.setattr("edge.receipts_api.LIVE_SECONDS", 1.0)
    node.worker.hangs = True
    assert (await ask(node, node.resume_token())).status == 200
    node.workers[1].hangs = True
    assert await problem(await ask(node, node.resume_token())) == (503, "not_ready")


async def test_the_public_key_is_that_of_the_region(node: Node) -> None:
    response = await node.client.get(RECEIPT_KEYS)
    assert response.content_type == "application/jwk-set+json"
    (key,) = (await response.json())["keys"]
    assert "d" not in key, "the private part"
    assert jwt.PyJWK(key).key == node.gate.receipt_key


# --- the worker's side ---------------------------------------------------------------------------


class Stores(OneStore):
    """One store that has no place for a tenant called ``nowhere``."""

    def of(self, tenant: str) -> Any:
        if tenant == "nowhere":
            raise TenantRefused(tenant)
        return super().of(tenant)


class NoCalls:
    """A worker without calls."""

    def call_of(self, session_id: str) -> None:
        return None


async def test_a_worker_reads_the_latest_receipts_of_its_own_tenant(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sessions.sqlite")
    fence = await store.create(session(), "a")
    for number in range(MAX_RECEIPTS + 2):
        receipt = None if number == 50 else f"r{number}"
        found = record(f"c_{number}", "lost").model_copy(update={"receipt": receipt})
        await finish(store, fence, found)
    stores = Stores(store)
    app = web.Application()
    rooms = cast(Rooms, SimpleNamespace(stores=stores))
    add_receipts(app, cast(Worker, NoCalls()), rooms)
    async with TestClient(TestServer(app)) as client:

        async def read(tenant: str) -> list[str]:
            path = f"/sessions/{fence.session_id}/receipts/{tenant}"
            found: list[str] = (await (await client.get(path)).json())["receipts"]
            return found

        receipts = await read("clinic")
        assert (len(receipts), receipts[0], receipts[-1]) == (MAX_RECEIPTS - 1, "r2", "r101")
        assert await read("another") == await read("nowhere") == []
    await store.close()
