"""The booking service over HTTP: JSON in, JSON out, bounded, errors with words."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from inland.clinic.book import DEPARTMENTS, Appointment, Book, KeyReused, Taken, Wish

MAX_BODY = 4096
MAX_KEY = 200
MAX_LISTED = 1000
BOOK: web.AppKey[Book] = web.AppKey("book", Book)
NOW: web.AppKey[Callable[[], dt.datetime]] = web.AppKey("now")


class BookingRequest(BaseModel):
    """``POST /v1/appointments``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    department: str = Field(max_length=40)
    date: dt.date
    time: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    name: Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]


def create_app(database_path: Path | str, clock: Callable[[], dt.datetime]) -> web.Application:
    """The service. ``clock`` gives the local time at the clinic, without a zone.

    ``POST /v1/appointments`` needs ``Idempotency-Key``: the same key and body give the same answer
    (201), the same key with another body 422. A slot that cannot be had gives 409 with
    ``alternatives``. ``DELETE /v1/appointments/{reference}`` cancels, ``GET /v1/slots`` lists what
    is free, ``GET /v1/appointments`` is for the operator.
    """
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_errors_as_json])
    app[BOOK] = Book(database_path)
    app[NOW] = clock
    app.router.add_post("/v1/appointments", _book)
    app.router.add_get("/v1/appointments", _list)
    app.router.add_delete("/v1/appointments/{reference}", _cancel)
    app.router.add_get("/v1/slots", _slots)
    app.router.add_get("/healthz", _health)
    app.on_cleanup.append(_close)
    return app


async def serve(host: str, port: int, database: Path | str) -> None:
    """Serve until cancelled. Raises ``OSError`` when the port is taken."""
    runner = web.AppRunner(create_app(database, dt.datetime.now), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


async def _book(request: web.Request) -> web.Response:
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= MAX_KEY:
        return _problem(400, "key_missing", f"send Idempotency-Key, 1 to {MAX_KEY} characters")
    try:
        asked = BookingRequest.model_validate_json(await request.read())
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "body"
        return _problem(400, "bad_request", f"{where}: {error.errors()[0]['msg']}")
    if asked.department not in DEPARTMENTS:
        return _problem(400, "unknown_department", f"the departments are {', '.join(DEPARTMENTS)}")
    wish = Wish(asked.department, asked.date.isoformat(), asked.time, asked.name)
    match request.app[BOOK].book(wish, key, request.app[NOW]()):
        case Appointment() as booked:
            return web.json_response(asdict(booked), status=201)
        case Taken(alternatives):
            offers = [{"date": date, "time": time} for date, time in alternatives]
            return web.json_response({"code": "slot_taken", "alternatives": offers}, status=409)
        case KeyReused():
            return _problem(422, "key_reused", "this key was used for another appointment")


async def _cancel(request: web.Request) -> web.Response:
    reference = request.match_info["reference"]
    cancelled = request.app[BOOK].cancel(reference) if len(reference) == 6 else None
    if cancelled is None:
        return _problem(404, "unknown_reference", "no appointment has this reference")
    return web.json_response(asdict(cancelled))


async def _slots(request: web.Request) -> web.Response:
    department = request.query.get("doctor") or request.query.get("department", "")
    if department not in DEPARTMENTS:
        return _problem(400, "unknown_department", f"doctor is one of {', '.join(DEPARTMENTS)}")
    try:
        day = dt.date.fromisoformat(request.query.get("date", ""))
    except ValueError:
        return _problem(400, "bad_date", "date is YYYY-MM-DD")
    free = request.app[BOOK].free(department, day, request.app[NOW]())
    return web.json_response({"date": day.isoformat(), "doctor": department, "free": list(free)})


async def _list(request: web.Request) -> web.Response:
    found = request.app[BOOK].appointments(MAX_LISTED)
    return web.json_response({"appointments": [asdict(item) for item in found]})


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"ok": True})


async def _close(app: web.Application) -> None:
    app[BOOK].close()


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _problem(error.status, error.reason.lower().replace(" ", "_"), error.reason)


def _problem(status: int, code: str, detail: str) -> web.Response:
    return web.json_response({"code": code, "detail": detail}, status=status)
