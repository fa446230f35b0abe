"""Where a node begins to send by itself, as its settings and agents say. Pure.

Answers to those who came to it need no way of their own: a barrier that keeps state knows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from edge.dialog.agent import AgentSpec
from edge.dialog.endpoints import uses_of
from edge.phone.settings import PhoneSettings
from edge.settings import NodeSettings
from edge.transport.sip.core.flow import Destination, destination_of
from edge.transport.sip.wire.uri import SipUri
from regions.providers import is_loopback

METADATA = ("169.254.169.254", 80)
"""Where a machine on AWS asks for its role's credentials ("Retrieve instance metadata", Amazon EC2
User Guide, read 2026-11-21)."""
SIP_PORTS = (5060, 5061)
"""RFC 3261, section 19.1.2."""
_PORTS = {"http": 80, "https": 443}


class NoFixedPort(Exception):
    """Media leaves from a port that is not known before the node runs; the text says what to do."""


@dataclass(frozen=True, slots=True)
class TcpWay:
    """A service that is connected to; ``host`` is a name or an address."""

    what: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SipWay:
    """A carrier or PBX that is called; SRV records may say where it is (RFC 3263)."""

    what: str
    destination: Destination


@dataclass(frozen=True, slots=True)
class NetworkWay:
    """A carrier's own machines: requests inside a call go to whichever has it."""

    what: str
    network: str
    tcp_ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UdpSource:
    """Media: to wherever callers are, but from these ports only."""

    what: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Ways:
    """Every way out of one node."""

    tcp: tuple[TcpWay, ...]
    sip: tuple[SipWay, ...]
    networks: tuple[NetworkWay, ...]
    sip_ports: tuple[int, ...]
    """UDP ports that SIP is sent from."""
    media: tuple[UdpSource, ...]


def ways_of(
    settings: NodeSettings, agents: Iterable[AgentSpec], environ: Mapping[str, str]
) -> Ways:
    """Raises :class:`NoFixedPort`, and ``ConfigError`` for an agent that is not complete."""
    phone = settings.sip
    return Ways(
        tcp=(*_control_planes(settings), *services_of(settings, agents, environ)),
        sip=() if phone is None else tuple(dict.fromkeys(_peers(phone))),
        networks=() if phone is None else tuple(_networks(phone)),
        sip_ports=() if phone is None else _sip_ports(phone),
        media=tuple(_media(settings)),
    )


def services_of(
    settings: NodeSettings, agents: Iterable[AgentSpec], environ: Mapping[str, str]
) -> tuple[TcpWay, ...]:
    """What a worker connects to beyond this machine. Raises ``ConfigError``."""
    found = [*_stores(settings)]
    if settings.keys.kms is not None:
        found.append(TcpWay("key service", f"kms.{settings.region}.amazonaws.com", 443))
    recordings = settings.recordings
    bucket = "" if recordings is None else recordings.origin(settings.region)
    if bucket:
        found += _beyond_loopback("recordings", bucket)
    by_role = settings.store is not None and settings.store.aws_cache is not None
    by_role |= bool(bucket) and recordings is not None and recordings.endpoint is None
    if by_role or settings.keys.kms is not None:
        found.append(TcpWay("this machine's role", *METADATA))
    for spec in agents:
        for use in uses_of(spec, environ):
            found += _beyond_loopback(f"{use.what} of {spec.id}", use.endpoint.url)
    return tuple(dict.fromkeys(found))


def _control_planes(settings: NodeSettings) -> Iterator[TcpWay]:
    for address in settings.control_planes:
        yield from _beyond_loopback("control plane", address)


def _stores(settings: NodeSettings) -> Iterator[TcpWay]:
    """Every server that may be the primary, and the sentinels: a failover changes no barrier."""
    if settings.store is None:
        return
    servers = [("session store", server) for server in settings.store.servers]
    if settings.keys.apart:
        keys = settings.keys.server_of(settings.store)
        servers += [("key store", server) for server in keys.servers]
    servers += [("sentinel of the store", server) for server in settings.store.watchers]
    for what, server in servers:
        if not is_loopback(server.host):
            yield TcpWay(what, *server.address)


def _beyond_loopback(what: str, address: str) -> Iterator[TcpWay]:
    url = urlsplit(address)
    host = url.hostname or ""
    if not is_loopback(host):
        yield TcpWay(what, host, url.port or _PORTS[url.scheme])


def _peers(phone: PhoneSettings) -> Iterator[SipWay]:
    addresses = [(f"trunk {trunk.name}", trunk.address) for trunk in phone.trunks]
    addresses += [(f"registration {entry.name}", entry.registrar) for entry in phone.registrations]
    for what, address in addresses:
        if address is not None:
            yield SipWay(what, destination_of(SipUri.parse(address)))


def _networks(phone: PhoneSettings) -> Iterator[NetworkWay]:
    for trunk in phone.trunks:
        uri = None if trunk.address is None else SipUri.parse(trunk.address)
        own = () if uri is None or uri.port is None else (uri.port,)
        for network in trunk.sources:
            ports = tuple(sorted({*SIP_PORTS, *own}))
            yield NetworkWay(f"trunk {trunk.name}", str(network), ports)


def _sip_ports(phone: PhoneSettings) -> tuple[int, ...]:
    ports = {listen.port for listen in phone.listens if listen.transport == "udp"}
    if 0 in ports:
        raise NoFixedPort(
            "sip.listen: port 0 takes a free one: name one, so that it can be let out"
        )
    return tuple(sorted(ports))


def _media(settings: NodeSettings) -> Iterator[UdpSource]:
    if not settings.media_port:
        raise NoFixedPort("media_port: 0 takes free ports: name one, so that media can be let out")
    yield UdpSource("media", settings.media_port, settings.media_port + settings.workers - 1)
    if settings.sip is not None:
        yield UdpSource("media of phone calls", *settings.sip.media_ports)
