"""Asking a worker: the path stays in its place, and its answer is checked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from edge.problem import EdgeRefusal
from edge.slot import WorkerAway, WorkerSlot


@asynccontextmanager
async def slot_to(
    folder: Path, answer: web.Response
) -> AsyncIterator[tuple[WorkerSlot, list[str]]]:
    seen = []

    async def anything(request: web.Request) -> web.Response:
        seen.append(request.raw_path)
        return answer

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", anything)
    runner = web.AppRunner(app)
    await runner.setup()
    socket = folder / "w.sock"
    await web.UnixSite(runner, str(socket)).start()
    connector = aiohttp.UnixConnector(path=str(socket))
    async with aiohttp.ClientSession(connector=connector) as client:
        yield WorkerSlot(0, socket, client), seen
    await runner.cleanup()


async def test_segment_with_slashes_and_questions_stays_one_segment(tmp_path: Path) -> None:
    async with slot_to(tmp_path, web.Response(text="fine")) as (slot, seen):
        assert await slot.ask("GET", "calls", "x/../../metrics?a#b%2F", "session") == b"fine"
        assert seen == ["/calls/x%2F..%2F..%2Fmetrics%3Fa%23b%252F/session"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (EdgeRefusal("no_common_codec", "offer Opus").response(), "no_common_codec"),
        (web.Response(status=500, text="Traceback: secret"), "not_ready"),
        (web.Response(status=302, headers={"Location": "/metrics"}), "not_ready"),
        (
            web.json_response({"code": "x", "title": "", "status": 400, "detail": ""}, status=400),
            "not_ready",
        ),
        (web.json_response(["code"], status=400), "not_ready"),
    ],
)
async def test_refusal_becomes_ours_and_anything_else_is_not_quoted(
    tmp_path: Path, answer: web.Response, code: str
) -> None:
    async with slot_to(tmp_path, answer) as (slot, _):
        with pytest.raises(EdgeRefusal) as refused:
            await slot.ask("POST", "calls")
        assert refused.value.code == code
        assert "secret" not in refused.value.detail


async def test_worker_that_is_not_there_is_told_from_one_that_refuses(tmp_path: Path) -> None:
    async with slot_to(tmp_path, web.Response()) as (slot, _):
        slot.socket.unlink()
        with pytest.raises(WorkerAway):
            await slot.ask("GET", "metrics")
