"""The HTTP half of a call: where to go, the offer and its answer, hanging up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import aiohttp
from pydantic import ValidationError

from control_plane.contract import Media, Problem, RouteRequest, RouteResponse
from inland.caller.errors import CallerError, RefusedError, ServiceError, UnreachableError

HTTP_SECONDS = 5.0
"""Longest that one request may take."""
MAX_BODY = 256 * 1024
REFUSALS = frozenset({"no_region_allowed", "no_region_available", "location_unknown"})
"""The control plane's codes that mean: nobody may, or can, serve this caller."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An edge took the call: its SDP, and the resource that stands for the call."""

    sdp: str
    resource: str


class Network(Protocol):
    """What a call needs of HTTP; every method raises a :class:`CallerError`."""

    async def route(self, agent: str, country: str | None) -> RouteResponse:
        """Ask the control plane where the call may go."""
        ...

    async def offer(self, edge: str, token: str, sdp: str, replica: str | None = None) -> Answer:
        """Offer a call to an edge, with a conversation from another region if there is one."""
        ...

    async def hang_up(self, answer: Answer, token: str) -> None:
        """End the call at its edge."""
        ...

    async def drill(self, answer: Answer, resume_token: str) -> None:
        """Have the edge kill the process that serves the call."""
        ...


class HttpNetwork:
    """docs/protocol.md, sections 1 and 2."""

    def __init__(self, http: aiohttp.ClientSession, control_plane: str, key: str) -> None:
        self._http = http
        self._control_plane = control_plane.rstrip("/")
        self._key = key

    async def route(
        self, agent: str, country: str | None, media: Media = "webrtc"
    ) -> RouteResponse:
        request = RouteRequest(agent=agent, country=country, media=media)
        url = f"{self._control_plane}/v1/route"
        status, _, body = await self.exchange(
            "POST", url, self._key, "the control plane", request.model_dump_json(exclude_none=True)
        )
        if status != 200:
            raise refusal(f"the control plane at {self._control_plane}", status, body)
        try:
            return RouteResponse.model_validate_json(body)
        except ValidationError as error:
            raise UnreachableError(
                f"{url} answered something else than a route ({error.error_count()} errors); "
                "is it a control plane of this version?"
            ) from error

    async def offer(self, edge: str, token: str, sdp: str, replica: str | None = None) -> Answer:
        url = f"{edge.rstrip('/')}/v1/realtime/calls"
        status, headers, body = await self.exchange(
            "POST", url, token, "the edge", *_offer(sdp, replica)
        )
        if status != 201:
            raise refusal(f"the edge at {edge}", status, body)
        resource = urljoin(url, headers.get("Location", ""))
        if resource == url or urlsplit(resource)[:2] != urlsplit(url)[:2]:
            # The token goes wherever this points: nowhere but to the edge it was meant for.
            raise UnreachableError(f"the edge at {edge} named no resource of its own for the call")
        return Answer(body.decode("utf-8", "replace"), resource)

    async def hang_up(self, answer: Answer, token: str) -> None:
        status, _, body = await self.exchange("DELETE", answer.resource, token, "the edge")
        if status not in (200, 204, 404):
            raise refusal("the edge", status, body)

    async def drill(self, answer: Answer, resume_token: str) -> None:
        url = f"{answer.resource}/drill"
        status, _, body = await self.exchange("POST", url, resume_token, "the edge")
        if status != 202:
            raise refusal("the edge", status, body)

    async def exchange(
        self,
        method: str,
        url: str,
        bearer: str,
        who: str,
        body: str | aiohttp.FormData | None = None,
        content_type: str | None = "application/json",
    ) -> tuple[int, dict[str, str], bytes]:
        """One request as ``bearer`` to ``who``, as errors call it: status, headers, body. Raises
        ``UnreachableError``."""
        headers = {"Authorization": f"Bearer {bearer}"}
        if body is not None and content_type is not None:
            headers["Content-Type"] = content_type
        try:
            async with self._http.request(
                method,
                url,
                data=body.encode() if isinstance(body, str) else body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=HTTP_SECONDS),
            ) as response:
                content = await response.content.read(MAX_BODY)
                return response.status, dict(response.headers.items()), content
        except TimeoutError as error:
            message = f"{who} at {url} did not answer within {HTTP_SECONDS:g} s"
            raise UnreachableError(message) from error
        except aiohttp.ClientError as error:
            raise UnreachableError(f"{who} at {url} cannot be reached: {error}") from error


def _offer(sdp: str, replica: str | None) -> tuple[str | aiohttp.FormData, str | None]:
    """The body of an offer and its type; a form names its own."""
    if replica is None:
        return sdp, "application/sdp"
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("sdp", sdp)
    form.add_field("replica", replica)
    return form, None


def refusal(who: str, status: int, body: bytes) -> CallerError:
    """The error that a problem document (RFC 9457) stands for."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        return ServiceError(who, status, "no_problem_document", "it did not say why")
    if problem.code in REFUSALS:
        return RefusedError(problem.code, problem.detail, problem.regions)
    return ServiceError(who, status, problem.code, problem.detail)
