"""SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import quote as percent
from urllib.parse import unquote as unpercent

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import format_parameters, parse_parameters

MAX_URI = 1024
"""Longest URI that is read, characters."""

_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")


@dataclass(frozen=True, slots=True)
class SipUri:
    """``sip:user@host:port;parameters?headers``. ``host`` is without brackets, in lower case.

    ``user`` is decoded; a password is not kept. ``port`` None means the transport's default.
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
        scheme, colon, rest = text.strip().partition(":")
        scheme = scheme.lower()
        if not colon or scheme not in ("sip", "sips"):
            raise MessageError("not a SIP URI", 416)
        rest, _, headers = rest.partition("?") if "?" in rest.rpartition("@")[2] else (rest, "", "")
        userinfo, at, hostpart = rest.rpartition("@")
        address, *parameters = hostpart.split(";")
        host, port = _host_port(address)
        user = unpercent(userinfo.partition(":")[0]) if at else None
        return cls(host, user, port, scheme, parse_parameters(parameters), headers)

    def __str__(self) -> str:
        user = "" if self.user is None else percent(self.user, safe="-_.!~*'()&=+$,;?/#") + "@"
        headers = f"?{self.headers}" if self.headers else ""
        return (
            f"{self.scheme}:{user}{bracketed(self.host)}"
            f"{'' if self.port is None else f':{self.port}'}"
            f"{format_parameters(self.parameters)}{headers}"
        )

    @property
    def transport(self) -> str:
        """``udp``, ``tcp`` or ``tls``: the parameter's, or what the scheme implies."""
        named = (self.parameters.get("transport") or "").lower()
        if self.scheme == "sips" or named == "tls":
            return "tls"
        return named or "udp"

    def without_headers(self) -> Self:
        """The URI as a request target."""
        return replace(self, headers="")


def bracketed(host: str) -> str:
    """``host`` as it stands in a URI or Via: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _host_port(text: str) -> tuple[str, int | None]:
    """``host``, ``host:port``, ``[v6]`` or ``[v6]:port``. Raises ``MessageError``."""
    text = text.strip()
    if text.startswith("["):
        inside, closed, rest = text[1:].partition("]")
        try:
            host = str(ipaddress.IPv6Address(inside))
        except ValueError as error:
            raise MessageError("the URI's IPv6 address is malformed") from error
        if not closed or (rest and not rest.startswith(":")):
            raise MessageError("the URI's host is malformed")
        port = rest[1:]
    else:
        host, _, port = text.partition(":")
        host = host.strip().lower()
        if not host or not _HOST.issuperset(host):
            raise MessageError("the URI's host is malformed")
    return host, parse_port(port) if port else None


def parse_port(text: str) -> int:
    """A port number, 1 to 65535. Raises ``MessageError``."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or not 0 < int(text) < 65536:
        raise MessageError("the port is no number from 1 to 65535")
    return int(text)
