"""The control plane's HTTP resources: docs/protocol.md, section 1, and the nodes' side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import TypeVar

from aiohttp import web
from aiohttp.helpers import ETAG_ANY
from pydantic import BaseModel, ValidationError

from control_plane.auth import Gate, NodeGate, Secrets, bearer
from control_plane.contract import (
    JWKS_PATH,
    POLICY_PATH,
    BeatAnswer,
    Heartbeat,
    NodeRouteRequest,
    RouteRequest,
    RouteResponse,
)
from control_plane.errors import (
    BadRequest,
    BodyTooLarge,
    NoPolicy,
    OriginNotAllowed,
    Refusal,
    RequestTimeout,
    UnknownKey,
    WrongRegion,
)
from control_plane.location import country_of_header
from control_plane.metrics import CONTENT_TYPE
from control_plane.service import ControlPlane

MAX_BODY = 64 * 1024
BODY_SECONDS = 5.0
"""How long a body may take to arrive; at 64 KiB that is a bad phone line."""
JWKS_MAX_AGE = 300
PREFLIGHT_MAX_AGE = 600

_COUNTRY = "two capital letters (ISO 3166-1), such as DE"
_HINTS = {
    "agent": "an agent's id, such as clinic-reception",
    "country": _COUNTRY,
    "dialled_country": _COUNTRY,
    "caller_country": _COUNTRY,
}

Model = TypeVar("Model", bound=BaseModel)


class Api:
    """Handlers. Each raises ``Refusal`` for what it does not grant; the app answers with it."""

    def __init__(
        self,
        plane: ControlPlane,
        gate: Gate,
        nodes: NodeGate,
        secrets: Secrets,
        *,
        country_header: str | None,
        trusted_proxies: int,
    ) -> None:
        self.gate = gate
        self.plane = plane
        self._nodes = nodes
        self._secrets = secrets
        self._country_header = country_header
        self._trusted_proxies = trusted_proxies

    def routes(self) -> list[web.RouteDef]:
        """Every resource."""
        return [
            web.post("/v1/route", self.route),
            web.options("/v1/route", self.preflight),
            web.post("/v1/nodes/{node}/beat", self.beat),
            web.post("/v1/nodes/{node}/route", self.route_phone),
            web.get("/v1/state", self.state),
            web.get(JWKS_PATH, self.jwks),
            web.get(POLICY_PATH, self.policy),
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
        ]

    async def route(self, request: web.Request) -> web.Response:
        """Place a caller."""
        return await self._counted(self._route(request))

    async def route_phone(self, request: web.Request) -> web.Response:
        """Say where a phone call may be that came to a node."""
        return await self._counted(self._route_phone(request))

    async def _counted(self, deciding: Awaitable[RouteResponse]) -> web.Response:
        try:
            answer = await deciding
        except Refusal as refusal:
            self.plane.metrics.routes.labels(refusal.code).inc()
            raise
        self.plane.metrics.routes.labels("placed").inc()
        # A client of the version before does not know `sip`; where there is none it is not sent.
        return _json(answer.model_dump_json(exclude_none=True))

    async def _route(self, request: web.Request) -> RouteResponse:
        origin = request.headers.get("Origin")
        grant = self.gate.admit(_key(request), origin, self._address(request))
        wanted = _parse(await _body(request), RouteRequest)
        header = None
        if self._country_header is not None:
            header = country_of_header(request.headers.getall(self._country_header, []))
        return self.plane.route(grant.tenant, wanted, header)

    async def _route_phone(self, request: web.Request) -> RouteResponse:
        region = self._region(request)
        self._nodes.admit(region)
        wanted = _parse(await _body(request), NodeRouteRequest)
        return self.plane.route_phone(
            self._nodes.tenant(wanted.tenant),
            wanted,
            region=region,
            node=request.match_info["node"],
        )

    async def preflight(self, request: web.Request) -> web.Response:
        """CORS (Fetch standard, section 3.2): may a page of this origin ask at all?"""
        if not self.gate.knows_origin(request.headers.get("Origin", "")):
            raise OriginNotAllowed("no publishable key is for this site")
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": "Authorization, Content-Type",
                "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE),
            },
        )

    async def beat(self, request: web.Request) -> web.Response:
        """Take a heartbeat from a node that holds its region's secret."""
        try:
            await self._beat(request)
        except Refusal as refusal:
            self.plane.metrics.beats.labels(refusal.code).inc()
            raise
        self.plane.metrics.beats.labels("taken").inc()
        serial = self.plane.law.now.serial
        if not serial:
            return web.Response(status=204)
        return _json(BeatAnswer(policy=serial).model_dump_json())

    async def _beat(self, request: web.Request) -> None:
        region = self._region(request)
        beat = _parse(await _body(request), Heartbeat)
        if beat.region != region:
            raise WrongRegion(f"this secret is for nodes of {region}")
        if beat.node != request.match_info["node"]:
            raise BadRequest("node: differs from the one in the path")
        self.plane.directory.beat(beat)

    def _region(self, request: web.Request) -> str:
        region = self._secrets.region_of(_key(request))
        if region is None:
            raise UnknownKey("no region has this node secret")
        return region

    async def state(self, request: web.Request) -> web.Response:
        """Nodes and regions, for the operator and for tenants' servers."""
        key = _key(request)
        operator = self._secrets.is_operator(key)
        if not operator:
            grant = self.gate.admit(key, request.headers.get("Origin"), self._address(request))
            if grant.publishable is not None:
                raise UnknownKey("this resource takes a secret key or the operator's")
        return _json(self.plane.state(operator=operator).model_dump_json(exclude_none=True))

    async def jwks(self, request: web.Request) -> web.Response:
        """The keys that verify route tokens (RFC 7517)."""
        response = web.Response(
            body=json.dumps(self.plane.signer.jwks()).encode(),
            content_type="application/jwk-set+json",
        )
        response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE}"
        return response

    async def policy(self, request: web.Request) -> web.Response:
        """The signed bundle in force, as it was signed: for nodes, who verify it themselves."""
        key = _key(request)
        if self._secrets.region_of(key) is None and not self._secrets.is_operator(key):
            raise UnknownKey("this resource takes a region's node secret or the operator's key")
        bundle = self.plane.bundle
        if bundle is None:
            raise NoPolicy("the control plane's settings name no policy bundle")
        known = {tag.value for tag in request.if_none_match or ()}
        headers = {"ETag": f'"{bundle.etag}"', "Cache-Control": "private, no-cache"}
        if {bundle.etag, ETAG_ANY} & known:
            return web.Response(status=304, headers=headers)
        return web.Response(body=bundle.raw, content_type="application/json", headers=headers)

    async def healthz(self, request: web.Request) -> web.Response:
        """The process lives."""
        return _json('{"status":"ok"}')

    async def readyz(self, request: web.Request) -> web.Response:
        """Send callers here: every node had a beat's time to report, and no stop was asked for."""
        if self.plane.ready:
            return _json('{"status":"ready"}')
        status = "draining" if self.plane.draining else "starting"
        return _json(json.dumps({"status": status}), status=503)

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus figures."""
        if self._secrets.has_operator and not self._secrets.is_operator(_key(request)):
            raise UnknownKey("metrics take the operator's key")
        return web.Response(
            body=self.plane.metrics.render(), headers={"Content-Type": CONTENT_TYPE}
        )

    def _address(self, request: web.Request) -> str:
        """The client's address as far as the trusted proxies say; used for rate limits alone."""
        if self._trusted_proxies:
            lines = request.headers.getall("X-Forwarded-For", [])
            hops = [hop.strip() for line in lines for hop in line.split(",")]
            if len(hops) >= self._trusted_proxies:
                return hops[-self._trusted_proxies]
        return request.remote or ""


def _key(request: web.Request) -> str:
    return bearer(request.headers.getall("Authorization", []))


async def _body(request: web.Request) -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise BodyTooLarge("a request has at most 64 KiB")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise RequestTimeout(f"send the body within {BODY_SECONDS:.0f} s") from error
    except web.RequestPayloadError as error:  # from the library's parser where it has no C part
        raise BadRequest("the body's transfer coding is broken") from error


def _parse(body: bytes, model: type[Model]) -> Model:
    """``body`` as ``model``; the refusal names the key and never repeats a value."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        if not first["loc"]:
            raise BadRequest(f"the body: {first['msg']}") from error
        name = str(first["loc"][0])[:64]
        raise BadRequest(f"{name}: {_HINTS.get(name, first['msg'])}") from error


def _json(text: str, status: int = 200) -> web.Response:
    return web.Response(body=text.encode(), status=status, content_type="application/json")
