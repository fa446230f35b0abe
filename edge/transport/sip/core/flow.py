"""Where messages come from and go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Transport: TypeAlias = Literal["udp", "tcp", "tls"]
Address: TypeAlias = tuple[str, int]
"""A numeric address without brackets or zone, and a port."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One far end on one of our sockets. ``connection`` numbers stream connections; 0 is UDP's."""

    transport: Transport
    local: Address
    remote: Address
    connection: int = 0

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits by itself."""
        return self.transport != "udp"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to send: ``flow`` while it stands, else ``host`` (a name or an address) anew.

    ``port`` None means that the transport's default, or an SRV record, decides (RFC 3263).
    """

    transport: Transport
    host: str
    port: int | None = None
    flow: Flow | None = None
    name: str = ""
    """The domain that a numeric ``host`` was found for: TLS checks the certificate against it."""

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits by itself."""
        return self.transport != "udp"


def back_to(flow: Flow) -> Destination:
    """To where the message that came over ``flow`` was sent from."""
    return Destination(flow.transport, flow.remote[0], flow.remote[1], flow)
