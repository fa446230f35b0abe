"""Whoever has an agent call somebody: a client of ``/v1/calls``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import aiohttp

from inland.caller.options import AGENT, DEMO_KEY
from tests.peers.node import PhoneNode
from tests.peers.program import PATIENCE

Status = Mapping[str, Any]


class Refused(Exception):
    """The order was not taken; ``problem`` is why."""

    def __init__(self, status: int, problem: Status) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem


class Watched:
    """A call that was ordered: the answer to the order, then what its event stream has told."""

    def __init__(self, http: aiohttp.ClientSession, url: str, first: Status) -> None:
        self.seen = [first]
        self._http = http
        self._url = url
        self._news = asyncio.Event()

    @property
    def stages(self) -> list[str]:
        """In the order in which they were told, each once where it is told again."""
        return [stage for stage, _ in groupby(status["stage"] for status in self.seen)]

    async def follow(self) -> None:
        """Read the stream to its end."""
        async with self._http.get(f"{self._url}/events") as answer:
            assert answer.content_type == "text/event-stream"
            async for line in answer.content:
                name, _, value = line.decode().strip().partition(": ")
                if name == "event":
                    stage = value
                elif name == "data":
                    self.seen.append(json.loads(value))
                    assert self.seen[-1]["stage"] == stage
                    self._news.set()

    async def stage(self, *wanted: str, within: float = PATIENCE) -> Status:
        """Wait for one of these stages; its status."""
        async with asyncio.timeout(within):
            while True:
                for status in self.seen:
                    if status["stage"] in wanted:
                        return status
                self._news.clear()
                await self._news.wait()

    async def ended(self, within: float = PATIENCE) -> Status:
        """Wait for the call's end; its status, which stays to be asked for."""
        end = await self.stage("ended", within=within)
        async with self._http.get(self._url) as answer:
            assert await answer.json() == end
        return end

    async def hang_up(self) -> None:
        """End it, or stop calling."""
        async with self._http.delete(self._url) as answer:
            assert answer.status == 204


class Customer:
    """Orders calls of a node."""

    def __init__(self, node: PhoneNode, http: aiohttp.ClientSession, group: asyncio.TaskGroup):
        self._node = node
        self._http = http
        self._group = group

    async def order(self, to: str, *, country: str = "DE", **fields: object) -> Watched:
        """Have the agent call ``to``; ``country`` is what the control plane is told.

        Raises :class:`Refused`.
        """
        headers = {"Authorization": f"Bearer {await self._token(country)}"}
        url = f"{self._node.edge}/v1/calls"
        async with self._http.post(url, json={"to": to, **fields}, headers=headers) as answer:
            if answer.status != 201:
                raise Refused(answer.status, await answer.json(content_type=None))
            watched = Watched(
                self._http,
                f"{self._node.edge}{answer.headers['Location']}",
                await answer.json(),
            )
        self._group.create_task(watched.follow())
        return watched

    async def _token(self, country: str) -> str:
        wanted = {"agent": AGENT, "country": country, "media": "sip"}
        headers = {"Authorization": f"Bearer {DEMO_KEY}"}
        url = f"{self._node.control_plane}/v1/route"
        async with self._http.post(url, json=wanted, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["token"])


@asynccontextmanager
async def customer(node: PhoneNode) -> AsyncIterator[Customer]:
    """Its calls are followed to their ends before this returns."""
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        yield Customer(node, http, group)
