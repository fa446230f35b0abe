"""A response to a request (RFC 3261 section 8.2.6)."""

from __future__ import annotations

from collections.abc import Iterable

from edge.transport.sip.wire.message import Request, Response

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    429: "Provide Referrer Identity",
    433: "Anonymity Disallowed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}
"""Default reason phrases, as registered with IANA."""


def make_response(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> Response:
    """``status`` for ``request``, with the headers that a response must copy from it.

    ``to_tag`` is added when the request's To has none; a 100 stays without. Record-Route is copied
    into what may make a dialog (section 12.1.1), Timestamp into a 100 (section 8.2.6.1). Raises
    ``MessageError`` when the request's To is malformed.
    """
    source = request.headers
    response = Response(status, REASONS.get(status, "") if reason is None else reason, body=body)
    copied = ["via"]
    if 100 < status < 300:
        copied.append("record-route")
    for name, value in source:
        if name in copied:
            response.headers.add(name, value)
    for name in ("from", "to", "call-id", "cseq"):
        if (found := source.get(name)) is not None:
            response.headers.add(name, found)
    timestamp = source.get("timestamp")
    if status == 100 and timestamp is not None:
        response.headers.add("timestamp", timestamp)
    if to_tag is not None and status > 100:
        tag_to(response, to_tag)
    for name, value in headers:
        response.headers.add(name, value)
    if content_type is not None:
        response.headers.add("content-type", content_type)
    return response


def tag_to(response: Response, tag: str) -> None:
    """Give the To a tag unless it has one. Raises ``MessageError``."""
    if not response.to.tag:
        # The rest stays as it was written: some peers compare it as text.
        response.headers.replace_first("to", f"{response.headers.get('to')};tag={tag}")
