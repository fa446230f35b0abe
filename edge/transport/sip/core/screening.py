"""What can be said of a request before anybody looks for its meaning (RFC 3261 section 8.2)."""

from __future__ import annotations

from dataclasses import dataclass

from edge.transport.sip.core.context import ALLOW, METHODS, Context, Header
from edge.transport.sip.wire.message import Request

KNOWN = METHODS | {"REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE"}
"""Methods that exist: those that we do not serve are not allowed, others not implemented."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How to answer a request that is not taken, and why in ``status``."""

    status: int
    headers: tuple[Header, ...] = ()


def refusal(request: Request, context: Context) -> Refusal | None:
    """None when nothing stands against ``request``. Raises ``MessageError``."""
    method = request.method
    if method not in METHODS:
        return Refusal(405 if method in KNOWN else 501, (("allow", ALLOW),))
    # Max-Forwards 0 is no obstacle: only who would forward it further has to refuse (section 16.3).
    wanted = request.headers.tokens("require")
    unknown = [tag for tag in sorted(wanted) if tag not in context.extensions]
    if unknown:
        return Refusal(420, tuple(("unsupported", tag) for tag in unknown))
    return None
