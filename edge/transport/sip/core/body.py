"""The session description in a message's body."""

from __future__ import annotations

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import parse_parameters, split_outside, unquote
from edge.transport.sip.wire.message import Headers, Message

SDP = "application/sdp"
MAX_PARTS = 16
"""Parts of a multipart body that are looked at."""


def session_description(message: Message) -> bytes | None:
    """The SDP of ``message``, alone or as a part of a multipart/mixed body (RFC 5621).

    None when there is no body, or one that may be ignored (RFC 3261 section 20.11). Raises
    ``MessageError`` with status 415 when there is a body of another kind.
    """
    if not message.body.strip():
        return None
    encoding = message.headers.get("content-encoding") or "identity"
    kind = message.content_type
    if encoding.strip().lower() == "identity":
        if kind == SDP:
            return message.body
        if kind in ("multipart/mixed", "multipart/alternative"):
            found = _part(message.headers.get("content-type") or "", message.body)
            if found is not None:
                return found
    if _optional(message.headers):
        return None
    raise MessageError("the body is no session description", 415)


def _optional(headers: Headers) -> bool:
    disposition = headers.get("content-disposition") or ""
    parameters = parse_parameters(split_outside(disposition, ";")[1:])
    return (parameters.get("handling") or "").lower() == "optional"


def _part(content_type: str, body: bytes) -> bytes | None:
    """The first part that is SDP; in one pass, without nesting."""
    parameters = parse_parameters(split_outside(content_type, ";")[1:])
    boundary = unquote(parameters.get("boundary") or "")
    if not boundary:
        raise MessageError("a multipart body has no boundary")
    delimiter = b"\r\n--" + boundary.encode("utf-8", "surrogateescape")
    for part in (b"\r\n" + body).split(delimiter, MAX_PARTS + 1)[1 : MAX_PARTS + 1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if blank and _kind(head) == SDP:
            # The line break before a delimiter is the delimiter's; SDP ends with one of its own.
            return content + b"\r\n"
    return None


def _kind(head: bytes) -> str:
    for line in head.decode("utf-8", "surrogateescape").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() in ("content-type", "c"):
            return value.partition(";")[0].strip().lower()
    return ""
