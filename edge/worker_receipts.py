"""A worker's answers to its dispatcher: the receipts that are kept, the account of a live call."""

from __future__ import annotations

from aiohttp import web

from edge.call_builder import Rooms
from edge.internal import SessionReceipts
from edge.ledger import Place
from edge.problem import EdgeRefusal
from edge.session.errors import SessionError, TenantRefused
from edge.settings import NodeSettings
from edge.worker import Worker

MAX_RECEIPTS = 100
"""Of one session, the latest ones."""


def add_receipts(app: web.Application, worker: Worker, rooms: Rooms) -> None:
    """Put the routes into the worker's ``app``."""

    async def receipts(request: web.Request) -> web.Response:
        tenant, session_id = request.match_info["tenant"], request.match_info["session_id"]
        try:
            store = rooms.stores.of(tenant)
            records = await store.read_records(session_id=session_id, most=MAX_RECEIPTS)
        except TenantRefused:
            records = ()
        except SessionError as error:
            raise EdgeRefusal("not_ready", "the session store does not answer") from error
        # A file may hold the sessions of several tenants.
        mine = (record.receipt for record in records if record.tenant == tenant)
        found = SessionReceipts(receipts=tuple(receipt for receipt in mine if receipt is not None))
        return web.Response(text=found.model_dump_json(), content_type="application/json")

    async def account(request: web.Request) -> web.Response:
        call = worker.call_of(request.match_info["session_id"])
        if call is None:
            raise EdgeRefusal("unknown_session", "this worker has no call of the session")
        text = call.account().model_dump_json()
        return web.Response(text=text, content_type="application/json")

    app.router.add_get("/sessions/{session_id}/receipts/{tenant}", receipts)
    app.router.add_get("/sessions/{session_id}/account", account)


def store_place(settings: NodeSettings) -> Place:
    """The session store as receipts name it: in the node's region, which its settings vouch for."""
    if settings.store is None:
        return Place("store", "sqlite", settings.region)
    if settings.store.socket is not None:
        return Place("store", "redis", settings.region, "unix:")
    servers = ",".join(map(str, settings.store.servers))
    return Place("store", "redis", settings.region, servers)
