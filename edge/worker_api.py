"""A worker's side of the dispatcher's requests, on its unix socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import generate_latest
from pydantic import ValidationError

from edge.call_builder import Rooms
from edge.internal import OpenCall
from edge.phone.line import LINE_PATH
from edge.phone.worker_line import serve_line
from edge.policy_told import ToldLaw
from edge.problem import EdgeRefusal
from edge.transport.webrtc.errors import IceRestartUnsupported, OfferError
from edge.transport.webrtc.leg import WebRtcLeg
from edge.worker import Worker
from edge.worker_receipts import add_receipts

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def worker_app(worker: Worker, rooms: Rooms) -> web.Application:
    """The worker's side of the dispatcher's requests."""

    async def open_call(request: web.Request) -> web.Response:
        try:
            order = OpenCall.model_validate_json(await request.read())
        except ValidationError as error:
            raise EdgeRefusal("bad_request", "the dispatcher sent an unknown order") from error
        if rooms.clock.monotonic() > order.until:  # this process was stopped, or is far too slow
            raise EdgeRefusal("not_ready", "the worker was too slow; try again")
        opened = await worker.open(order)
        return web.Response(text=opened.model_dump_json(), content_type="application/json")

    async def patch(request: web.Request) -> web.Response:
        leg = worker.entry(request.match_info["call_id"]).leg
        try:
            if not isinstance(leg, WebRtcLeg):
                raise EdgeRefusal("bad_request", "this is no WebRTC call")
            leg.patch(await request.text())
        except IceRestartUnsupported as error:
            raise EdgeRefusal("ice_restart_unsupported", str(error)) from error
        except OfferError as error:
            raise EdgeRefusal(error.code, error.detail) from error
        return web.Response(status=204)

    async def hang_up(request: web.Request) -> web.Response:
        call = worker.entry(request.match_info["call_id"]).call
        if call is not None:
            call.end("hangup")
        return web.Response(status=204)

    async def whose(request: web.Request) -> web.Response:
        entry = worker.entry(request.match_info["call_id"])
        if entry.session_id != request.match_info["session_id"]:
            raise EdgeRefusal("unknown_call", "this is not the session's call")
        return web.Response(status=204)

    told = ToldLaw(rooms.law, rooms.settings)

    async def policy(request: web.Request) -> web.Response:
        await told.take(await request.read())
        return web.Response(status=204)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(rooms.metrics.registry))

    async def end_session(request: web.Request) -> web.Response:
        worker.end_session(request.match_info["session_id"])
        return web.Response(status=204)

    async def line(request: web.Request) -> web.WebSocketResponse:
        return await serve_line(request, worker, rooms.phone, rooms.clock)

    app = web.Application(client_max_size=1 << 20, middlewares=[_refusals])
    app.router.add_post("/calls", open_call)
    app.router.add_patch("/calls/{call_id}", patch)
    app.router.add_delete("/calls/{call_id}", hang_up)
    app.router.add_get("/calls/{call_id}/session/{session_id}", whose)
    app.router.add_delete("/sessions/{session_id}", end_session)
    app.router.add_put("/policy", policy)
    app.router.add_get("/metrics", metrics)
    add_receipts(app, worker, rooms)
    app.router.add_get(LINE_PATH, line)
    return app


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except EdgeRefusal as refusal:
        return refusal.response()
