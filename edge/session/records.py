"""The call detail record: one per call, kept when the session's content is long gone."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from regions.models import Id, Strict

EndReason: TypeAlias = Literal[
    "completed",
    "handover",
    "hangup",
    "idle",
    "draining",
    "lost",
    "error",
    "taken_over",
    "policy",
]
"""Why a call ended, as in ``docs/protocol.md``. ``policy``: a law or contract that came into force
keeps it from this region."""

RESUMABLE: frozenset[EndReason] = frozenset({"draining", "lost", "error", "taken_over"})
"""Ends of a call after which its session waits for the caller to come back."""

Token = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._:-]{1,128}$")]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Unix seconds."""
MAX_RECEIPT = 256 * 1024
"""Longest receipt that is kept or read, characters."""


class CallRecord(Strict):
    """What is known of one call (one leg of a session). No personal data."""

    call_id: Token
    session_id: Token
    tenant: Id
    agent: Id
    region: Id
    node: Id
    leg: Annotated[str, StringConstraints(pattern=r"^(webrtc|sip|websocket)$")]
    jurisdictions: tuple[Id, ...]
    policy: Annotated[str, StringConstraints(max_length=128)]
    started_at: Seconds
    answered_at: Seconds | None
    """When media first flowed; None when it never did."""
    ended_at: Seconds
    reason: EndReason
    turns: Count
    barge_ins: Count
    tool_calls: Count
    transferred: bool = False
    """Whether another line took the caller; with reason ``handover`` and False, the dialog ended
    for a person to follow up."""

    receipt: Annotated[str, StringConstraints(max_length=MAX_RECEIPT)] | None = None
    """The call's receipt (:mod:`edge.session.receipt`); None in records of older programs."""

    @property
    def ends_session(self) -> bool:
        """Whether the session is over with this call."""
        return self.reason not in RESUMABLE
