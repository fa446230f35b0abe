"""From which address of this machine a far end is reached."""

from __future__ import annotations

from edge.clock import Clock
from edge.transport.sip.core.flow import Destination, Transport
from edge.transport.sip.net.lookup import SystemLookup
from edge.transport.sip.net.resolver import Resolver
from inland.phone.telephone import own_address

_BOTH: frozenset[int] = frozenset({4, 6})


async def way_to(destination: Destination, clock: Clock) -> str:
    """The numeric address to call from. Raises ``Unreachable``, and ``OSError`` without a route."""
    families: dict[Transport, frozenset[int]] = {"udp": _BOTH, "tcp": _BOTH, "tls": _BOTH}
    resolver = Resolver(SystemLookup(), clock, families=families)
    found = await resolver.resolve(destination)
    return own_address(found[0].host)
