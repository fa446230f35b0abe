"""What all sessions of one user agent stand on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.transport.sip.core.flow import Destination, Flow
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.core.timers import Timers
from edge.transport.sip.core.transactions import TransactionLayer

Header: TypeAlias = tuple[str, str]

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY"
"""Methods that are understood, for the Allow header (RFC 3261 section 20.5)."""
UNWILLING = 603
"""How an INVITE is answered that is not taken when no owner says why. After a 603 nobody looks for
another place (RFC 3261 section 21.6.2); after a 480 or 503 many trunks try their next route, which
may lie where the call must not go."""
METHODS = frozenset(ALLOW.split(", "))
ACCEPT = "application/sdp, multipart/mixed"
"""Bodies of an INVITE that are understood."""


@dataclass(slots=True)
class Context:
    """``contact`` gives the URI at which we can be reached from a destination; ``send`` sends a
    message that is no transaction's."""

    timers: Timers
    transactions: TransactionLayer
    send: Callable[[Destination, bytes], None]
    contact: Callable[[Destination], str]
    user_agent: str
    rng: random.Random
    settings: AgentSettings
    arriving: Flow | None = None
    """Where the message came from that is being handled."""

    def token(self) -> str:
        """64 random bits: a tag, or part of a Call-ID."""
        return f"{self.rng.getrandbits(64):016x}"

    @property
    def extensions(self) -> tuple[str, ...]:
        """The option tags of what we understand (RFC 3261 section 19.2)."""
        always = ("timer", "norefersub", "100rel")
        return (*always, "replaces") if self.settings.allow_replaces else always

    def about(self, named: Literal["server", "user-agent"], reliable: bool = True) -> list[Header]:
        """What an INVITE, an UPDATE, an OPTIONS or a 2xx to one says of us.

        Without ``reliable`` no provisional answer needs a PRACK.
        """
        tags = [tag for tag in self.extensions if reliable or tag != "100rel"]
        return [("allow", ALLOW), ("supported", ", ".join(tags)), (named, self.user_agent)]
