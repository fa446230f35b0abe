"""Where the user agent listens, what it says of itself, and what it bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal, TypeAlias

from edge.transport.sip.core.flow import Address, Transport

Network: TypeAlias = IPv4Network | IPv6Network
ClientCertificates: TypeAlias = Literal["off", "optional", "required"]

DEFAULT_PORTS: Mapping[Transport, int] = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""RFC 3261 section 19.1.2."""


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Our certificate chain and key, PEM. ``ca`` is what client certificates are checked by."""

    certificate: Path
    key: Path
    ca: Path | None = None
    client_certificates: ClientCertificates = "off"


@dataclass(frozen=True, slots=True)
class PeerTls:
    """How the certificate of one far end is checked when we connect to it.

    It must come from ``ca`` (PEM; None means the machine's authorities) and be for the name that
    was asked for; or be the one with this SHA-256 ``fingerprint`` (hexadecimal, colons allowed),
    whatever its name and issuer; or, with ``verify`` off, be anything. ``certificate`` and ``key``
    are ours, when it wants one.
    """

    verify: bool = True
    ca: Path | None = None
    fingerprint: str | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Advertised:
    """What Via and Contact say in place of our own address, behind a NAT that forwards to us.

    A numeric ``host`` is used for its own family only. ``ports`` are those of the outside where
    they differ. Far ends inside ``local`` networks, and loopback, are told our own address.
    """

    host: str
    ports: Mapping[Transport, int] = field(default_factory=dict)
    local: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds against far ends that mean harm. Times are seconds, rates messages per second."""

    connections: int = 2048
    """Stream connections in all, those whose handshake is not done included. The last quarter is
    for trusted networks and for connections of ours."""
    connections_per_source: int = 64
    """Of one IPv4 address or IPv6 /64; a trusted network may use all of them."""
    strangers_tls: int = 256
    """Of those over TLS, how many may be strangers': each costs a third of a megabyte."""
    handshake: float = 10.0
    """For a TLS handshake, and for a TCP connection of ours to be taken."""
    first_message: float = 30.0
    """A connection that said nothing of use until then is closed."""
    idle: float = 900.0
    """A connection over which nothing passed for so long is closed unless it is in use."""
    message: float = 10.0
    """From a message's first byte to its last."""
    unread: float = 10.0
    """How long a far end may leave what we wrote unread."""
    write_buffer: int = 1 << 20
    """Bytes that wait for a far end that does not read."""
    ping: float = 110.0
    """Between pings on a connection of ours (RFC 5626 section 4.4.1), less up to a fifth."""
    pong: float = 10.0
    """After which a far end that used to answer pings is gone (RFC 5626 section 4.4.1)."""
    source_rate: float = 50.0
    source_burst: float = 200.0
    """What one source may send."""
    trusted_rate: float = 2_000.0
    trusted_burst: float = 4_000.0
    """What one address of a trusted network may send."""
    strangers_rate: float = 500.0
    strangers_burst: float = 1_000.0
    """What all that are in no trusted network may send together."""
    waiting_bytes: int = 1 << 18
    """What waits for one destination to be found and connected."""
    waiting_destinations: int = 256
    """Destinations that are looked for at a time."""


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """``udp``, ``tcp`` and ``tls`` are numeric addresses; port 0 takes a free one."""

    udp: tuple[Address, ...] = ()
    tcp: tuple[Address, ...] = ()
    tls: tuple[Address, ...] = ()
    server_tls: ServerTls | None = None
    peers: Mapping[str, PeerTls] = field(default_factory=dict)
    """By the host that is asked for, in lower case; others are checked by the default."""
    advertised: Advertised | None = None
    trusted: tuple[Network, ...] = ()
    """Networks of trunks."""
    large_requests_over_tcp: bool = False
    """Whether requests above 1300 bytes leave UDP for TCP (RFC 3261 section 18.1.1)."""
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.tls and self.server_tls is None:
            raise ValueError("listening for TLS takes a certificate and a key")
        if not (self.udp or self.tcp or self.tls):
            raise ValueError("there is no address to listen on")
        tls = self.server_tls
        if tls is not None and tls.client_certificates != "off" and tls.ca is None:
            raise ValueError("checking client certificates takes a CA file")
