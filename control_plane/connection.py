"""One HTTP connection, for what never reaches the application.

The server library answers requests that it cannot parse by itself, in plain text, and logs the
client's address with them. Here they get problem+json too, and no address is logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web
from aiohttp.web_request import BaseRequest

from control_plane.problems import fault, foreign, malformed

LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read away, so that the client sees the answer."""


class Connection(web.RequestHandler):
    """A connection whose every error is a problem."""

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Called for what could not be parsed (4xx) and what escaped the application (5xx)."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client left: nobody to answer, nothing to log
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun; only closing can tell the client now")
        response = malformed() if status < 500 else fault(exc)
        response.force_close()
        return response

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """An ``Expect`` that nobody knows (RFC 9110, 10.1.1) is refused before any middleware."""
        if isinstance(resp, web.HTTPException):
            resp = foreign(resp)
        return await super().finish_response(request, resp, start_time)


def connection_factory(server: web.Server, idle_seconds: float) -> Callable[[], Connection]:
    """Makes a :class:`Connection` per client; it is closed after ``idle_seconds`` without a
    complete request, however slowly its head may drip in."""
    loop = asyncio.get_running_loop()

    def make() -> Connection:
        return Connection(
            server,
            loop=loop,
            keepalive_timeout=idle_seconds,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type] # off: its lines hold addresses
        )

    return make
