"""``/v1/calls`` of an edge: order a call, follow it, take it back (docs/protocol.md)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import aiohttp
from pydantic import ValidationError

from control_plane.contract import RouteResponse
from edge.phone.orders import CallOrder, CallStatus
from inland.caller.errors import RefusedError, ServiceError, UnreachableError
from inland.caller.network import HttpNetwork, refusal

SILENCE_SECONDS = 40.0
"""A stream that is silent for so long is dead: an edge sends something every 15 s."""
MAX_EVENT = 64 * 1024
TRIES = 5
PAUSE = 1.0
"""Seconds between two attempts to follow a call."""


class OrderDesk(Protocol):
    """What ordering a call needs of HTTP; every method raises a ``CallerError``."""

    async def route(self, agent: str, country: str | None) -> RouteResponse:
        """Ask the control plane where the call may start."""
        ...

    async def order(self, edge: str, token: str, order: CallOrder) -> tuple[CallStatus, str]:
        """Order a call; its status, and the resource that stands for it."""
        ...

    def follow(self, resource: str) -> AsyncIterator[CallStatus]:
        """Its status now and at each change, until it has ended. What was told may come again."""
        ...

    async def take_back(self, resource: str, token: str) -> None:
        """End the call, or stop calling."""
        ...


class HttpDesk:
    """An edge and a control plane over HTTP."""

    def __init__(self, http: aiohttp.ClientSession, control_plane: str, key: str) -> None:
        self._http = http
        self._network = HttpNetwork(http, control_plane, key)

    async def route(self, agent: str, country: str | None) -> RouteResponse:
        return await self._network.route(agent, country, "sip")

    async def order(self, edge: str, token: str, order: CallOrder) -> tuple[CallStatus, str]:
        url = f"{edge.rstrip('/')}/v1/calls"
        status, headers, body = await self._network.exchange(
            "POST", url, token, "the edge", order.model_dump_json(exclude_none=True)
        )
        if status != 201:
            error = refusal(f"the edge at {edge}", status, body)
            if isinstance(error, ServiceError) and error.code == "wrong_region":
                raise RefusedError(error.code, error.detail)
            raise error
        resource = urljoin(url, headers.get("Location", ""))
        if resource == url or urlsplit(resource)[:2] != urlsplit(url)[:2]:
            raise UnreachableError(f"the edge at {edge} named no resource of its own for the call")
        return _status(body), resource

    async def follow(self, resource: str) -> AsyncIterator[CallStatus]:
        problem = "it broke off"
        for number in range(TRIES):
            if number:
                await asyncio.sleep(PAUSE)
            try:
                async for status in self._events(f"{resource}/events"):
                    yield status
                    if status.stage == "ended":
                        return
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = str(error) or "it was silent for too long"
        raise UnreachableError(f"the edge's events of the call cannot be followed: {problem}")

    async def take_back(self, resource: str, token: str) -> None:
        status, _, body = await self._network.exchange("DELETE", resource, token, "the edge")
        if status not in (200, 204, 404):
            raise refusal("the edge", status, body)

    async def _events(self, url: str) -> AsyncIterator[CallStatus]:
        """The data of server-sent events (HTML, section 9.2), as an edge writes them."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_SECONDS)
        async with self._http.get(url, timeout=timeout, allow_redirects=False) as response:
            if response.status != 200:
                raise refusal("the edge", response.status, await response.content.read(MAX_EVENT))
            async for raw in response.content:
                field, _, value = raw.decode("utf-8", "replace").strip().partition(":")
                if field == "data":
                    yield _status(value.strip().encode())


def _status(data: bytes) -> CallStatus:
    try:
        fields = json.loads(data)
        known = {name: fields[name] for name in CallStatus.model_fields if name in fields}
        return CallStatus.model_validate_json(json.dumps(known))
    except (ValueError, TypeError, ValidationError) as error:
        raise UnreachableError("the edge answered something else than a call's status") from error


def another_may_help(error: Exception) -> bool:
    """Whether another candidate may place the call that this one did not."""
    if isinstance(error, ServiceError):
        return error.next_may_help or error.code in ("phone_off", "unknown_trunk")
    return isinstance(error, UnreachableError)
