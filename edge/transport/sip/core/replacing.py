"""Which session an INVITE with Replaces is to take the place of (RFC 3891 section 3)."""

from __future__ import annotations

from collections.abc import Mapping

from edge.transport.sip.core.session import Session
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.replaces import Replaces
from edge.transport.sip.wire.message import Request


def find_replaced(request: Request, sessions: Mapping[tuple[str, str], Session]) -> Session | int:
    """The session, or the status of the refusal. Raises ``MessageError`` with 400."""
    values = request.headers.lines("replaces")
    if len(values) != 1:
        raise MessageError("there is not one Replaces")
    wanted = Replaces.parse(values[0])
    session = sessions.get((wanted.call_id, wanted.to_tag))
    if session is None or not session.matches(wanted.from_tag):
        return 481
    if session.state == "ended":
        return 603
    if session.state in ("accepted", "confirmed"):
        return 486 if wanted.early_only else session
    # Only who has called may be called away from before the answer.
    return session if session.direction == "out" else 481
