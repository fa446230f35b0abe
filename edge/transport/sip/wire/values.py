"""Header values that are read and written piece by piece: Via, CSeq, addresses, and their kin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import (
    SPACE,
    format_parameters,
    is_token,
    parse_number,
    parse_parameters,
    quote,
    quoted_length,
    split_outside,
    unquote,
)
from edge.transport.sip.wire.uri import SipUri, bracketed, is_uri, parse_host_port

MAX_CSEQ = 2**31
"""CSeq numbers are below this (RFC 3261 section 8.1.1.5)."""

MAGIC = "z9hG4bK"
"""How the branch of an RFC 3261 element begins (section 8.1.1.7)."""


@dataclass(frozen=True, slots=True)
class Via:
    """One Via (RFC 3261 section 20.42). ``transport`` in upper case; ``host`` without brackets."""

    transport: str
    host: str
    port: int | None = None
    parameters: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """With spaces wherever the grammar allows them, and of any version of SIP: one that is not
        ours is answered too, with 505. Raises ``MessageError``."""
        sent, *parameters = split_outside(text, ";")
        name, version, rest = (*sent.replace("\t", " ").split("/", 2), "", "")[:3]
        if name.strip(SPACE).lower() != "sip" or not is_token(version.strip(SPACE)):
            raise MessageError("a Via is malformed")
        transport, _, sent_by = rest.strip(SPACE).partition(" ")
        if not is_token(transport):
            raise MessageError("a Via is malformed")
        host, port = parse_host_port(sent_by.replace(" ", ""))
        return cls(transport.upper(), host, port, parse_parameters(parameters))

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return (
            f"SIP/2.0/{self.transport} {bracketed(self.host)}{port}"
            f"{format_parameters(self.parameters)}"
        )

    @property
    def branch(self) -> str:
        """The branch, or an empty string."""
        return self.parameters.get("branch") or ""

    @property
    def sent_by(self) -> str:
        """``host:port`` as part of a transaction's key (section 17.2.3)."""
        return f"{self.host}:{self.port or ''}"

    def with_parameter(self, name: str, value: str | None) -> Self:
        """The same with one parameter set."""
        return replace(self, parameters={**self.parameters, name: value})


@dataclass(frozen=True, slots=True)
class CSeq:
    """RFC 3261 section 20.16."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``MessageError``."""
        number, _, method = text.replace("\t", " ").strip(SPACE).partition(" ")
        method = method.lstrip(SPACE)
        if not is_token(method) or parse_number(number) >= MAX_CSEQ:
            raise MessageError("the CSeq is malformed")
        return cls(int(number), method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A From, To, Contact, Route, Refer-To and their kin: an address with parameters.

    ``uri`` is as written, since a route must come back unchanged; :meth:`sip_uri` reads it.
    """

    uri: str
    display: str = ""
    parameters: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``MessageError``."""
        first, *parameters = split_outside(text, ";")
        if "<" not in first:
            # A URI with a comma, a semicolon or a question mark needs brackets (section 20).
            if not is_uri(first) or "?" in first:
                raise MessageError("an address is malformed")
            return cls(first, "", parse_parameters(parameters))
        name, bracket, rest = first[quoted_length(first) :].partition("<")
        uri, _, behind = rest.partition(">")
        uri = uri.strip(SPACE)
        if not bracket or behind or not is_uri(uri):
            raise MessageError("an address is malformed")
        display = unquote(first[: quoted_length(first)]) or name.strip(SPACE)
        return cls(uri, display, parse_parameters(parameters))

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{format_parameters(self.parameters)}"

    @property
    def tag(self) -> str:
        """The tag, or an empty string."""
        return self.parameters.get("tag") or ""

    def with_tag(self, tag: str) -> Self:
        """The same with a tag."""
        return replace(self, parameters={**self.parameters, "tag": tag})

    def sip_uri(self) -> SipUri:
        """Raises ``MessageError`` when it is another kind of URI."""
        return SipUri.parse(self.uri)
