"""Header values that are read and written piece by piece: Via, CSeq, addresses, and their kin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import (
    TOKEN,
    format_parameters,
    parse_parameters,
    quote,
    split_outside,
    unquote,
)
from edge.transport.sip.wire.uri import SipUri, _host_port, bracketed

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
        """Raises ``MessageError``."""
        sent, *parameters = split_outside(text, ";")
        protocol, _, sent_by = sent.replace("\t", " ").strip().rpartition(" ")
        name = [part.strip() for part in protocol.split("/")]
        if len(name) != 3 or name[0].upper() != "SIP" or name[1] != "2.0" or not name[2]:
            # ``SIP / 2.0 / UDP host : port`` is legal: put the pieces together again.
            return cls._spaced(sent, parameters)
        host, port = _host_port(sent_by)
        return cls(name[2].upper(), host, port, parse_parameters(parameters))

    @classmethod
    def _spaced(cls, sent: str, parameters: list[str]) -> Self:
        pieces = [part.strip() for part in sent.split("/", 2)]
        if len(pieces) != 3 or pieces[0].upper() != "SIP" or pieces[1] != "2.0":
            raise MessageError("a Via is malformed")
        transport, *rest = pieces[2].split(None, 1)
        if not rest:
            raise MessageError("a Via is malformed")
        host, port = _host_port("".join(rest[0].split()))
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
        number, *rest = text.split()
        if not number.isascii() or not number.isdigit() or len(number) > 10 or len(rest) != 1:
            raise MessageError("the CSeq is malformed")
        if int(number) >= MAX_CSEQ or not TOKEN.issuperset(rest[0]):
            raise MessageError("the CSeq is malformed")
        return cls(int(number), rest[0])

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
            if not first or any(character.isspace() for character in first):
                raise MessageError("an address is malformed")
            return cls(first, "", parse_parameters(parameters))
        end = _past_quote(first)
        bracket = first.index("<", end) if "<" in first[end:] else -1
        close = first.find(">", bracket)
        if bracket < 0 or close < 0 or first[close + 1 :].strip():
            raise MessageError("an address is malformed")
        display = unquote(first[:bracket].strip())
        return cls(first[bracket + 1 : close].strip(), display, parse_parameters(parameters))

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


def _past_quote(text: str) -> int:
    """Where a leading quoted display name ends."""
    stripped = text.lstrip()
    offset = len(text) - len(stripped)
    if not stripped.startswith('"'):
        return 0
    index = 1
    while index < len(stripped) and stripped[index] != '"':
        index += 2 if stripped[index] == "\\" else 1
    return offset + index + 1
