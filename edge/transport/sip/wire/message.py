"""Requests and responses (RFC 3261 section 7): a tolerant, bounded parser and the writer.

The parser takes folded and compact headers and any case, runs in linear time, and raises nothing
but ``MessageError``. Header values stay text; the properties read those that everybody needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from edge.transport.sip.wire.errors import MessageError, MessageTooLarge
from edge.transport.sip.wire.grammar import TOKEN, split_outside
from edge.transport.sip.wire.uri import MAX_URI
from edge.transport.sip.wire.values import CSeq, NameAddr, Via

MAX_MESSAGE = 65_535
"""Longest message that is read, bytes: the longest datagram."""
MAX_HEADERS = 256
MAX_HEADER = 8_192
"""Longest header line, unfolded, characters."""

COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
}
"""Compact forms (RFC 3261 section 7.3.3, and those of the extensions)."""

LISTS = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "alert-info",
        "allow",
        "allow-events",
        "call-info",
        "contact",
        "content-encoding",
        "content-language",
        "diversion",
        "error-info",
        "history-info",
        "in-reply-to",
        "p-asserted-identity",
        "path",
        "proxy-require",
        "reason",
        "record-route",
        "require",
        "route",
        "service-route",
        "supported",
        "unsupported",
        "user-to-user",
        "via",
        "warning",
    }
)
"""Headers whose values may be put into one line with commas."""

REQUIRED = ("via", "from", "to", "call-id", "cseq")
_ODD_NAMES = {
    "call-id": "Call-ID",
    "cseq": "CSeq",
    "www-authenticate": "WWW-Authenticate",
    "mime-version": "MIME-Version",
    "rack": "RAck",
    "rseq": "RSeq",
    "min-se": "Min-SE",
}


class Headers:
    """Header fields in order. Names are compared in lower case, compact forms spelled out."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = [(canonical(name), value) for name, value in items]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"

    def get(self, name: str) -> str | None:
        """The first field's value as it stands, or None."""
        wanted = canonical(name)
        return next((value for key, value in self._items if key == wanted), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value; lists are split at their commas. Raises ``MessageError``."""
        wanted = canonical(name)
        values = [value for key, value in self._items if key == wanted]
        if wanted not in LISTS:
            return tuple(values)
        return tuple(part for value in values for part in split_outside(value, ",") if part)

    def tokens(self, name: str) -> frozenset[str]:
        """The values of a list such as Supported, in lower case."""
        return frozenset(value.lower() for value in self.all(name))

    def add(self, name: str, value: str) -> None:
        """Append a field."""
        self._items.append((canonical(name), value))

    def set(self, name: str, value: str) -> None:
        """Put one field in place of all of that name."""
        self.remove(name)
        self.add(name, value)

    def remove(self, name: str) -> None:
        """Drop every field of that name."""
        wanted = canonical(name)
        self._items = [item for item in self._items if item[0] != wanted]

    def replace_first(self, name: str, value: str) -> None:
        """Put ``value`` where the first value of a list header stands, leaving the others.

        Raises ``MessageError``.
        """
        wanted = canonical(name)
        rest = self.all(wanted)[1:]
        index = next((i for i, (key, _) in enumerate(self._items) if key == wanted), 0)
        self.remove(wanted)
        self._items[index:index] = [(wanted, text) for text in (value, *rest)]

    def copy(self) -> Headers:
        """An independent copy."""
        fresh = Headers()
        fresh._items = list(self._items)
        return fresh


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
        return CSeq.parse(self.headers.get("cseq") or "-")

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
        return (self.headers.get("content-type") or "").partition(";")[0].strip().lower()

    def _encode(self, start: str) -> bytes:
        lines = [start]
        lines += [
            f"{pretty(name)}: {value}" for name, value in self.headers if name != "content-length"
        ]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


@dataclass(slots=True)
class Request(_Message):
    """``uri`` is as written: a proxy's or PBX's own spelling goes back unchanged."""

    method: str
    uri: str

    def encode(self) -> bytes:
        """As bytes, Content-Length included."""
        return self._encode(f"{self.method} {self.uri} SIP/2.0")


@dataclass(slots=True)
class Response(_Message):
    status: int
    reason: str

    def encode(self) -> bytes:
        """As bytes, Content-Length included."""
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")


Message: TypeAlias = Request | Response


def canonical(name: str) -> str:
    """A header's full name in lower case."""
    lower = name.lower()
    return COMPACT.get(lower, lower)


def pretty(name: str) -> str:
    """A header's name as RFC 3261 writes it."""
    return _ODD_NAMES.get(name) or "-".join(part.capitalize() for part in name.split("-"))


def parse_message(data: bytes) -> Message:
    """One whole message; bytes behind its Content-Length are ignored (RFC 3261 section 18.3).

    Raises ``MessageError`` and ``MessageTooLarge``.
    """
    if len(data) > MAX_MESSAGE:
        raise MessageTooLarge("the message is too long")
    head, blank, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not blank:
        raise MessageError("the header does not end")
    lines = _unfold(head.decode("utf-8", "surrogateescape"))
    start, fields = lines[0], lines[1:]
    if len(fields) > MAX_HEADERS:
        raise MessageTooLarge("there are too many headers")
    headers = Headers()
    for line in fields:
        name, colon, value = line.partition(":")
        name = name.rstrip()
        if not colon or not name or not TOKEN.issuperset(name):
            raise MessageError("a header line is malformed")
        headers.add(name, value.strip())
    message = _start(start, headers)
    message.body = _body(headers, body)
    _check(message)
    return message


def _unfold(head: str) -> list[str]:
    lines: list[str] = []
    for line in head.split("\r\n"):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
        if len(lines[-1]) > MAX_HEADER:
            raise MessageTooLarge("a header is too long")
    return lines


def _start(line: str, headers: Headers) -> Message:
    first, space, rest = line.partition(" ")
    if first.upper() == "SIP/2.0":
        status, _, reason = rest.partition(" ")
        if not (status.isascii() and status.isdigit()) or len(status) != 3 or status < "100":
            raise MessageError("the status line is malformed")
        return Response(int(status), reason, headers=headers)
    uri, space, version = rest.rpartition(" ")
    if not space or not TOKEN.issuperset(first) or not uri or uri != uri.strip():
        raise MessageError("the request line is malformed", 400, headers)
    if version.upper() != "SIP/2.0":
        raise MessageError("the version is not SIP/2.0", 505, headers)
    if len(uri) > MAX_URI:
        raise MessageError("the URI is too long", 414, headers)
    return Request(first, uri, headers=headers)


def _body(headers: Headers, body: bytes) -> bytes:
    length = headers.get("content-length")
    if length is None:
        return body
    if not (length.isascii() and length.isdigit()) or len(length) > 6 or int(length) > len(body):
        raise MessageError("the Content-Length is wrong", 400, headers)
    return body[: int(length)]


def _check(message: Message) -> None:
    missing = [name for name in REQUIRED if not message.headers.get(name)]
    if missing:
        raise MessageError(f"there is no {pretty(missing[0])}", 400, message.headers)
    try:
        cseq = message.cseq
        message.via, message.from_, message.to  # noqa: B018  # each raises when malformed
    except MessageError as error:
        raise MessageError(error.detail, 400, message.headers) from error
    if isinstance(message, Request) and cseq.method != message.method:
        raise MessageError("the CSeq is of another method", 400, message.headers)
