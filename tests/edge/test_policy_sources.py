"""Bundles are fetched from control planes, or read from a file, within bounds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from control_plane.contract import Problem
from edge.policy_sources import FileSource, Source, SourceAway, control_plane_sources
from regions.bundle import MAX_BUNDLE
from tests.fakes.dialog import serving

SECRET = "the-secret-of-this-region"


class Replica:
    """A control plane with a bundle."""

    def __init__(self) -> None:
        self.body = b"a bundle"
        self.etag = '"1"'
        self.status = 200
        self.asked: list[dict[str, str]] = []
        self.hangs = self.endless = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.headers))
        if self.hangs:
            await asyncio.Event().wait()
        if self.status == 302:
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        if request.headers.get("If-None-Match") == self.etag:
            return web.Response(status=304)
        if self.endless:
            return await self._flood(request)
        return web.Response(status=self.status, body=self.body, headers={"ETag": self.etag})

    async def _flood(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65_536)
        return response


def problem(code: str) -> bytes:
    said = Problem(code=code, title="None", status=404, detail="There is none.")
    return said.model_dump_json().encode()


@asynccontextmanager
async def source_of(replica: Replica) -> AsyncIterator[Source]:
    app = web.Application()
    app.router.add_get("/v1/policy", replica.answer)
    app.router.add_get("/elsewhere", replica.answer)
    async with serving(app) as base, control_plane_sources([f"{base}/"], SECRET) as (source,):
        yield source


async def test_a_bundle_is_fetched_with_the_nodes_secret_and_then_only_when_it_changed() -> None:
    replica = Replica()
    async with source_of(replica) as source:
        assert await source.look() == b"a bundle"
        assert await source.look() is None
        replica.body, replica.etag = b"another", '"2"'
        assert await source.look() == b"another"
    assert {asked["Authorization"] for asked in replica.asked} == {f"Bearer {SECRET}"}
    assert [asked.get("If-None-Match") for asked in replica.asked] == [None, '"1"', '"1"']


async def test_a_control_plane_without_a_bundle_says_nothing_new() -> None:
    replica = Replica()
    replica.status, replica.body = 404, problem("no_policy")
    async with source_of(replica) as source:
        assert await source.look() is None


async def test_a_proxy_that_knows_no_such_path_is_no_word_of_a_control_plane() -> None:
    replica = Replica()
    replica.status = 404
    async with source_of(replica) as source:
        for body in (b"<html>", b"", b'{"code": "no_policy"}', problem("not_found")):
            replica.body = body
            with pytest.raises(SourceAway, match="404"):
                await source.look()


async def test_not_modified_is_no_answer_to_a_question_that_named_nothing() -> None:
    replica = Replica()
    replica.status = 304
    async with source_of(replica) as source:
        with pytest.raises(SourceAway, match="304"):
            await source.look()


async def test_what_was_of_no_use_is_asked_for_again(tmp_path: Path) -> None:
    replica, file = Replica(), tmp_path / "bundle"
    file.write_bytes(b"a bundle")
    async with source_of(replica) as over_http:
        for source in (over_http, FileSource(file)):
            assert await source.look() == b"a bundle"
            assert await source.look() is None
            source.forget()
            assert await source.look() == b"a bundle"


@pytest.mark.parametrize("status", [401, 429, 500, 302])
async def test_any_other_answer_is_no_word_of_a_control_plane(status: int) -> None:
    replica = Replica()
    replica.status = status
    async with source_of(replica) as source:
        with pytest.raises(SourceAway, match=str(status)):
            await source.look()
    assert len(replica.asked) == 1, "and no redirect is followed"


async def test_no_more_is_read_than_a_bundle_may_have() -> None:
    """Of an answer that never ends."""
    replica = Replica()
    replica.endless = True
    async with source_of(replica) as source:
        found = await source.look()
    assert found is not None
    assert len(found) == MAX_BUNDLE + 1, "which is too long to be verified"


async def test_a_control_plane_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.policy_sources.FETCH_SECONDS", 0.05)
    replica = Replica()
    replica.hangs = True
    async with source_of(replica) as source:
        with pytest.raises(SourceAway, match="TimeoutError"):
            await source.look()


async def test_a_control_plane_that_is_not_there_is_away() -> None:
    async with control_plane_sources(["http://127.0.0.1:1"], SECRET) as (source,):
        with pytest.raises(SourceAway):
            await source.look()


async def test_a_file_is_read_when_it_was_written_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "policy.bundle"
    source = FileSource(path)
    with pytest.raises(SourceAway):
        await source.look()
    path.write_bytes(b"one")
    assert await source.look() == b"one"
    assert await source.look() is None
    replaced(path, b"two")
    assert await source.look() == b"two"
    path.write_bytes(b"six")
    os.utime(path, ns=(1, 1))
    assert await source.look() == b"six"
    path.unlink()
    with pytest.raises(SourceAway):
        await source.look()
    path.write_bytes(b"one")
    assert await source.look() == b"one"


def replaced(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(content)
    draft.replace(path)


async def test_no_more_of_a_file_is_read_than_a_bundle_may_have(tmp_path: Path) -> None:
    path = tmp_path / "policy.bundle"
    path.write_bytes(b"x" * (2 * MAX_BUNDLE))
    assert await FileSource(path).look() == b"x" * (MAX_BUNDLE + 1)


async def test_a_pipe_in_place_of_the_file_does_not_hold_up_the_look(tmp_path: Path) -> None:
    path = tmp_path / "policy.bundle"
    os.mkfifo(path)
    source = FileSource(path)
    async with asyncio.timeout(60):
        with pytest.raises(SourceAway):
            await source.look()
    replaced(path, b"one")
    assert await source.look() == b"one"
