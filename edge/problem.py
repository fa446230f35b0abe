"""Refusals that a client can read (RFC 9457)."""

from __future__ import annotations

from aiohttp import web

from control_plane.contract import Problem

TITLES = {
    "bad_sdp": "The offer is not usable",
    "bad_request": "The request is not usable",
    "bad_token": "The token is not valid",
    "token_expired": "The token has expired",
    "wrong_region": "This region may not take the call",
    "unknown_agent": "No such agent",
    "unknown_call": "No such call",
    "unknown_session": "No such session",
    "session_ended": "The conversation is over",
    "bad_replica": "The replica is not usable",
    "replica_expired": "The replica has expired",
    "replica_mismatch": "The replica is of another conversation",
    "replica_used": "The conversation went on from a replica already",
    "no_common_codec": "No common codec",
    "wrong_tenant": "This node does not serve the tenant",
    "wrong_policy": "Edge and control plane run different policies",
    "token_used": "The token was used",
    "ice_restart_unsupported": "ICE restart is not supported",
    "body_too_large": "The body is too large",
    "unsupported_media_type": "Unsupported media type",
    "too_slow": "The request took too long to arrive",
    "rate_limited": "Too many requests",
    "full": "The node is full",
    "draining": "The node is draining",
    "phone_off": "No phone calls here",
    "bad_number": "The number is not usable",
    "unknown_trunk": "No such trunk",
    "srtp_required": "Encrypted media is required",
    "not_ready": "The node is not ready",
    "drills_off": "Drills are off",
}
STATUS = {
    "bad_sdp": 400,
    "bad_request": 400,
    "bad_token": 401,
    "token_expired": 401,
    "wrong_region": 403,
    "wrong_tenant": 403,
    "drills_off": 403,
    "bad_number": 400,
    "phone_off": 404,
    "unknown_trunk": 404,
    "unknown_agent": 404,
    "unknown_call": 404,
    "unknown_session": 404,
    "bad_replica": 400,
    "replica_expired": 410,
    "replica_mismatch": 403,
    "replica_used": 409,
    "no_common_codec": 406,
    "srtp_required": 406,
    "too_slow": 408,
    "wrong_policy": 409,
    "token_used": 409,
    "ice_restart_unsupported": 409,
    "session_ended": 410,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "full": 503,
    "draining": 503,
    "not_ready": 503,
}


class EdgeRefusal(Exception):
    """The edge will not do what was asked: a stable code and a sentence that says what to do."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return STATUS[self.code]

    def problem(self) -> Problem:
        """The refusal as a body."""
        return Problem(
            code=self.code, title=TITLES[self.code], status=self.status, detail=self.detail
        )

    def response(self) -> web.Response:
        """The refusal as an HTTP response."""
        headers = {"Retry-After": "1"} if self.status in (429, 503) else {}
        return web.Response(
            status=self.status,
            text=self.problem().model_dump_json(exclude_defaults=True),
            content_type="application/problem+json",
            headers=headers,
        )
