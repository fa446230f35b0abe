"""Refusals as HTTP: problem+json (RFC 9457), the same for our errors and the server library's."""

from __future__ import annotations

import logging
import traceback

from aiohttp import web

from control_plane.contract import Problem
from control_plane.errors import BadRequest, BodyTooLarge, MethodNotAllowed, NotFound, Refusal

CONTENT_TYPE = "application/problem+json"
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "inland",
    "X-Content-Type-Options": "nosniff",
}
"""What every answer carries unless its handler said otherwise (OWASP REST Security)."""

log = logging.getLogger(__name__)


def refused(refusal: Refusal) -> web.Response:
    """The answer to a refused request."""
    return _response(refusal.problem(), dict(refusal.headers()))


def foreign(error: web.HTTPException) -> web.Response:
    """The answer to an error that the server library raised: the only place that maps them."""
    match error:
        case web.HTTPNotFound():
            return refused(NotFound("docs/protocol.md lists what is here"))
        case web.HTTPMethodNotAllowed():
            allow = ", ".join(sorted(error.allowed_methods))
            return refused(MethodNotAllowed(f"it takes {allow}", allow=allow))
        case web.HTTPRequestEntityTooLarge():
            return refused(BodyTooLarge("a request has at most 64 KiB"))
        case _ if error.status >= 500:
            return fault(error)
        case _:
            return refused(
                BadRequest(f"the request is not HTTP as understood here: {error.reason}")
            )


def malformed() -> web.Response:
    """The answer to bytes that are no HTTP request."""
    return refused(BadRequest("this is not an HTTP/1.1 request, or its head is too large"))


def fault(error: BaseException | None) -> web.Response:
    """The answer to a fault of our own. The log names the place, never the value: it is personal
    data as likely as not."""
    log.error("request failed", extra={"reason": _place(error)})
    return _response(
        Problem(
            code="internal_error",
            title="A fault of this server",
            status=500,
            detail="it was logged; try again, or another replica",
        ),
        {},
    )


def _place(error: BaseException | None) -> str:
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _response(problem: Problem, headers: dict[str, str]) -> web.Response:
    return web.Response(
        body=problem.model_dump_json().encode(),
        status=problem.status,
        content_type=CONTENT_TYPE,
        headers={**SECURITY_HEADERS, **headers},
    )
