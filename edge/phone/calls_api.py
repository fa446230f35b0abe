"""``/v1/calls``: have an agent call somebody, and learn how that goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from pydantic import ValidationError

from edge.internal import Admitted
from edge.phone.orders import CallOrder, CallStatus, OrderedCall, Orders
from edge.problem import EdgeRefusal

ORDERS = "/v1/calls"
ORDER = ORDERS + r"/{call_id:sip_w[0-9]{1,3}_[A-Za-z0-9_-]{22}}"
"""A call's resource: its id is what lets somebody ask of it, like the Location of RFC 9725."""
EVENT_STREAM = "text/event-stream"
IDLE_SECONDS = 15.0
"""A comment is sent through a stream that has been quiet for so long, so that proxies keep it."""


class Desk(Protocol):
    """Places calls (:class:`edge.phone.switchboard.Switchboard`). ``admit`` and ``dial`` raise
    ``EdgeRefusal``."""

    orders: Orders

    def admit(self, token: str) -> Admitted:
        """For whom the bearer of a token calls."""
        ...

    async def dial(self, caller: Admitted, order: CallOrder) -> OrderedCall:
        """Place a call; returns when it is dialled."""
        ...

    def hang_up(self, call_id: str) -> None:
        """End a call that is under way."""
        ...


class CallsApi:
    """The handlers. ``token`` and ``body`` read a request, and raise ``EdgeRefusal``."""

    def __init__(
        self,
        desk: Desk,
        token: Callable[[web.Request], str],
        body: Callable[[web.Request], Awaitable[str]],
    ) -> None:
        self._desk = desk
        self._token = token
        self._body = body

    def add_to(self, app: web.Application) -> None:
        """Put the routes into ``app``."""
        app.router.add_post(ORDERS, self.order)
        app.router.add_get(ORDER, self.status)
        app.router.add_get(ORDER + "/events", self.events)
        app.router.add_delete(ORDER, self.hang_up)
        for method in ("GET", "DELETE"):
            app.router.add_route(method, ORDERS + "/{anything:(?s:.*)}", self.unknown)

    async def order(self, request: web.Request) -> web.Response:
        """Place a call. Strangers are sent away before their body is read."""
        caller = self._desk.admit(self._token(request))
        try:
            order = CallOrder.model_validate_json(await self._body(request))
        except ValidationError as error:
            raise EdgeRefusal("bad_request", _what_is_wrong(error)) from error
        call = await self._desk.dial(caller, order)
        where = f"{ORDERS}/{call.status.call_id}"
        return _json(call.status, status=201, headers={"Location": where})

    async def status(self, request: web.Request) -> web.Response:
        """How a call is going."""
        return _json(self._call(request).status)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Its status now and at each change, as server-sent events, to its end."""
        call = self._call(request)
        response = web.StreamResponse(
            headers={"Content-Type": EVENT_STREAM, "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        seen: CallStatus | None = None
        while seen is None or seen.stage != "ended":
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    seen = await call.changed(seen)
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            data = seen.model_dump_json(exclude_none=True)
            await response.write(f"event: {seen.stage}\ndata: {data}\n\n".encode())
        await response.write_eof()
        return response

    async def hang_up(self, request: web.Request) -> web.Response:
        """End a call, or stop calling. One that is over stays over."""
        call = self._call(request)
        if call.status.stage != "ended":
            self._desk.hang_up(call.status.call_id)
        return web.Response(status=204)

    async def unknown(self, request: web.Request) -> web.Response:
        """No order has such an id."""
        raise EdgeRefusal("unknown_call", "there is no such call; see the answer's Location")

    def _call(self, request: web.Request) -> OrderedCall:
        call = self._desk.orders.get(request.match_info["call_id"])
        if call is None:
            raise EdgeRefusal("unknown_call", "there is no such call; it may be long over")
        return call


def _json(
    call: CallStatus, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        text=call.model_dump_json(exclude_none=True),
        content_type="application/json",
        headers=headers,
        status=status,
    )


def _what_is_wrong(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the body"
    return f"{where}: {first['msg']}"[:300]
