"""What the sockets need to know of a message that we wrote ourselves."""

from __future__ import annotations

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.values import Via

_VIA = b"\r\nVia: "


def is_request(data: bytes) -> bool:
    """Whether the message is a request."""
    return not data.startswith(b"SIP/2.0 ")


def branch_of(data: bytes) -> str | None:
    """The branch of the topmost Via, as our own writer puts it."""
    line = _via_line(data)
    if line is None:
        return None
    try:
        return Via.parse(line.decode("utf-8", "surrogateescape")).branch or None
    except MessageError:
        return None


def over_tcp(data: bytes) -> bytes | None:
    """A request for UDP as one for TCP; None for anything else."""
    line = _via_line(data)
    if line is None or not is_request(data) or not line.startswith(b"SIP/2.0/UDP "):
        return None
    return data.replace(_VIA + b"SIP/2.0/UDP ", _VIA + b"SIP/2.0/TCP ", 1)


def _via_line(data: bytes) -> bytes | None:
    head = data.partition(b"\r\n\r\n")[0]
    start = head.find(_VIA)
    if start < 0:
        return None
    return head[start + len(_VIA) :].partition(b"\r\n")[0]
