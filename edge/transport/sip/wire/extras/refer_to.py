"""Where a transfer goes to (RFC 3515), with the headers of the INVITE that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote_from_bytes, unquote_to_bytes

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.replaces import Replaces
from edge.transport.sip.wire.grammar import MAX_PARTS, to_bytes, to_text
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import NameAddr

_PLAIN = "-_.!~*'()"
"""What is never escaped in a URI (RFC 3261 section 25.1, mark)."""


@dataclass(frozen=True, slots=True)
class ReferTo:
    """``uri`` is the target without headers, as written; ``headers`` are decoded, in order.

    Headers that came from the network say what their sender likes: take those that are meant,
    such as Replaces, and no others (RFC 3261 section 19.1.5).
    """

    uri: str
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``MessageError``; status 416 for a URI that is not SIP."""
        uri = NameAddr.parse(text).uri
        written = SipUri.parse(uri).headers
        fields = written.split("&", MAX_PARTS)
        if len(fields) > MAX_PARTS:
            raise MessageError("a URI has too many headers")
        pairs = [field.partition("=") for field in fields if field]
        headers = tuple((_unescape(name), _unescape(value)) for name, _, value in pairs)
        return cls(uri.removesuffix(f"?{written}"), headers)

    def __str__(self) -> str:
        return f"<{self.target}>"

    @property
    def target(self) -> str:
        """The URI together with its headers."""
        fields = "&".join(f"{_escape(name)}={_escape(value)}" for name, value in self.headers)
        return f"{self.uri}{'?' if fields else ''}{fields}"

    def with_header(self, name: str, value: str) -> Self:
        """The same with one more header."""
        return replace(self, headers=(*self.headers, (name, value)))

    @property
    def replaces(self) -> Replaces | None:
        """The session that the target is to give up. Raises ``MessageError``."""
        found = next((value for name, value in self.headers if name.lower() == "replaces"), None)
        return None if found is None else Replaces.parse(found)


def _escape(text: str) -> str:
    return quote_from_bytes(to_bytes(text), _PLAIN)


def _unescape(text: str) -> str:
    return to_text(unquote_to_bytes(to_bytes(text)))
