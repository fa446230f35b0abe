"""Asks the control plane where a phone call may be. It is told two countries, and no number."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import aiohttp
from pydantic import ValidationError

from control_plane.contract import NodeRouteRequest, Problem, RouteResponse
from edge.phone.placement import Unrouted, without_token

ASK_SECONDS = 1.0
"""What a replica may take while there is another to ask. The caller hears nothing meanwhile."""
TOTAL_SECONDS = 3.0
"""What all of them may take together."""
MAX_BYTES = 256 * 1024
MAX_CONNECTIONS = 32
FINAL = frozenset(
    {"no_region_allowed", "unknown_tenant", "unknown_agent", "location_unknown", "bad_request"}
)
"""Codes that another replica would answer with too: it has the same files."""
UNREACHABLE = Unrouted("control_plane_away")

Answer: TypeAlias = RouteResponse | Unrouted

log = logging.getLogger(__name__)


class RoutingClient:
    """Asks the replicas in turn, first the one that answered last.

    Use it inside :func:`routing_client`. The answer is not yet to be trusted: its token is checked
    by :func:`edge.phone.placement.hold_to_law`.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        control_planes: Sequence[str],
        *,
        node: str,
        secret: str,
    ) -> None:
        self._http = http
        self._urls = [f"{base.rstrip('/')}/v1/nodes/{node}/route" for base in control_planes]
        self._headers = {
            "Authorization": f"Bearer {secret}",
            "Content-Type": "application/json",
        }
        self._first = 0

    async def ask(self, wanted: NodeRouteRequest) -> Answer:
        """Where the call may be. Never raises but for cancellation; takes at most 3 s.

        A replica that cannot place the call now is not the last word: the next one may know nodes
        that this one has not heard yet. When none places it, the answer that knows the allowed
        regions is kept.
        """
        body = wanted.model_dump_json(exclude_none=True).encode()
        kept = UNREACHABLE
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                for turn in range(len(self._urls)):
                    index = (self._first + turn) % len(self._urls)
                    others = turn < len(self._urls) - 1
                    seconds = ASK_SECONDS if others else TOTAL_SECONDS
                    answer = await self._ask(self._urls[index], body, seconds)
                    if isinstance(answer, RouteResponse):
                        self._first = index
                        return answer
                    if answer.code in FINAL:
                        return answer
                    kept = _more_telling(kept, answer)
        except TimeoutError:
            log.warning("control planes too slow for a phone call", extra={"reason": kept.code})
        return kept

    async def _ask(self, url: str, body: bytes, seconds: float) -> Answer:
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.post(
                    url, data=body, headers=self._headers, allow_redirects=False
                ) as answer,
            ):
                text = await _read(answer)
                status, retry_after = answer.status, answer.headers.get("Retry-After", "")
        except (OSError, aiohttp.ClientError, TimeoutError, _Unreadable) as error:
            log.warning("control plane not asked", extra={"reason": type(error).__name__})
            return UNREACHABLE
        try:
            if status == 200:
                return RouteResponse.model_validate_json(text)
            problem = Problem.model_validate_json(text)
        except ValidationError:
            log.warning("control plane's answer not understood", extra={"code": status})
            return UNREACHABLE
        plain = retry_after.isascii() and retry_after.isdigit() and len(retry_after) <= 6
        return without_token(problem, int(retry_after) if plain else None)


@asynccontextmanager
async def routing_client(
    control_planes: Sequence[str], *, node: str, secret: str
) -> AsyncIterator[RoutingClient]:
    """A client whose connections stay open between calls."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),  # each request has its own
        trust_env=False,
    ) as http:
        yield RoutingClient(http, control_planes, node=node, secret=secret)


class _Unreadable(Exception):
    """The answer is longer than any that is meant."""


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            raise _Unreadable
    return bytes(body)


def _more_telling(kept: Unrouted, other: Unrouted) -> Unrouted:
    """The one that names the allowed regions, else the one that came from a control plane."""
    if kept.allowed:
        return kept
    return kept if other is UNREACHABLE else other
