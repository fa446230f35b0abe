"""SIP and SIPS URIs (RFC 3261 section 19.1)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import quote_from_bytes, unquote_to_bytes

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import (
    SPACE,
    format_parameters,
    parse_parameters,
    to_bytes,
    to_text,
)

MAX_URI = 1024
"""Longest URI that is read, characters."""

MAX_HOST = 255
"""Longest host, characters (RFC 1035 section 2.3.4)."""

_HOST = re.compile(r"[a-zA-Z0-9._-]++")
_FORBIDDEN = re.compile(r'[\x00-\x20\x7f<>"]')
_IN_USER = "-_.!~*'()&=+$,;?/#"
"""Characters of a user that are written as they are, beside letters and digits. Telephones dial
``#``, and many of their makers do not escape it."""


@dataclass(frozen=True, slots=True)
class SipUri:
    """``sip:user@host:port;parameters?headers``. ``host`` is without brackets, in lower case.

    ``user`` is decoded; a password is not kept. ``port`` None means the transport's default.
    ``headers`` is as written.
    """

    host: str
    user: str | None = None
    port: int | None = None
    scheme: str = "sip"
    parameters: Mapping[str, str | None] = field(default_factory=dict)
    headers: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The URI. Raises ``MessageError``; status 416 for another scheme, 414 when too long."""
        if len(text) > MAX_URI:
            raise MessageError("the URI is too long", 414)
        text = text.strip(SPACE)
        scheme, colon, rest = text.partition(":")
        scheme = scheme.lower()
        if not colon or scheme not in ("sip", "sips"):
            raise MessageError("not a SIP URI", 416)
        if not is_uri(text):
            raise MessageError("the URI is malformed")
        # The user may hold a question mark, and sloppy headers an unescaped at sign.
        question = rest.find("?", rest.find("@") + 1)
        rest, headers = (rest[:question], rest[question + 1 :]) if question >= 0 else (rest, "")
        userinfo, at, hostpart = rest.rpartition("@")
        address, *parameters = hostpart.split(";")
        host, port = parse_host_port(address)
        user = to_text(unquote_to_bytes(to_bytes(userinfo.partition(":")[0]))) if at else None
        return cls(host, user, port, scheme, parse_parameters(parameters), headers)

    def __str__(self) -> str:
        user = "" if self.user is None else f"{quote_from_bytes(to_bytes(self.user), _IN_USER)}@"
        headers = f"?{self.headers}" if self.headers else ""
        return (
            f"{self.scheme}:{user}{bracketed(self.host)}"
            f"{'' if self.port is None else f':{self.port}'}"
            f"{format_parameters(self.parameters)}{headers}"
        )

    @property
    def transport(self) -> str:
        """``udp``, ``tcp`` or ``tls``: the parameter's, or what the scheme implies.

        In lower case; from a hostile URI it can be any other word.
        """
        named = (self.parameters.get("transport") or "").lower()
        if self.scheme == "sips" or named == "tls":
            return "tls"
        return named or "udp"

    def without_headers(self) -> Self:
        """The URI as a request target."""
        return replace(self, headers="")


def is_uri(text: str) -> bool:
    """Whether ``text`` could stand as a URI of any scheme: not empty, not longer than ``MAX_URI``,
    without spaces, control characters, quotes and angle brackets."""
    return 0 < len(text) <= MAX_URI and _FORBIDDEN.search(text) is None


def is_tel(text: str) -> bool:
    """Whether a URI is a telephone number (RFC 3966), as carriers also write what was dialled."""
    return text[:4].lower() == "tel:" and is_uri(text)


def bracketed(host: str) -> str:
    """``host`` as it stands in a URI or Via: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def parse_host_port(text: str) -> tuple[str, int | None]:
    """``host``, ``host:port``, ``[v6]`` or ``[v6]:port``; the host in lower case, without brackets.

    Raises ``MessageError``.
    """
    text = text.strip(SPACE)
    if text.startswith("["):
        inside, closed, rest = text[1:].partition("]")
        if not closed or "%" in inside or (rest and not rest.startswith(":")):
            raise MessageError("a host is malformed")
        try:
            host = str(ipaddress.IPv6Address(inside))
        except ValueError as error:
            raise MessageError("an IPv6 address is malformed") from error
        port = rest[1:]
    else:
        host, _, port = text.partition(":")
        host = host.strip(SPACE)
        if len(host) > MAX_HOST or not _HOST.fullmatch(host):
            raise MessageError("a host is malformed")
        host = host.lower()
    return host, parse_port(port) if port else None


def parse_port(text: str) -> int:
    """A port number, 1 to 65535. Raises ``MessageError``."""
    text = text.strip(SPACE)
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or not 0 < int(text) < 65536:
        raise MessageError("the port is no number from 1 to 65535")
    return int(text)
