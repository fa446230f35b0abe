"""What Via and Contact say of us: our own address towards a far end, or that of the NAT."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address

from edge.clock import Clock
from edge.transport.sip.core.flow import Address, Destination, Transport, is_numeric
from edge.transport.sip.net.connections import ANY_HOST
from edge.transport.sip.net.datagrams import family_of
from edge.transport.sip.net.kept import Kept
from edge.transport.sip.net.settings import DEFAULT_PORTS, Advertised
from edge.transport.sip.wire.uri import SipUri

CONTACT_USER = "inland"
ROUTE_KEPT = 30.0
"""Seconds for which the machine's choice of a source address is believed to stand."""
SOMEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Stands for a far end whose address is not known yet (RFC 5737, RFC 3849); nothing is sent there.
"""


class OwnAddress:
    """``target_of`` gives the numeric target of a destination, once that is known."""

    def __init__(
        self,
        clock: Clock,
        advertised: Advertised | None,
        target_of: Callable[[Destination], Destination | None],
    ) -> None:
        self.listeners: list[tuple[Transport, Address]] = []
        """Where we listen; set once all is bound."""
        self._advertised = advertised
        self._target_of = target_of
        self._sources: Kept[str, str] = Kept(clock)

    def local(self, destination: Destination) -> Address:
        """Host and port of our Via for ``destination``, and of the address it can call us at."""
        far = self._far_end(destination)
        bound = self._listener(destination, far)
        host = bound[0]
        if destination.flow is not None and destination.flow.local[0] not in ANY_HOST:
            host = destination.flow.local[0]
        elif host in ANY_HOST:
            host = self._source(far)
        outside = self._advertised
        if outside is None or not self._crosses_nat(outside, far):
            return host, bound[1]
        return outside.host, outside.ports.get(destination.transport, bound[1])

    def contact(self, destination: Destination) -> str:
        """Our Contact URI for ``destination``."""
        host, port = self.local(destination)
        parameters = {} if destination.transport == "udp" else {"transport": destination.transport}
        return str(SipUri(host, CONTACT_USER, port, parameters=parameters))

    def _far_end(self, destination: Destination) -> str:
        if destination.flow is not None:
            return destination.flow.remote[0]
        target = self._target_of(destination)
        if target is not None:
            return target.host
        families = {6 if ":" in host else 4 for _, (host, _) in self.listeners}
        return SOMEWHERE[4 if 4 in families else 6]

    def _listener(self, destination: Destination, far: str) -> Address:
        if destination.flow is not None and destination.flow.transport == "udp":
            return destination.flow.local
        family = family_of(far)
        for transport, address in self.listeners:
            if transport == destination.transport and family_of(address[0]) == family:
                return address
        # We make such connections without listening for them: requests come back over them.
        anywhere = "::" if family == socket.AF_INET6 else "0.0.0.0"
        return anywhere, DEFAULT_PORTS[destination.transport]

    def _crosses_nat(self, outside: Advertised, far: str) -> bool:
        address = ip_address(far)
        if address.is_loopback or any(address in network for network in outside.local):
            return False
        return not is_numeric(outside.host) or family_of(outside.host) == family_of(far)

    def _source(self, far: str) -> str:
        known = self._sources.get(far)
        if known is None:
            known = source_for(far)
            self._sources.put(far, known, ROUTE_KEPT)
        return known


def source_for(far: str) -> str:
    """The address that this machine would send to ``far`` from; loopback when it knows no way."""
    family = family_of(far)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a UDP socket asks the routing table and sends nothing.
            probe.connect((far, 9))
            return str(probe.getsockname()[0]).partition("%")[0]
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
