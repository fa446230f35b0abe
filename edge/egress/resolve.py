"""From names to addresses: a barrier knows no names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import dns.exception
import dns.resolver

from edge.egress.ways import NetworkWay, UdpSource, Ways
from edge.transport.sip.core.flow import Destination, is_numeric
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.lookup import Lookup, SystemLookup
from edge.transport.sip.net.resolver import PREFIXES
from edge.transport.sip.net.settings import DEFAULT_PORTS
from regions.providers import is_loopback


class Unresolved(Exception):
    """A name has no address now: a barrier without it would cut the node off."""


@dataclass(frozen=True, slots=True)
class Target:
    """One address and port."""

    what: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Found:
    """Every way out of a node by address. ``names`` are those that were asked for."""

    tcp: tuple[Target, ...]
    sip_udp: tuple[Target, ...]
    networks: tuple[NetworkWay, ...]
    sip_ports: tuple[int, ...]
    media: tuple[UdpSource, ...]
    resolvers: tuple[str, ...]
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)


async def resolved(
    ways: Ways, lookup: Lookup | None = None, resolvers: Sequence[str] | None = None
) -> Found:
    """Ask for every name. Raises :class:`Unresolved` that says which has no address."""
    asking = _Asking(lookup or SystemLookup())
    tcp = [
        Target(way.what, address, way.port)
        for way in ways.tcp
        for address in await asking.addresses(way.what, way.host)
    ]
    sip_udp: list[Target] = []
    for way in ways.sip:
        targets = [
            Target(way.what, address, port)
            for host, port in await asking.places(way.destination)
            for address in await asking.addresses(way.what, host)
        ]
        (sip_udp if way.destination.transport == "udp" else tcp).extend(targets)
    return Found(
        tcp=tuple(dict.fromkeys(tcp)),
        sip_udp=tuple(dict.fromkeys(sip_udp)),
        networks=ways.networks,
        sip_ports=ways.sip_ports,
        media=ways.media,
        resolvers=tuple(_usable(own_resolvers() if resolvers is None else resolvers)),
        names=asking.names,
    )


def own_resolvers() -> list[str]:
    """The machine's resolvers (resolv.conf(5)); none where it has no such file."""
    try:
        return [str(each) for each in dns.resolver.Resolver().nameservers]
    except dns.exception.DNSException:
        return []


def _usable(resolvers: Sequence[str]) -> Iterator[str]:
    """Those beyond this machine: one on loopback is another program, with ways of its own."""
    for each in dict.fromkeys(resolvers):
        if is_numeric(each) and not is_loopback(each):
            yield each


class _Asking:
    """Asks once for each name, and keeps what it was told."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self.names: dict[str, tuple[str, ...]] = {}

    async def addresses(self, what: str, host: str) -> tuple[str, ...]:
        if is_numeric(host):
            return (str(ipaddress.ip_address(host)),)
        if host not in self.names:
            try:
                found = await self._lookup.addresses(host)
            except Unreachable as error:
                raise Unresolved(f"{what}: {host} has no address now: {error}") from error
            numeric = sorted({each for each in found if is_numeric(each)})
            if not numeric:
                raise Unresolved(f"{what}: {host} has no address now")
            self.names[host] = tuple(numeric)
        return self.names[host]

    async def places(self, destination: Destination) -> list[tuple[str, int]]:
        """Host and port of every server of a domain; its own where it has no SRV records."""
        host, transport = destination.host.rstrip("."), destination.transport
        own = [(host, destination.port or DEFAULT_PORTS[transport])]
        if destination.port is not None or is_numeric(host) or "." not in host:
            return own
        try:
            services = await self._lookup.services(PREFIXES[transport] + host)
        except Unreachable:
            return own
        return [(each.target, each.port) for each in services.records if each.target] or own
