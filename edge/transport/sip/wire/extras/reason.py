"""Why a request or a refusal was sent (RFC 3326)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import (
    is_token,
    parse_number,
    parse_parameters,
    quote,
    split_outside,
    unquote,
)


@dataclass(frozen=True, slots=True)
class Reason:
    """``protocol`` is ``SIP`` (then ``cause`` is a status) or ``Q.850`` (an ISDN cause), or any
    other; of one protocol a message has one Reason at most."""

    protocol: str
    cause: int | None = None
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """One value. Raises ``MessageError``."""
        protocol, *rest = split_outside(text, ";")
        if not is_token(protocol):
            raise MessageError("a Reason is malformed")
        parameters = parse_parameters(rest)
        cause = parameters.get("cause")
        return cls(
            protocol,
            None if cause is None else parse_number(cause, digits=5),
            unquote(parameters.get("text") or ""),
        )

    def __str__(self) -> str:
        cause = "" if self.cause is None else f";cause={self.cause}"
        return f"{self.protocol}{cause}{f';text={quote(self.text)}' if self.text else ''}"
