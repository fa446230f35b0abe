"""``/v1/calls`` over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from edge.internal import Admitted
from edge.phone import calls_api
from edge.phone.calls_api import ORDERS, CallsApi
from edge.phone.orders import CallOrder, OrderedCall, Orders
from edge.problem import EdgeRefusal
from tests.edge.phone.test_phone_call import CALLER
from tests.fakes.clock import FakeClock

CALL = "sip_w0_" + "a" * 22
Client = TestClient[web.Request, web.Application]


class FakeDesk:
    """Writes down what it is asked; a token other than ``good`` is a stranger's."""

    def __init__(self) -> None:
        self.orders = Orders(FakeClock())
        self.dialled: list[tuple[Admitted, CallOrder]] = []
        self.hung_up: list[str] = []
        self.refusal: EdgeRefusal | None = None

    def admit(self, token: str) -> Admitted:
        if token != "good":
            raise EdgeRefusal("bad_token", "a stranger")
        return CALLER

    async def dial(self, caller: Admitted, order: CallOrder) -> OrderedCall:
        if self.refusal is not None:
            raise self.refusal
        self.dialled.append((caller, order))
        return self.orders.begin(CALL, "carrier")

    def hang_up(self, call_id: str) -> None:
        self.hung_up.append(call_id)


@web.middleware
async def _refusals(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        found: web.StreamResponse = await handler(request)
    except EdgeRefusal as refusal:
        found = refusal.response()
    return found


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
async def client(desk: FakeDesk) -> AsyncIterator[Client]:
    async def body(request: web.Request) -> str:
        return await request.text()

    app = web.Application(middlewares=[_refusals])
    CallsApi(desk, lambda request: request.headers.get("Token", ""), body).add_to(app)
    async with TestClient(TestServer(app)) as found:
        yield found


async def post(client: Client, body: str, token: str = "good") -> tuple[int, dict[str, Any], str]:
    async with client.post(ORDERS, data=body, headers={"Token": token}) as answer:
        found = await answer.json(content_type=None)
        return answer.status, found, answer.headers.get("Location", "")


async def test_an_order_is_dialled_and_has_a_resource(client: Client, desk: FakeDesk) -> None:
    status, found, where = await post(client, '{"to": "+4969123456", "ring_seconds": 20}')
    assert (status, where) == (201, f"{ORDERS}/{CALL}")
    assert (found["call_id"], found["stage"], found["trunk"]) == (CALL, "dialling", "carrier")
    assert "to" not in found
    assert desk.dialled == [(CALLER, CallOrder(to="+4969123456", ring_seconds=20))]
    async with client.get(where) as answer:
        assert (answer.status, await answer.json()) == (200, found)


async def test_a_stranger_is_sent_away_whatever_it_orders(client: Client, desk: FakeDesk) -> None:
    status, found, _ = await post(client, "no JSON", token="")
    assert (status, found["code"]) == (401, "bad_token")
    assert desk.dialled == []


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("no JSON", "the body"),
        ("{}", "to"),
        ('{"to": ""}', "to"),
        ('{"to": "+49", "ring_seconds": 181}', "ring_seconds"),
        ('{"to": "+49", "caller_id": "two words"}', "caller_id"),
        ('{"to": "+49", "colour": "red"}', "colour"),
    ],
)
async def test_a_wrong_order_is_told_which_key_is_wrong(
    client: Client, desk: FakeDesk, body: str, where: str
) -> None:
    status, found, _ = await post(client, body)
    assert (status, found["code"]) == (400, "bad_request")
    assert found["detail"].startswith(f"{where}: ")
    assert desk.dialled == []


async def test_what_the_desk_refuses_is_a_problem(client: Client, desk: FakeDesk) -> None:
    desk.refusal = EdgeRefusal("wrong_region", "another law")
    status, found, where = await post(client, '{"to": "+12125550100"}')
    assert (status, found["code"], found["detail"], where) == (
        403,
        "wrong_region",
        "another law",
        "",
    )


async def test_events_tell_each_stage_to_the_end(client: Client, desk: FakeDesk) -> None:
    call = desk.orders.begin(CALL, "carrier")
    told: list[tuple[str, dict[str, Any]]] = []
    async with asyncio.timeout(60), client.get(f"{ORDERS}/{CALL}/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        while block := (await answer.content.readuntil(b"\n\n")).decode():
            name, data = block.strip().split("\n")
            told.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
            if told[-1][0] == "dialling":
                call.change(stage="ringing")
            elif told[-1][0] == "ringing":
                desk.orders.end(CALL, "busy", status=486, reason="Busy Here")
            else:
                break
        assert await answer.content.read() == b""
    assert [name for name, _ in told] == ["dialling", "ringing", "ended"]
    assert all(name == data["stage"] for name, data in told)
    assert (told[-1][1]["outcome"], told[-1][1]["status"]) == ("busy", 486)


async def test_a_quiet_stream_is_kept_open(
    client: Client, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_api, "IDLE_SECONDS", 0.0)
    desk.orders.begin(CALL, "carrier")
    async with asyncio.timeout(60), client.get(f"{ORDERS}/{CALL}/events") as answer:
        assert (await answer.content.readuntil(b"\n\n")).startswith(b"event: dialling")
        assert (await answer.content.readuntil(b"\n\n")).startswith(b":")
        desk.orders.end(CALL, "completed")
        monkeypatch.setattr(calls_api, "IDLE_SECONDS", 10.0)
        assert b"event: ended" in await answer.content.read()


async def test_a_call_is_hung_up_once_and_stays_over(client: Client, desk: FakeDesk) -> None:
    desk.orders.begin(CALL, "carrier")
    async with client.delete(f"{ORDERS}/{CALL}") as answer:
        assert answer.status == 204
    desk.orders.end(CALL, "cancelled")
    async with client.delete(f"{ORDERS}/{CALL}") as answer:
        assert answer.status == 204
    assert desk.hung_up == [CALL]


@pytest.mark.parametrize("path", ["", "/events"])
async def test_a_call_that_nobody_knows_is_not_found(client: Client, path: str) -> None:
    async with client.get(f"{ORDERS}/{CALL}{path}") as answer:
        assert answer.status == 404
        assert (await answer.json(content_type=None))["code"] == "unknown_call"
    async with client.get(f"{ORDERS}/sip_w0_short{path}") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("path", ["/nonsense", "/rtc_w0_" + "a" * 22, "/" + CALL + "/elsewhere"])
async def test_an_id_that_no_order_has_is_an_unknown_call(client: Client, path: str) -> None:
    for ask in (client.get, client.delete):
        answer = await ask(ORDERS + path)
        assert (answer.status, (await answer.json())["code"]) == (404, "unknown_call")
