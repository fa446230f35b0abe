"""Which session a new one takes the place of (RFC 3891)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import MAX_PARTS, SPACE, parse_parameters


@dataclass(frozen=True, slots=True)
class Replaces:
    """Tags are named as the *recipient* of the header has them: ``to_tag`` is its own tag."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``MessageError``."""
        # A Call-ID may hold quotes and angle brackets, but no semicolon.
        call_id, *rest = text.split(";", MAX_PARTS + 1)
        parameters = parse_parameters(rest)
        to_tag, from_tag = parameters.get("to-tag"), parameters.get("from-tag")
        call_id = call_id.strip(SPACE)
        if not call_id or to_tag is None or from_tag is None:
            raise MessageError("a Replaces is malformed")
        return cls(call_id, to_tag, from_tag, "early-only" in parameters)

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"
