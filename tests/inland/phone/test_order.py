"""Calls that are ordered from an edge, against an edge that answers by a plan."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from inland.caller.errors import RefusedError, ServiceError, UnreachableError
from inland.caller.options import CallOptions
from inland.caller.records import Note, Placed
from inland.phone.edge_orders import HttpDesk
from inland.phone.order import OrderedCaller
from inland.phone.order_options import OrderOptions
from inland.phone.records import Ordered, OrderEnded, OrderRecord, Stage, to_json
from inland.phone.terminal import PhoneTerminal

CALL_ID = "sip_w0_0123456789abcdefghijkl"
Status = Mapping[str, object]


def status(stage: str, **more: object) -> dict[str, object]:
    return {"call_id": CALL_ID, "stage": stage, "trunk": "carrier", "ordered_at": 1.0, **more}


ANSWERED = [status("dialling"), status("ringing"), status("answered", answered_at=3.0)]


def ended(outcome: str, **more: object) -> dict[str, object]:
    return status("ended", outcome=outcome, ended_at=8.5, reason="", **more)


class Edge:
    """An edge, and the control plane that names it. ``streams`` are the answers to each look at
    the events; after the last status of one that has not ended, it waits to be taken back, or
    breaks off."""

    def __init__(self, *streams: Sequence[Status], breaks: bool = False) -> None:
        self.streams = list(streams)
        self.breaks = breaks
        self.problem: tuple[int, str] | None = None
        self.orders: list[dict[str, object]] = []
        self.routes: list[dict[str, object]] = []
        self.tokens: list[str] = []
        self.location = f"/v1/calls/{CALL_ID}"
        self.taken_back = asyncio.Event()
        self.url = ""
        self.others: list[str] = []

    async def route(self, request: web.Request) -> web.Response:
        self.routes.append(await request.json())
        urls = [*self.others, self.url]
        return web.json_response(
            {
                "session_id": "s_0123456789abcdefghijkl",
                "token": "route-token",
                "expires_at": 2_000_000_000,
                "policy": "1#2",
                "jurisdictions": ["eea"],
                "candidates": [
                    {"region": "eu-central-1", "node": f"n{n}", "url": url, "reason": "near"}
                    for n, url in enumerate(urls)
                ],
                "regions": [],
            }
        )

    async def order(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers["Authorization"])
        self.orders.append(await request.json())
        if self.problem is not None:
            code = self.problem[1]
            body = {"code": code, "title": code, "status": self.problem[0], "detail": "because"}
            return web.json_response(body, status=self.problem[0])
        return web.json_response(
            status("dialling"), status=201, headers={"Location": self.location}
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": still here\n\n")
        stream = self.streams.pop(0)
        for each in stream:
            text = f"event: {each['stage']}\ndata: {json.dumps(each)}\n\n"
            await response.write(text.encode())
        if stream[-1]["stage"] != "ended" and not self.breaks:
            await self.taken_back.wait()
        return response

    async def hang_up(self, request: web.Request) -> web.Response:
        self.taken_back.set()
        return web.Response(status=204)


@asynccontextmanager
async def serving(edge: Edge) -> AsyncIterator[Edge]:
    app = web.Application()
    app.router.add_post("/v1/route", edge.route)
    app.router.add_post("/v1/calls", edge.order)
    app.router.add_get(f"/v1/calls/{CALL_ID}/events", edge.events)
    app.router.add_delete(f"/v1/calls/{CALL_ID}", edge.hang_up)
    async with TestServer(app, host="127.0.0.1") as server:
        edge.url = str(server.make_url("")).rstrip("/")
        yield edge


async def place(
    edge: Edge,
    *,
    on_record: Callable[[OrderedCaller, OrderRecord], None] | None = None,
    timeout: float = 60.0,
    token: str | None = None,
) -> tuple[OrderEnded, list[OrderRecord]]:
    records: list[OrderRecord] = []

    def show(record: OrderRecord) -> None:
        records.append(record)
        if on_record is not None:
            on_record(caller, record)

    options = OrderOptions(
        to="+493023125001",
        trunk="carrier",
        caller_id="+49301",
        ring=30,
        call=CallOptions(
            control_plane=edge.url,
            country="DE",
            timeout=timeout,
            edge=edge.url if token else None,
            token=token,
        ),
    )
    async with aiohttp.ClientSession() as http, asyncio.timeout(60):
        desk = HttpDesk(http, options.call.control_plane, "sk_secret")
        caller = OrderedCaller(options, desk, on_record=show)
        return await caller.run(), records


def stages(records: list[OrderRecord]) -> list[str]:
    return [record.stage for record in records if isinstance(record, Stage)]


async def test_a_call_is_routed_ordered_and_followed_to_its_end() -> None:
    async with serving(Edge([*ANSWERED, ended("completed", answered_at=3.0)])) as edge:
        end, records = await place(edge)
    assert edge.routes == [{"agent": "clinic-reception", "country": "DE", "media": "sip"}]
    assert edge.orders == [
        {"to": "+493023125001", "trunk": "carrier", "caller_id": "+49301", "ring_seconds": 30}
    ]
    assert edge.tokens == ["Bearer route-token"]
    assert [type(record) for record in records[:2]] == [Placed, Ordered]
    assert stages(records) == ["dialling", "ringing", "answered"]
    assert (end.reason, end.exit_status, end.talk_seconds) == ("completed", 0, 5.5)
    assert records[-1] is end
    assert not edge.taken_back.is_set()


@pytest.mark.parametrize(
    ("outcome", "exit_status"),
    [
        ("busy", 3),
        ("no_answer", 3),
        ("refused", 3),
        ("unknown_number", 3),
        ("unreachable", 4),
        ("lost", 4),
        ("cancelled", 5),
    ],
)
async def test_an_outcome_is_an_exit_status(outcome: str, exit_status: int) -> None:
    async with serving(Edge([ended(outcome, status=486)])) as edge:
        end, _ = await place(edge)
    assert (end.reason, end.exit_status, end.status) == (outcome, exit_status, 486)
    assert "486" in end.why


async def test_an_edge_and_a_token_skip_the_control_plane() -> None:
    async with serving(Edge([ended("completed")])) as edge:
        await place(edge, token="given")
    assert edge.routes == []
    assert edge.tokens == ["Bearer given"]


async def test_an_interrupted_call_is_taken_back_and_its_end_is_told() -> None:
    def interrupt(caller: OrderedCaller, record: OrderRecord) -> None:
        if isinstance(record, Stage) and record.stage == "ringing":
            caller.stop()
            caller.stop()

    async with serving(Edge(ANSWERED[:2], [ended("cancelled")])) as edge:
        end, records = await place(edge, on_record=interrupt)
        assert edge.taken_back.is_set()
    assert (end.reason, end.exit_status) == ("interrupted", 5)
    assert "interrupted" in end.why
    assert stages(records) == ["dialling", "ringing"]


async def test_a_call_interrupted_before_it_is_ordered_is_not_ordered() -> None:
    def interrupt(caller: OrderedCaller, record: OrderRecord) -> None:
        if isinstance(record, Placed):
            caller.stop()

    async with serving(Edge()) as edge:
        end, _ = await place(edge, on_record=interrupt)
    assert (edge.orders, end.exit_status) == ([], 5)


async def test_a_call_interrupted_as_it_is_ordered_is_taken_back() -> None:
    def interrupt(caller: OrderedCaller, record: OrderRecord) -> None:
        if isinstance(record, Ordered):
            caller.stop()

    async with serving(Edge([ended("cancelled")])) as edge:
        end, _ = await place(edge, on_record=interrupt)
        assert edge.taken_back.is_set()
    assert end.exit_status == 5


async def test_a_call_is_no_longer_than_asked() -> None:
    async with serving(Edge(ANSWERED, [ended("completed", answered_at=3.0)])) as edge:
        end, _ = await place(edge, timeout=1.0)
        assert edge.taken_back.is_set()
    assert (end.reason, end.exit_status) == ("timeout", 5)
    assert "--timeout" in end.why
    assert "we hung up" in end.why


async def test_events_that_break_off_are_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inland.phone.edge_orders.PAUSE", 0.0)
    edge = Edge(ANSWERED[:2], ANSWERED[1:], [ended("completed")], breaks=True)
    async with serving(edge):
        end, records = await place(edge)
    assert stages(records) == ["dialling", "ringing", "answered"]
    assert end.exit_status == 0


async def test_events_that_never_come_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inland.phone.edge_orders.PAUSE", 0.0)
    async with serving(Edge(*[ANSWERED] * 5, breaks=True)) as edge:
        with pytest.raises(UnreachableError, match="cannot be followed"):
            await place(edge)


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        ((403, "wrong_region"), RefusedError),
        ((404, "unknown_trunk"), ServiceError),
        ((503, "draining"), ServiceError),
        ((401, "bad_token"), ServiceError),
    ],
)
async def test_an_edge_that_says_no_is_quoted(
    problem: tuple[int, str], error: type[Exception]
) -> None:
    edge = Edge()
    edge.problem = problem
    async with serving(edge):
        with pytest.raises(error, match="because"):
            await place(edge)


async def test_the_next_candidate_is_asked_when_one_cannot_place_the_call() -> None:
    full = Edge()
    full.problem = (503, "full")
    async with serving(full), serving(Edge([ended("completed")])) as edge:
        edge.others = [full.url]
        end, records = await place(edge)
    assert len(full.orders) == 1
    assert [note.text for note in records if isinstance(note, Note)] == [
        f"the edge at {full.url} answered 503 full: because"
    ]
    assert end.exit_status == 0


async def test_no_other_candidate_is_asked_when_the_law_says_no() -> None:
    strict, edge = Edge(), Edge()
    strict.problem = (403, "wrong_region")
    async with serving(strict), serving(edge):
        edge.others = [strict.url]
        with pytest.raises(RefusedError):
            await place(edge)
    assert edge.orders == []


@pytest.mark.parametrize("location", ["", "http://192.0.2.1/v1/calls/x"])
async def test_a_resource_elsewhere_gets_no_token(location: str) -> None:
    edge = Edge()
    edge.location = location
    async with serving(edge):
        with pytest.raises(UnreachableError, match="no resource of its own"):
            await place(edge)


async def test_the_fields_of_a_newer_edge_are_passed_over() -> None:
    async with serving(Edge([{**ended("completed"), "shoe_size": 43}])) as edge:
        end, _ = await place(edge)
    assert end.exit_status == 0


def test_people_and_programs_are_told_the_same() -> None:
    lines: list[str] = []
    terminal = PhoneTerminal(lines.append, colour=False)
    told: list[OrderRecord] = [
        Ordered(0.1, CALL_ID, "carrier", "eu-central-1", "n0"),
        Stage(0.2, "early_media"),
        OrderEnded(5.0, "completed", 0, "it was answered", None, 4.5),
    ]
    for record in told:
        terminal.show(record)
    assert [line.split()[1] for line in lines if line.strip()[0].isdigit()] == [
        "ordered",
        "early",
        "ended",
    ]
    assert [json.loads(to_json(record))["record"] for record in told] == [
        "ordered",
        "stage",
        "end",
    ]
