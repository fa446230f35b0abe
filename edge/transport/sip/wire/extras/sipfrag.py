"""The body of a NOTIFY about a transfer: a message in part (RFC 3420, RFC 3515 section 2.4.5)."""

from __future__ import annotations

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import one_line, to_bytes, to_text
from edge.transport.sip.wire.message import MAX_HEADER, parse_status_line

SIPFRAG = "message/sipfrag;version=2.0"
"""The content type."""


def parse_sipfrag(body: bytes) -> tuple[int, str]:
    """Status and reason phrase of the new call. Raises ``MessageError`` when there is none.

    Headers that may follow the status line are not read.
    """
    line = body.lstrip(b"\r\n")[:MAX_HEADER].partition(b"\n")[0]
    found = parse_status_line(to_text(line.rstrip(b"\r")))
    if found is None:
        raise MessageError("the fragment has no status line")
    return found


def format_sipfrag(status: int, reason: str) -> bytes:
    """The body that says so."""
    return to_bytes(f"SIP/2.0 {status} {one_line(reason)}\r\n")
