from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer

from inland.clinic.service import MAX_BODY, create_app, serve
from inland.clinic.tools import opening_hours
from tests.fakes.dialog import NOW

BODY = {"department": "dentist", "date": "2026-11-23", "time": "10:00", "name": "Smith"}


@asynccontextmanager
async def clinic() -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(create_app(":memory:", lambda: NOW))) as client:
        yield client


def key(value: str = "k") -> dict[str, str]:
    return {"Idempotency-Key": value}


async def test_a_booking_is_created_once_per_key_and_listed() -> None:
    async with clinic() as client:
        one = await client.post("/v1/appointments", json=BODY, headers=key())
        two = await client.post("/v1/appointments", json=BODY, headers=key())
        assert (one.status, await one.json()) == (two.status, await two.json())
        assert one.status == 201
        listed = await (await client.get("/v1/appointments")).json()
        assert [item["name"] for item in listed["appointments"]] == ["Smith"]
        assert len(listed["appointments"][0]["reference"]) == 6


async def test_a_taken_slot_answers_409_with_alternatives_and_a_reused_key_422() -> None:
    async with clinic() as client:
        await client.post("/v1/appointments", json=BODY, headers=key())
        taken = await client.post("/v1/appointments", json=BODY, headers=key("other"))
        assert taken.status == 409
        assert (await taken.json())["alternatives"][0] == {"date": "2026-11-23", "time": "09:00"}
        reused = await client.post("/v1/appointments", json=BODY | {"name": "x"}, headers=key())
        assert reused.status == 422


async def test_free_slots_leave_out_what_is_taken() -> None:
    async with clinic() as client:
        await client.post("/v1/appointments", json=BODY, headers=key())
        path = "/v1/slots?date=2026-11-23&doctor=dentist"
        free = (await (await client.get(path)).json())["free"]
        assert len(free) == 17
        assert "10:00" not in free


async def test_cancelling_frees_the_slot_and_may_be_repeated() -> None:
    async with clinic() as client:
        booked = await (await client.post("/v1/appointments", json=BODY, headers=key())).json()
        path = f"/v1/appointments/{booked['reference']}"
        assert (await client.delete(path)).status == 200
        assert (await client.delete(path)).status == 200
        assert (await client.delete("/v1/appointments/000000")).status == 404
        again = await client.post("/v1/appointments", json=BODY, headers=key("other"))
        assert again.status == 201


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", key(), 400),
        (b"not json", key(), 400),
        (b"[]", key(), 400),
        (b'{"department": "dentist"}', key(), 400),
        (b"{}", {}, 400),
        (b"{}", key("x" * 201), 400),
        (b"x" * (MAX_BODY + 1), key(), 413),
    ],
)
async def test_malformed_requests_are_refused_with_words(
    body: bytes, headers: dict[str, str], status: int
) -> None:
    async with clinic() as client:
        answer = await client.post("/v1/appointments", data=body, headers=headers)
        assert answer.status == status
        assert (await answer.json())["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"department": "surgery"},
        {"date": "2026-13-01"},
        {"date": "tomorrow"},
        {"date": 5},
        {"time": "10"},
        {"time": "24:00"},
        {"name": ""},
        {"name": "x" * 81},
        {"extra": 1},
    ],
)
async def test_values_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    async with clinic() as client:
        answer = await client.post("/v1/appointments", json=BODY | change, headers=key())
        assert answer.status == 400


@pytest.mark.parametrize("path", ["/v1/slots", "/v1/slots?doctor=dentist&date=x", "/nothing"])
async def test_bad_queries_are_client_errors_in_json(path: str) -> None:
    async with clinic() as client:
        answer = await client.get(path)
        assert 400 <= answer.status < 500
        assert (await answer.json())["code"]


async def test_serve_serves_until_it_is_cancelled(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with asyncio.TaskGroup() as group:
        server = group.create_task(serve("127.0.0.1", port, tmp_path / "book.db"))
        async with ClientSession() as http, asyncio.timeout(60):
            while True:
                try:
                    async with http.get(f"http://127.0.0.1:{port}/healthz") as answer:
                        assert answer.status == 200
                        break
                except OSError:
                    await asyncio.sleep(0)
        server.cancel()


def test_the_python_tool_knows_hours_and_prices() -> None:
    assert "Monday to Friday" in opening_hours("hours")["answer"]
    assert "euros" in opening_hours("prices")["answer"]
