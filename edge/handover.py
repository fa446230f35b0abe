"""Giving the caller to a person: asked once, accounted for, and taken back when nobody answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.events import TRANSFER_TOOL, Handover, HandoverTarget, JsonValue, ToolRecord
from edge.events import TransferFailure as Why
from edge.leg import TransferRequest, TransferResult
from edge.realtime import Event, event

_WHY: Mapping[int, Why] = {
    486: "busy",
    600: "busy",
    0: "no_answer",
    408: "no_answer",
    480: "no_answer",
    487: "no_answer",
    404: "unreachable",
    410: "unreachable",
    484: "unreachable",
    604: "unreachable",
}


class Line(Protocol):
    """What a handover needs of the leg."""

    @property
    def can_transfer(self) -> bool: ...
    async def transfer(self, request: TransferRequest) -> TransferResult: ...


class Ledger(Protocol):
    """What it needs of the journal."""

    async def tool_pending(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue]
    ) -> ToolRecord | None: ...
    async def tool_settled(self, record: ToolRecord) -> None: ...


@dataclass(frozen=True, slots=True)
class Missed:
    """Nobody took the caller. ``record`` is what the turn that tells so keeps of it."""

    why: Why
    record: ToolRecord


class Handovers:
    """The transfers of one call, one at a time.

    The summary is in the journal, sealed, under the transfer's reference before anybody is called;
    only the reference leaves the session. A transfer whose end is not in the journal is never
    repeated: whoever resumes the conversation tells the caller that it failed.
    """

    def __init__(self, line: Line, ledger: Ledger, publish: Callable[[Event], None]) -> None:
        self._line = line
        self._ledger = ledger
        self._publish = publish
        self.transferred = False
        """Whether somebody took the caller."""

    def target(self, handover: Handover) -> HandoverTarget | None:
        """Where this line can give the caller to; None: the call ends with the handover."""
        return handover.target if self._line.can_transfer else None

    async def attempt(self, handover: Handover, target: HandoverTarget) -> Missed | None:
        """Ask for the caller to be taken over; None when that happened.

        Raises what the journal raises.
        """
        reference = secrets.token_hex(16)
        arguments = {
            "to": target.to,
            "kind": target.kind,
            "reason": handover.reason,
            "summary": handover.summary,
        }
        await self._ledger.tool_pending(reference, TRANSFER_TOOL, arguments)
        self._publish(event("inland.handover", reason=handover.reason, reference=reference))
        result = await self._line.transfer(TransferRequest(target.to, target.kind, reference))
        self.transferred = result.ok
        outcome: JsonValue = {"status": result.status}
        settled = ToolRecord(reference, TRANSFER_TOOL, arguments, result.ok, outcome)
        await self._ledger.tool_settled(settled)
        if result.ok:
            return None
        why = why_missed(result.status)
        self._publish(
            event("inland.transfer.failed", reference=reference, status=result.status, reason=why)
        )
        return Missed(why, ToolRecord(reference, TRANSFER_TOOL, {}, False, {"error": why}))


def why_missed(status: int) -> Why:
    """The word for a SIP status (RFC 3261 section 21); 0 stands for no answer at all."""
    if status in _WHY:
        return _WHY[status]
    return "unreachable" if 500 <= status < 600 else "refused"
