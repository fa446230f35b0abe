"""Which session an INVITE with Replaces is to take the place of (RFC 3891 section 3)."""

from __future__ import annotations

from collections.abc import Mapping

from edge.transport.sip.core.session import Session
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import parse_parameters, split_outside
from edge.transport.sip.wire.message import Request


def find_replaced(request: Request, sessions: Mapping[tuple[str, str], Session]) -> Session | int:
    """The session, or the status of the refusal. Raises ``MessageError`` with 400."""
    values = request.headers.lines("replaces")
    if len(values) != 1:
        raise MessageError("there is not one Replaces")
    call_id, *rest = split_outside(values[0], ";")
    parameters = parse_parameters(rest)
    ours, theirs = parameters.get("to-tag"), parameters.get("from-tag")
    if not call_id or ours is None or theirs is None:
        raise MessageError("the Replaces is malformed")
    session = sessions.get((call_id, ours))
    if session is None or not session.matches(theirs):
        return 481
    if session.state == "ended":
        return 603
    if session.state in ("accepted", "confirmed"):
        return 486 if "early-only" in parameters else session
    # Only who has called may be called away from before the answer.
    return session if session.direction == "out" else 481
