"""Header fields (RFC 3261 section 7.3): their names, their order, and what can never be in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edge.transport.sip.wire.errors import MessageError, MessageTooLarge
from edge.transport.sip.wire.grammar import MAX_PARTS, is_token, one_line, split_outside

COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
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
    "y": "identity",
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
        "p-preferred-identity",
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
    """Header fields in order. Names are compared in lower case, compact forms spelled out.

    A value never holds a CR, LF or NUL: each becomes a space when it is put in, whoever it comes
    from. A name that is no token is refused with ``MessageError``.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = [_field(name, value) for name, value in items]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"

    def get(self, name: str) -> str | None:
        """The first field's value as it stands, or None."""
        wanted = canonical(name)
        return next((value for key, value in self._items if key == wanted), None)

    def lines(self, name: str) -> tuple[str, ...]:
        """The value of every field of that name, as it stands."""
        wanted = canonical(name)
        return tuple(value for key, value in self._items if key == wanted)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value; lists are split at their commas, empty values left out.

        Raises ``MessageError``, and ``MessageTooLarge`` for more than ``MAX_PARTS``.
        """
        found = self.lines(name)
        if canonical(name) in LISTS:
            found = tuple(part for line in found for part in split_outside(line, ",") if part)
        if len(found) > MAX_PARTS:
            raise MessageTooLarge("a header has too many values")
        return found

    def tokens(self, name: str) -> frozenset[str]:
        """The values of a list such as Supported, in lower case. Raises ``MessageError``."""
        return frozenset(value.lower() for value in self.all(name))

    def add(self, name: str, value: str) -> None:
        """Append a field. Raises ``MessageError``."""
        self._items.append(_field(name, value))

    def set(self, name: str, value: str) -> None:
        """Put one field in place of all of that name. Raises ``MessageError``."""
        field = _field(name, value)
        self.remove(name)
        self._items.append(field)

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
        fields = [_field(wanted, text) for text in (value, *rest)]
        index = next((i for i, (key, _) in enumerate(self._items) if key == wanted), 0)
        self.remove(wanted)
        self._items[index:index] = fields

    def copy(self) -> Headers:
        """An independent copy."""
        fresh = Headers()
        fresh._items = list(self._items)
        return fresh


def canonical(name: str) -> str:
    """A header's full name in lower case."""
    lower = name.lower()
    return COMPACT.get(lower, lower)


def pretty(name: str) -> str:
    """A header's name as RFC 3261 writes it."""
    return _ODD_NAMES.get(name) or "-".join(part.capitalize() for part in name.split("-"))


def _field(name: str, value: str) -> tuple[str, str]:
    if not is_token(name):
        raise MessageError("a header's name is malformed")
    return canonical(name), one_line(value)
