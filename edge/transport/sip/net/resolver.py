"""Where to send (RFC 3263): SRV, then addresses, in the order of priority, weight and health.

The transport is known by then, so NAPTR is not asked. A name without a dot, such as a container's,
has no SRV records, and neither has one with a port.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from edge.clock import Clock
from edge.transport.sip.core.flow import Destination, Transport, is_numeric
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.kept import Kept
from edge.transport.sip.net.lookup import Lookup, Service
from edge.transport.sip.net.settings import DEFAULT_PORTS

PREFIXES = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
MAX_TARGETS = 16
"""Targets that one name may have for us."""
MIN_TTL, MAX_TTL = 5.0, 300.0
ADDRESS_TTL = 30.0
"""Seconds for which addresses are kept: the machine's resolver does not tell theirs."""
AVOIDED = 60.0
"""Seconds for which a target that failed is tried last."""


class Resolver:
    """Finds numeric targets. ``families`` says which of IPv4 (4) and IPv6 (6) a transport has."""

    def __init__(
        self,
        lookup: Lookup,
        clock: Clock,
        *,
        families: dict[Transport, frozenset[int]],
        rng: random.Random | None = None,
    ) -> None:
        self._lookup = lookup
        self._clock = clock
        self._families = families
        # Which of several equal targets comes first is no secret.
        self._rng = rng or random.Random()
        self._services: Kept[str, tuple[Service, ...]] = Kept(clock)
        self._addresses: Kept[str, tuple[str, ...]] = Kept(clock)
        self._failed: Kept[str, bool] = Kept(clock)

    async def resolve(self, destination: Destination) -> tuple[Destination, ...]:
        """Numeric destinations, best first, at least one. Raises ``Unreachable``."""
        if (there := self.at_once(destination)) is not None:
            return (there,)
        host, transport = destination.host.rstrip("."), destination.transport
        places = [(host, destination.port or DEFAULT_PORTS[transport])]
        if destination.port is None and "." in host:
            places = await self._places(PREFIXES[transport] + host) or places
        targets: dict[tuple[str, int], None] = {}
        problem: Unreachable | None = None
        for name, port in places[:MAX_TARGETS]:
            try:
                targets.update(((found, port), None) for found in await self._numbers(name))
            except Unreachable as error:
                problem = error
        usable = [place for place in targets if self._speaks(transport, place[0])]
        if not usable:
            raise problem or Unreachable(
                "no_socket", f"{host} has no address of a family that we listen on for {transport}"
            )
        found = [
            replace(destination, host=number, port=port, flow=None, name=destination.name or host)
            for number, port in usable[:MAX_TARGETS]
        ]
        return tuple(sorted(found, key=self._is_avoided))

    def at_once(self, destination: Destination) -> Destination | None:
        """The target of a numeric destination, and of no other."""
        if not is_numeric(destination.host):
            return None
        port = destination.port or DEFAULT_PORTS[destination.transport]
        return replace(destination, port=port, flow=None)

    def failed(self, target: Destination) -> None:
        """``target``, a numeric one, did not answer: others come first for a while."""
        self._failed.put(_target_key(target), True, AVOIDED)

    def _is_avoided(self, target: Destination) -> bool:
        return self._failed.get(_target_key(target)) is not None

    async def _places(self, service: str) -> list[tuple[str, int]]:
        records = self._services.get(service)
        if records is None:
            try:
                found = await self._lookup.services(service)
            except Unreachable:
                # A resolver that knows no SRV, or does not answer: the addresses may still be had.
                return []
            records = found.records
            ttl = min(max(found.ttl, MIN_TTL), MAX_TTL)
            self._services.put(service, records, ttl)
        if records and not any(record.target for record in records):
            raise Unreachable("no_such_name", f"{service} is said not to be offered")
        return [
            (record.target, record.port) for record in in_order(records, self._rng) if record.target
        ]

    async def _numbers(self, host: str) -> Sequence[str]:
        if is_numeric(host):
            return [host]
        known = self._addresses.get(host)
        if known is None:
            found = await self._lookup.addresses(host)
            known = tuple(dict.fromkeys(number for number in found if is_numeric(number)))
            self._addresses.put(host, known, ADDRESS_TTL)
        return known

    def _speaks(self, transport: Transport, number: str) -> bool:
        return (6 if ":" in number else 4) in self._families.get(transport, frozenset())


def in_order(records: Sequence[Service], rng: random.Random) -> list[Service]:
    """By priority, and inside one at random by weight (RFC 2782)."""
    ordered: list[Service] = []
    for priority in sorted({record.priority for record in records}):
        # Those of weight 0 first, that they are chosen seldom rather than never.
        left = sorted((r for r in records if r.priority == priority), key=lambda r: r.weight)
        while left:
            drawn = rng.randint(0, sum(record.weight for record in left))
            for record in left:
                drawn -= record.weight
                if drawn <= 0:
                    break
            left.remove(record)
            ordered.append(record)
    return ordered


def _target_key(target: Destination) -> str:
    return f"{target.transport} {target.host} {target.port}"
