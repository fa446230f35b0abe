"""Requests and responses (RFC 3261 section 7): a tolerant, bounded parser and the writer.

The parser takes folded and compact headers and any case, runs in linear time, and raises nothing
but ``MessageError``. Header values stay text; the properties read those that everybody needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self, TypeAlias

from edge.transport.sip.wire.errors import MessageError, MessageTooLarge
from edge.transport.sip.wire.grammar import SPACE, is_token, one_line, to_bytes, to_text
from edge.transport.sip.wire.headers import Headers, canonical, pretty
from edge.transport.sip.wire.uri import MAX_URI, is_uri
from edge.transport.sip.wire.values import CSeq, NameAddr, Via

__all__ = [
    "MAX_HEADER",
    "MAX_HEADERS",
    "MAX_LINES",
    "MAX_MESSAGE",
    "Head",
    "Headers",
    "Message",
    "Request",
    "Response",
    "canonical",
    "parse_message",
    "parse_status_line",
    "pretty",
]

MAX_MESSAGE = 65_535
"""Longest message that is read, bytes: the longest datagram."""
MAX_HEADERS = 256
MAX_LINES = 1_024
"""Most lines before the body, folded ones too."""
MAX_HEADER = 8_192
"""Longest header line, unfolded, characters."""

REQUIRED = ("via", "from", "to", "call-id", "cseq")
_SINGLE = frozenset({"from", "to", "call-id", "cseq", "max-forwards"})
"""What may stand only once; another proxy than us might have read the other one."""
_FOLD = re.compile(r"\r\n[ \t]++")


@dataclass(slots=True)
class _Message:
    headers: Headers = field(default_factory=Headers, kw_only=True)
    body: bytes = field(default=b"", kw_only=True)

    @property
    def via(self) -> Via:
        """The topmost Via. Raises ``MessageError``."""
        vias = self.headers.all("via")
        if not vias:
            raise MessageError("there is no Via")
        return Via.parse(vias[0])

    @property
    def cseq(self) -> CSeq:
        """Raises ``MessageError``."""
        return CSeq.parse(self.headers.get("cseq") or "")

    @property
    def call_id(self) -> str:
        return self.headers.get("call-id") or ""

    @property
    def from_(self) -> NameAddr:
        """Raises ``MessageError``."""
        return NameAddr.parse(self.headers.get("from") or "")

    @property
    def to(self) -> NameAddr:
        """Raises ``MessageError``."""
        return NameAddr.parse(self.headers.get("to") or "")

    @property
    def contact(self) -> NameAddr | None:
        """The first contact. Raises ``MessageError``."""
        found = self.headers.all("contact")
        return NameAddr.parse(found[0]) if found else None

    @property
    def content_type(self) -> str:
        """``type/subtype`` in lower case, without parameters; empty when there is none."""
        return (self.headers.get("content-type") or "").partition(";")[0].strip(SPACE).lower()

    def _encode(self, start: str) -> bytes:
        lines = [one_line(start)]
        lines += [
            f"{pretty(name)}: {value}" for name, value in self.headers if name != "content-length"
        ]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return to_bytes("\r\n".join(lines)) + self.body


@dataclass(slots=True)
class Request(_Message):
    """``uri`` is as written: a proxy's or PBX's own spelling goes back unchanged."""

    method: str
    uri: str

    def encode(self) -> bytes:
        """As bytes, Content-Length included. No value can bring in a line of its own."""
        return self._encode(f"{self.method} {self.uri} SIP/2.0")


@dataclass(slots=True)
class Response(_Message):
    status: int
    reason: str

    def encode(self) -> bytes:
        """As bytes, Content-Length included. No value can bring in a line of its own."""
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")


Message: TypeAlias = Request | Response


def parse_message(data: bytes) -> Message:
    """The message in one datagram (RFC 3261 section 18.3).

    Without a Content-Length the body reaches to the end; bytes behind it are ignored; a body that
    is cut short is an error. Lines end with CRLF, or all of them with LF, as typed by hand: a
    mixture is refused, since the proxy before us may have seen other headers in it.

    Raises ``MessageError`` and ``MessageTooLarge``.
    """
    if len(data) > MAX_MESSAGE:
        raise MessageTooLarge("the message is too long")
    data = data.lstrip(b"\r\n")
    bare, whole = data.find(b"\n\n"), data.find(b"\r\n\r\n")
    if bare >= 0 and data.find(b"\r", 0, bare) < 0:
        head = Head.read(data[:bare].replace(b"\n", b"\r\n"))
        body = data[bare + 2 :]
    elif whole >= 0:
        head = Head.read(data[:whole])
        body = data[whole + 4 :]
    else:
        raise MessageError("the header does not end")
    length = head.length()
    if length is None:
        length = len(body)
    elif length > len(body):
        raise head.explained(MessageError("the body is cut short"))
    return head.message(body[:length])


class Head:
    """What stands before a message's body: read once, and used when the body is there too."""

    __slots__ = ("_fault", "_start", "headers")

    def __init__(self, start: str, headers: Headers, fault: MessageError | None) -> None:
        self._start = start
        self.headers = headers
        self._fault = fault

    @classmethod
    def read(cls, data: bytes) -> Self:
        """``data`` without the empty line. Raises ``MessageError`` when it is beyond the bounds, or
        its lines do not end as they should; other faults come with :meth:`message`."""
        ends = data.count(b"\r\n")
        if ends >= MAX_LINES:
            raise MessageTooLarge("there are too many lines")
        if data.count(b"\r") != ends or data.count(b"\n") != ends:
            raise MessageError("a line does not end with CRLF")
        # A quoted NUL is legal (RFC 4475 section 3.1.1.2), and good for nothing.
        text = to_text(data).replace("\0", " ")
        start, *lines = _FOLD.sub(" ", text).split("\r\n")
        if len(lines) > MAX_HEADERS:
            raise MessageTooLarge("there are too many headers")
        headers = Headers()
        fault: MessageError | None = None
        for line in lines:
            if len(line) > MAX_HEADER:
                raise MessageTooLarge("a header is too long")
            name, colon, value = line.partition(":")
            try:
                headers.add(name.rstrip(SPACE) if colon else "", value.strip(SPACE))
            except MessageError as error:
                fault = error
        return cls(start, headers, fault)

    def length(self) -> int | None:
        """The Content-Length; None when there is none. Raises ``MessageError``."""
        found = set(self.headers.lines("content-length"))
        if not found:
            return None
        text = found.pop()
        if found or not (text.isascii() and text.isdigit()):
            raise self.explained(MessageError("the Content-Length is malformed"))
        if len(text) > 9 or int(text) > MAX_MESSAGE:
            raise self.explained(MessageTooLarge("the Content-Length is too large"))
        return int(text)

    def message(self, body: bytes) -> Message:
        """The message with its ``body``. Raises ``MessageError``."""
        try:
            message = self._started()
            message.body = body
            if self._fault is not None:
                raise self._fault
            _check(message)
        except MessageError as error:
            self.explained(error)
            raise
        return message

    def explained(self, error: MessageError) -> MessageError:
        """``error``, now with the headers when this is a request that may be answered."""
        first = self._start.lstrip(SPACE).partition(" ")[0]
        if "/" not in first and first.upper() != "ACK":
            try:
                Request(first, "", headers=self.headers).via  # noqa: B018  # raises without one
            except MessageError:
                return error
            error.headers = self.headers
        return error

    def _started(self) -> Message:
        if len(self._start) > MAX_HEADER:
            raise MessageTooLarge("the start line is too long")
        status = parse_status_line(self._start)
        if status is not None:
            return Response(*status, headers=self.headers)
        first, _, rest = self._start.strip(SPACE).partition(" ")
        uri, _, version = rest.lstrip(SPACE).rpartition(" ")
        uri = uri.rstrip(SPACE)
        if not is_token(first) or not uri:
            raise MessageError("the request line is malformed")
        if version.lower() != "sip/2.0":
            raise MessageError("the version is not SIP/2.0", 505)
        if len(uri) > MAX_URI:
            raise MessageError("the URI is too long", 414)
        if not is_uri(uri):
            raise MessageError("the URI is malformed")
        return Request(first, uri, headers=self.headers)


def parse_status_line(line: str) -> tuple[int, str] | None:
    """Status and reason phrase; None when it is no status line. Raises ``MessageError``."""
    version, _, rest = line.strip(SPACE).partition(" ")
    if version.lower() != "sip/2.0":
        return None
    status, _, reason = rest.lstrip(SPACE).partition(" ")
    if len(status) != 3 or not (status.isascii() and status.isdigit()):
        raise MessageError("the status line is malformed")
    if not "100" <= status <= "699":
        raise MessageError("there is no such class of status")
    return int(status), reason


def _check(message: Message) -> None:
    names = [name for name, _ in message.headers]
    twice = next((name for name in names if name in _SINGLE and names.count(name) > 1), None)
    if twice:
        raise MessageError(f"there is more than one {pretty(twice)}")
    missing = next((name for name in REQUIRED if not message.headers.get(name)), None)
    if missing:
        raise MessageError(f"there is no {pretty(missing)}")
    cseq = message.cseq
    message.via, message.from_, message.to  # noqa: B018  # each raises when malformed
    for name in ("route", "record-route"):
        for value in message.headers.all(name):
            NameAddr.parse(value)
    if isinstance(message, Request) and cseq.method != message.method:
        raise MessageError("the CSeq is of another method")
