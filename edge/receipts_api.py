"""``/v1/sessions/{id}/receipt`` and ``/v1/receipt-keys``: where a session's data was."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from edge.admission import bearer
from edge.gate import Gate
from edge.internal import SessionReceipts
from edge.problem import EdgeRefusal
from edge.ratelimit import Buckets
from edge.session.errors import ResumeRefused
from edge.session.receipt import public_jwk
from edge.session.resume import PREFIX as RESUME_PREFIX
from edge.slot import WorkerAway, WorkerSlot

RECEIPT = r"/v1/sessions/{session_id:s_[0-9A-Za-z]{22}}/receipt"
RECEIPT_KEYS = "/v1/receipt-keys"
ASKS_PER_SECOND = 1.0
ASKS_BURST = 5
"""Questions for one session's receipts."""
MAX_SESSIONS = 16_384
"""Sessions whose questions are counted."""
ANSWER_SECONDS = 3.0
"""What a worker may take to read the store."""
LIVE_SECONDS = 1.0
"""What it may take to say whether it has a call of the session."""


def operator_digest(node_secret: str) -> bytes:
    """What an operator's token is compared with: no length, no prefix of the secret shows."""
    return hashlib.sha256(node_secret.encode()).digest()


class ReceiptsApi:
    """The handlers.

    A session's own resume token opens its receipts, until it expires; the node secret those of any
    session, of the tenant that is named. Whoever may not ask learns nothing of the session.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._keys = {"keys": [public_jwk(gate.receipt_key)]}
        self._asked = Buckets(
            gate.clock, per_second=ASKS_PER_SECOND, burst=ASKS_BURST, limit=MAX_SESSIONS
        )

    def add_to(self, app: web.Application) -> None:
        """Put the routes into ``app``."""
        for path, handler in ((RECEIPT, self.receipt), (RECEIPT_KEYS, self.keys)):
            app.router.add_get(path, handler)
            app.router.add_route("OPTIONS", path, self.options)

    async def options(self, request: web.Request) -> web.Response:
        """CORS preflight."""
        return web.Response(status=204)

    async def keys(self, request: web.Request) -> web.Response:
        """The region's public key, as a JWK set (RFC 7517)."""
        return web.json_response(self._keys, content_type="application/jwk-set+json")

    async def receipt(self, request: web.Request) -> web.Response:
        """The session's receipts, oldest first, and what is known of its live call."""
        session_id = request.match_info["session_id"]
        tenant = self._tenant(request, session_id)
        if not self._asked.take(session_id):
            raise EdgeRefusal("rate_limited", "this session is asked for too often; wait a second")
        receipts, live = await asyncio.gather(
            self._receipts(tenant, session_id), self._live(tenant, session_id)
        )
        if not receipts and live is None:
            raise _unknown()
        body: dict[str, Any] = {"receipts": receipts, "keys": self._keys}
        return web.json_response(body if live is None else body | {"live": live})

    def _tenant(self, request: web.Request, session_id: str) -> str:
        """Whose session it is, by who asks. Raises ``EdgeRefusal``."""
        token = bearer(request.headers.get("Authorization"))
        if token.startswith(RESUME_PREFIX):
            try:
                claims = self._gate.resume.verify(token)
            except ResumeRefused as refused:
                raise EdgeRefusal(refused.code, refused.detail) from refused
            if claims.session_id != session_id:
                raise _unknown()
            return claims.tenant
        if not hmac.compare_digest(operator_digest(token), self._gate.operator):
            raise EdgeRefusal("bad_token", "show the session's resume token, or the node secret")
        tenant = request.query.get("tenant", "")
        if not tenant:
            raise EdgeRefusal("bad_request", "say whose session it is: ?tenant=ID")
        self._gate.audit.receipts_read(tenant, session_id)
        return tenant

    async def _receipts(self, tenant: str, session_id: str) -> tuple[str, ...]:
        """From the store, which any worker can read. Raises ``EdgeRefusal``."""
        slots = self._gate.pool.serving
        for slot in slots:
            try:
                answer = await slot.ask(
                    "GET", "sessions", session_id, "receipts", tenant, seconds=ANSWER_SECONDS
                )
                return SessionReceipts.model_validate_json(answer).receipts
            except WorkerAway:
                continue
            except ValidationError as error:
                raise EdgeRefusal("not_ready", "a worker failed; try again") from error
        raise EdgeRefusal("not_ready", "no worker answers; try again")

    async def _live(self, tenant: str, session_id: str) -> object:
        """The account so far of the session's call, if a worker of this node has it."""
        slots = self._gate.pool.serving
        accounts = await asyncio.gather(*(_account(slot, session_id) for slot in slots))
        mine = [one for one in accounts if isinstance(one, dict) and one.get("tenant") == tenant]
        return mine[0] if mine else None


async def _account(slot: WorkerSlot, session_id: str) -> object:
    try:
        answer = await slot.ask(
            "GET", "sessions", session_id, "account", seconds=LIVE_SECONDS, expect=200
        )
        return json.loads(answer)
    except (EdgeRefusal, ValueError):
        return None


def _unknown() -> EdgeRefusal:
    return EdgeRefusal("unknown_session", "no receipt of such a session is known here")
