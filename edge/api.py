"""The node's signalling for callers: WHIP verbs on one duplex resource (RFC 9725)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import ValidationError

from edge.admission import bearer, verify_resume_token, verify_route_token
from edge.audit_trail import audited
from edge.gate import Gate
from edge.health import Health
from edge.internal import Admitted, CallOpened, OpenCall
from edge.logs import short
from edge.phone.calls_api import ORDERS, CallsApi
from edge.problem import EdgeRefusal
from edge.ratelimit import Buckets
from edge.receipts_api import ReceiptsApi
from edge.session.resume import PREFIX as RESUME_PREFIX
from edge.slot import WorkerAway, WorkerSlot

MAX_BODY = 64 * 1024
"""Longest request body, bytes."""
MAX_FORM = 256 * 1024
"""Longest form with an offer and a replica; nobody else's body may be so long."""
MALFORMED = (ValueError, LookupError, RuntimeError, HttpProcessingError)
"""What aiohttp raises for forms that are none: the last three for a charset that nobody knows, for
an encoding that it does not, and for headers of a part that are cut off, wrong or too long."""
BODY_SECONDS = 5.0
"""What a body may take to arrive."""
OPEN_SECONDS = 3.0
"""What a worker may take to answer an offer before another one is asked."""
TAKEN_OVER_SECONDS = 1.0
"""What the other workers may take to hear that a session went on elsewhere."""
OFFERS_PER_SECOND = 1.0
OFFERS_BURST = 5
"""Offers of one session: whoever holds one token cannot keep a node busy with it. Questions for
relays are counted the same way, on their own: an offer follows each."""
MAX_SESSIONS = 16_384
"""Sessions whose offers are counted."""
CALLS = "/v1/realtime/calls"
CALL = CALLS + r"/{call_id:rtc_w[0-9]{1,3}_[A-Za-z0-9_-]{22}}"
"""A call's resource. Nothing else reaches a worker: what a worker makes is what matches."""
SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Retry-After",
    "Access-Control-Max-Age": "3600",
}
"""Callers' pages live anywhere; a token, never a cookie, lets them in."""

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")


def create_app(gate: Gate) -> web.Application:
    """The node's HTTP application."""
    signalling = Signalling(gate)
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_refusals])
    for path in (CALLS, "/whip"):
        app.router.add_route("OPTIONS", path, signalling.ice_servers)
        app.router.add_route("POST", path, signalling.open)
    app.router.add_route("PATCH", CALL, signalling.patch)
    app.router.add_route("DELETE", CALL, signalling.hang_up)
    app.router.add_route("POST", CALL + "/drill", signalling.drill)
    below = CALLS + "/{anything:(?s:.*)}"
    app.router.add_route("OPTIONS", below, signalling.options)
    for method in ("POST", "PATCH", "DELETE"):
        app.router.add_route(method, below, signalling.unknown)
    ReceiptsApi(gate).add_to(app)
    if gate.phone is not None:
        CallsApi(gate.phone, _token, _body).add_to(app)
    else:
        app.router.add_route("*", ORDERS, signalling.no_phone)
        app.router.add_route("*", ORDERS + "/{anything:(?s:.*)}", signalling.no_phone)
    if gate.settings.health_port is None:
        Health(gate).add_to(app)
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


def _too_large(most: int = MAX_BODY) -> EdgeRefusal:
    return EdgeRefusal("body_too_large", f"a body has at most {most} bytes")


class Signalling:
    """The handlers."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._offers, self._questions = (
            Buckets(
                gate.clock, per_second=OFFERS_PER_SECOND, burst=OFFERS_BURST, limit=MAX_SESSIONS
            )
            for _ in range(2)
        )

    async def options(self, request: web.Request) -> web.Response:
        """CORS preflight, and what may be posted (RFC 9725, section 4.2)."""
        return web.Response(status=204, headers={"Accept-Post": SDP})

    async def ice_servers(self, request: web.Request) -> web.Response:
        """The same, and for whoever shows a token that opens a call, the relays (section 4.6).

        The token is as good as before: only an offer uses it up.
        """
        response = await self.options(request)
        if "Authorization" in request.headers:
            caller = self._admit(_token(request))
            if not self._questions.take(caller.session_id):
                raise EdgeRefusal("rate_limited", "this session asks too often; wait a second")
            self._tell_relays(response, caller)
        return response

    async def open(self, request: web.Request) -> web.Response:
        """Open or resume a call. Strangers are sent away before their body is read."""
        caller = self._admit_or_count(_token(request))
        if self._gate.draining:
            raise EdgeRefusal("draining", "this node is draining; try the next candidate")
        if not self._offers.take(caller.session_id):
            raise EdgeRefusal("rate_limited", "this session offers too often; wait a second")
        offer = await _offer(request)
        if offer.replica is not None and caller.resumed:
            raise EdgeRefusal(
                "bad_request", "a replica goes with a route token, not a resume token"
            )
        with audited(self._gate.audit, caller) as outcome:
            slot, opened = await self._open(caller, offer)
            outcome.carried(opened)
        if caller.resumed:
            await self._tell_others(slot, caller.session_id)
        response = web.Response(
            status=201,
            text=opened.answer,
            content_type=SDP,
            headers={"Location": f"{CALLS}/{opened.call_id}", "ETag": f'"{opened.call_id[-8:]}"'},
        )
        self._tell_relays(response, caller)
        return response

    def _tell_relays(self, response: web.Response, caller: Admitted) -> None:
        if self._gate.relays is not None:
            for link in self._gate.relays.links(caller.session_id):
                response.headers.add("Link", link)

    async def _open(self, caller: Admitted, offer: Offer) -> tuple[WorkerSlot, CallOpened]:
        """Ask the least loaded worker, and another one if it does not answer."""
        pool = self._gate.pool
        first = pool.least_loaded()
        try:
            return first, await self._offer_to(first, caller, offer)
        except WorkerAway as away:
            log.warning("worker did not take an offer", extra={"worker": first.index})
            try:
                second = pool.least_loaded(but=first)
            except EdgeRefusal:
                raise away from None  # the caller learns what happened, not that nobody is left
            return second, await self._offer_to(second, caller, offer)

    async def _offer_to(self, slot: WorkerSlot, caller: Admitted, offer: Offer) -> CallOpened:
        until = self._gate.clock.monotonic() + OPEN_SECONDS
        body = OpenCall(
            caller=caller, offer=offer.sdp, until=until, replica=offer.replica
        ).model_dump_json()
        slot.opening += 1
        try:
            answer = await slot.ask("POST", "calls", body=body, seconds=OPEN_SECONDS)
        finally:
            slot.opening -= 1
        try:
            return CallOpened.model_validate_json(answer)
        except ValidationError as error:
            raise EdgeRefusal("not_ready", "the call's worker failed; try again") from error

    async def _tell_others(self, keeper: WorkerSlot, session_id: str) -> None:
        """End the session's older legs on the other workers: two agents must not talk on.

        Best effort: the journal refuses an older leg anyway, at its next entry.
        """
        async with asyncio.TaskGroup() as group:
            for slot in self._gate.pool.serving:
                if slot is not keeper:
                    group.create_task(_taken_over(slot, session_id))

    def _admit_or_count(self, token: str) -> Admitted:
        try:
            return self._admit(token)
        except EdgeRefusal as refusal:
            self._gate.audit.stranger(refusal.code)
            raise

    def _admit(self, token: str) -> Admitted:
        gate = self._gate
        if not gate.lawful:
            raise EdgeRefusal("not_ready", "this node has not heard yet which law it goes by")
        now = gate.clock.wall()
        region = gate.settings.region
        if token.startswith(RESUME_PREFIX):
            return verify_resume_token(
                token,
                tokens=gate.resume,
                now=now,
                region=region,
                law=gate.law,
                tenancy=gate.tenancy,
            )
        return verify_route_token(
            token,
            keys=gate.keys,
            now=now,
            region=region,
            law=gate.law,
            tenancy=gate.tenancy,
        )

    async def patch(self, request: web.Request) -> web.Response:
        """Trickle ICE (RFC 8840): accepted; candidates are learned from the packets themselves."""
        if request.content_type != SDP_FRAGMENT:
            raise EdgeRefusal("unsupported_media_type", f"send {SDP_FRAGMENT}")
        call_id = request.match_info["call_id"]
        slot = self._gate.pool.of_call(call_id)
        await slot.ask("PATCH", "calls", call_id, body=await _body(request))
        return web.Response(status=204)

    async def hang_up(self, request: web.Request) -> web.Response:
        """End the call."""
        call_id = request.match_info["call_id"]
        await self._gate.pool.of_call(call_id).ask("DELETE", "calls", call_id)
        return web.Response(status=200)

    async def unknown(self, request: web.Request) -> web.Response:
        """No worker makes such ids."""
        raise EdgeRefusal("unknown_call", "there is no such call; see the answer's Location")

    async def no_phone(self, request: web.Request) -> web.Response:
        """This node places no phone calls."""
        raise EdgeRefusal("phone_off", "this node has no phone: its settings have no `sip:`")

    async def drill(self, request: web.Request) -> web.Response:
        """Kill the worker of the caller's own call, where drills are switched on."""
        if not self._gate.settings.drills:
            raise EdgeRefusal("drills_off", "start the node with drills: true to allow this")
        caller = self._admit(_token(request))
        call_id = request.match_info["call_id"]
        slot = self._gate.pool.of_call(call_id)
        if not caller.resumed or slot.process is None:
            raise EdgeRefusal("bad_token", "a drill needs the session's resume token")
        await slot.ask("GET", "calls", call_id, "session", caller.session_id, expect=204)
        log.warning("drill: worker killed", extra={"worker": slot.index, "call": short(call_id)})
        slot.process.kill()
        return web.Response(status=202)


async def _taken_over(slot: WorkerSlot, session_id: str) -> None:
    try:
        await slot.ask("DELETE", "sessions", session_id, seconds=TAKEN_OVER_SECONDS)
    except EdgeRefusal as refusal:
        log.warning(
            "worker not told of a takeover", extra={"worker": slot.index, "code": refusal.code}
        )


async def _in_time(reading: Awaitable[T]) -> T:
    """What is read of a body, which must not trickle in. Raises ``EdgeRefusal`` (``too_slow``)."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await reading
    except TimeoutError as error:
        raise EdgeRefusal(
            "too_slow", f"the body must arrive within {BODY_SECONDS:.0f} s"
        ) from error


def _token(request: web.Request) -> str:
    return bearer(request.headers.get("Authorization"))


async def _body(request: web.Request) -> str:
    body = await _in_time(request.read())
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EdgeRefusal("bad_request", "the body is not UTF-8") from error


@dataclass(frozen=True, slots=True)
class Offer:
    """What a caller sent to open a call: the SDP, and a replica from another region, if any."""

    sdp: str
    replica: str | None = None


async def _offer(request: web.Request) -> Offer:
    """The SDP of the request: the whole body, or the ``sdp`` part of a form.

    A form may have a ``replica`` besides.
    """
    if request.content_type == SDP:
        return Offer(await _body(request))
    if request.content_type != "multipart/form-data":
        raise EdgeRefusal("unsupported_media_type", f"send the offer as {SDP}")
    try:
        form = await _in_time(request.clone(client_max_size=MAX_FORM).post())
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large(MAX_FORM) from error
    except MALFORMED as error:
        raise EdgeRefusal("bad_request", "the form is malformed") from error
    sdp = form.get("sdp")
    if isinstance(sdp, (bytes, bytearray)):  # a part with a content type of its own
        sdp = sdp.decode("utf-8", errors="replace")
    if not isinstance(sdp, str):
        raise EdgeRefusal("bad_sdp", "the form has no text field 'sdp'")
    if len(sdp) > MAX_BODY:
        raise _too_large()
    replica = form.get("replica")
    if replica is not None and not isinstance(replica, str):
        raise EdgeRefusal("bad_request", "the form's 'replica' is not a text field")
    for text in (sdp, replica or ""):
        try:
            text.encode()
        except UnicodeEncodeError as error:  # half a surrogate, which some charsets can write
            raise EdgeRefusal("bad_request", "the form is not text") from error
    return Offer(sdp, replica)
