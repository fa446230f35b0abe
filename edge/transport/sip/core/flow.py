"""Where messages come from and go to."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal, TypeAlias

from edge.transport.sip.wire.uri import SipUri

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


def destination_of(uri: SipUri) -> Destination:
    """Where a request for ``uri`` goes (RFC 3263); by UDP when it names a transport of others."""
    match uri.transport:
        case "tcp" | "tls" as transport:
            return Destination(transport, uri.host, uri.port)
        case _:
            return Destination("udp", uri.host, uri.port)


def is_numeric(host: str) -> bool:
    """Whether ``host`` is an address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
