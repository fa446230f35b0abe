"""When to try again (RFC 3261 section 20.33)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.grammar import SPACE, parse_delta, parse_parameters, split_outside


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Both in seconds; ``duration`` is for how long one will be reachable then, None: no end."""

    seconds: int
    duration: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """A comment, ``(as this)``, is left out. Raises ``MessageError``."""
        before, opened, rest = text.partition("(")
        if opened:
            _, closed, after = rest.rpartition(")")
            if not closed:
                raise MessageError("a comment is not closed")
            before += after
        seconds, *parts = split_outside(before.strip(SPACE), ";")
        duration = parse_parameters(parts).get("duration")
        return cls(parse_delta(seconds), None if duration is None else parse_delta(duration))

    def __str__(self) -> str:
        return str(self.seconds) + ("" if self.duration is None else f";duration={self.duration}")
