"""The node's signalling for callers: WHIP verbs on one duplex resource (RFC 9725)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from prometheus_client import generate_latest

from edge.admission import bearer, verify_resume_token, verify_route_token
from edge.clock import Clock
from edge.internal import Admitted, CallOpened, OpenCall
from edge.jwks import KeyCache
from edge.node_metrics import merge_expositions
from edge.pool import WorkerPool, WorkerSlot
from edge.problem import EdgeRefusal
from edge.session.resume import PREFIX as RESUME_PREFIX
from edge.session.resume import ResumeTokens
from edge.settings import NodeSettings
from regions.models import Catalogue

MAX_BODY = 64 * 1024
"""Longest request body, bytes."""
BODY_SECONDS = 5.0
"""What a body may take to arrive."""
CALLS = "/v1/realtime/calls"
SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Expose-Headers": "Location, ETag, Retry-After",
    "Access-Control-Max-Age": "3600",
}
"""Callers' pages live anywhere; a token, never a cookie, lets them in."""

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Gate:
    """What the signalling of a node needs to decide and to pass calls on."""

    settings: NodeSettings
    catalogue: Catalogue
    pool: WorkerPool
    keys: KeyCache
    resume: ResumeTokens
    clock: Clock
    draining: bool = False


def create_app(gate: Gate) -> web.Application:
    """The node's HTTP application."""
    signalling = Signalling(gate)
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_refusals])
    for path in (CALLS, "/whip"):
        app.router.add_route("OPTIONS", path, signalling.options)
        app.router.add_route("POST", path, signalling.open)
    resource = CALLS + "/{call_id}"
    app.router.add_route("OPTIONS", resource, signalling.options)
    app.router.add_route("PATCH", resource, signalling.patch)
    app.router.add_route("DELETE", resource, signalling.hang_up)
    app.router.add_route("POST", resource + "/drill", signalling.drill)
    app.router.add_route("OPTIONS", resource + "/drill", signalling.options)
    app.router.add_route("GET", "/healthz", signalling.healthz)
    app.router.add_route("GET", "/readyz", signalling.readyz)
    app.router.add_route("GET", "/metrics", signalling.metrics)
    return app


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal is a problem document, and every answer may be read by any page."""
    try:
        response = await handler(request)
    except EdgeRefusal as refusal:
        response = refusal.response()
    except web.HTTPRequestEntityTooLarge:
        response = _too_large().response()
    except web.HTTPException as error:
        if error.status < 400:
            raise
        response = web.json_response(
            {
                "code": "bad_request",
                "title": error.reason,
                "status": error.status,
                "detail": f"{request.method} is not possible here; see docs/protocol.md",
            },
            status=error.status,
            content_type="application/problem+json",
            headers={"Allow": error.headers["Allow"]} if "Allow" in error.headers else None,
        )
    response.headers.update(CORS)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _too_large() -> EdgeRefusal:
    return EdgeRefusal("body_too_large", f"a body has at most {MAX_BODY} bytes")


class Signalling:
    """The handlers."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def options(self, request: web.Request) -> web.Response:
        """CORS preflight, and what may be posted (RFC 9725, section 4.2)."""
        return web.Response(status=204, headers={"Accept-Post": SDP})

    async def open(self, request: web.Request) -> web.Response:
        """Open or resume a call."""
        offer = await _offer(request)
        caller = self._admit(bearer(request.headers.get("Authorization")))
        if self._gate.draining:
            raise EdgeRefusal("draining", "this node is draining; try the next candidate")
        slot = self._gate.pool.least_loaded()
        slot.opening += 1
        try:
            body = OpenCall(caller=caller, offer=offer).model_dump_json()
            answer = await _ask(slot, "POST", "/calls", body)
        finally:
            slot.opening = max(0, slot.opening - 1)
        opened = CallOpened.model_validate_json(answer)
        return web.Response(
            status=201,
            text=opened.answer,
            content_type=SDP,
            headers={"Location": f"{CALLS}/{opened.call_id}", "ETag": f'"{opened.call_id[-8:]}"'},
        )

    def _admit(self, token: str) -> Admitted:
        gate = self._gate
        now = gate.clock.wall()
        region = gate.settings.region
        if token.startswith(RESUME_PREFIX):
            return verify_resume_token(
                token, tokens=gate.resume, region=region, catalogue=gate.catalogue
            )
        return verify_route_token(
            token, keys=gate.keys, now=now, region=region, catalogue=gate.catalogue
        )

    async def patch(self, request: web.Request) -> web.Response:
        """Trickle ICE (RFC 8840): accepted; candidates are learned from the packets themselves."""
        if request.content_type != SDP_FRAGMENT:
            raise EdgeRefusal("unsupported_media_type", f"send {SDP_FRAGMENT}")
        fragment = await _body(request)
        slot = self._gate.pool.of_call(request.match_info["call_id"])
        await _ask(slot, "PATCH", f"/calls/{request.match_info['call_id']}", fragment)
        return web.Response(status=204)

    async def hang_up(self, request: web.Request) -> web.Response:
        """End the call."""
        call_id = request.match_info["call_id"]
        await _ask(self._gate.pool.of_call(call_id), "DELETE", f"/calls/{call_id}", "")
        return web.Response(status=200)

    async def drill(self, request: web.Request) -> web.Response:
        """Kill the worker of the caller's own call, where drills are switched on."""
        if not self._gate.settings.drills:
            raise EdgeRefusal("drills_off", "start the node with drills: true to allow this")
        caller = self._admit(bearer(request.headers.get("Authorization")))
        call_id = request.match_info["call_id"]
        slot = self._gate.pool.of_call(call_id)
        if not caller.resumed or slot.process is None:
            raise EdgeRefusal("bad_token", "a drill needs the session's resume token")
        await _ask(slot, "GET", f"/calls/{call_id}/session/{caller.session_id}", "")
        log.warning("drill: worker killed", extra={"worker": slot.index, "call": call_id})
        slot.process.kill()
        return web.Response(status=202)

    async def healthz(self, request: web.Request) -> web.Response:
        """The process answers."""
        return web.json_response({"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        """Whether a call would be taken now."""
        gate = self._gate
        checks = {
            "workers": gate.pool.ready,
            "keys": gate.keys.loaded.is_set(),
            "not_draining": not gate.draining,
        }
        body = {
            "ready": all(checks.values()),
            "checks": checks,
            "region": gate.settings.region,
            "node": gate.settings.node,
            "policy": gate.catalogue.policy,
            "active": gate.pool.active,
            "capacity": gate.pool.capacity,
        }
        return web.json_response(body, status=200 if body["ready"] else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """The metrics of every worker, merged."""
        texts = []
        for slot in self._gate.pool.slots:
            if slot.status is not None:
                try:
                    texts.append((await _ask(slot, "GET", "/metrics", "")).decode())
                except EdgeRefusal:
                    continue
        body = generate_latest(merge_expositions(texts))
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4"})


async def _body(request: web.Request) -> str:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except TimeoutError as error:
        raise EdgeRefusal(
            "too_slow", f"the body must arrive within {BODY_SECONDS:.0f} s"
        ) from error
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EdgeRefusal("bad_request", "the body is not UTF-8") from error


async def _offer(request: web.Request) -> str:
    """The SDP of the request: the whole body, or the ``sdp`` part of a form."""
    if request.content_type == SDP:
        return await _body(request)
    if request.content_type != "multipart/form-data":
        raise EdgeRefusal("unsupported_media_type", f"send the offer as {SDP}")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            form = await request.post()
    except TimeoutError as error:
        raise EdgeRefusal(
            "too_slow", f"the body must arrive within {BODY_SECONDS:.0f} s"
        ) from error
    except ValueError as error:
        raise EdgeRefusal("bad_request", "the form is malformed") from error
    sdp = form.get("sdp")
    if isinstance(sdp, (bytes, bytearray)):  # a part with a content type of its own
        sdp = sdp.decode("utf-8", errors="replace")
    if not isinstance(sdp, str):
        raise EdgeRefusal("bad_sdp", "the form has no text field 'sdp'")
    return sdp


async def _ask(slot: WorkerSlot, method: str, path: str, body: str) -> bytes:
    """Pass a request to a worker; its refusals become ours."""
    try:
        async with slot.client.request(method, f"http://worker{path}", data=body.encode()) as got:
            answer = await got.read()
            status = got.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise EdgeRefusal("not_ready", "the call's worker went away; reconnect") from error
    if status < 300:
        return answer
    try:
        problem = json.loads(answer)
        raise EdgeRefusal(problem["code"], problem["detail"])
    except (ValueError, KeyError, TypeError) as error:
        raise EdgeRefusal("not_ready", "the call's worker failed; try again") from error
