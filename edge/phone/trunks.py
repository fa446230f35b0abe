"""Whose call is this? Trunks by the address that a message came from, or by the name it proves."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from edge.phone.trunk import Trunk


class Trunks:
    """A node's trunks, for looking up. A look-up costs one step per length of prefix in use."""

    def __init__(self, trunks: Sequence[Trunk]) -> None:
        self._by_name = {trunk.name: trunk for trunk in trunks}
        self._by_login = {
            trunk.inbound_auth.username: trunk for trunk in trunks if trunk.inbound_auth is not None
        }
        tables: dict[tuple[int, int], dict[int, Trunk]] = {}
        for trunk in trunks:
            for network in trunk.sources:
                table = tables.setdefault((network.version, network.prefixlen), {})
                table[_prefix(network.network_address, network.prefixlen)] = trunk
        self._tables = sorted(tables.items(), key=lambda item: item[0][1], reverse=True)

    def named(self, name: str) -> Trunk | None:
        """The trunk of that name."""
        return self._by_name.get(name)

    def of_source(self, source: str) -> Trunk | None:
        """The trunk with the narrowest network around a numeric address."""
        try:
            address = ipaddress.ip_address(source.partition("%")[0])
        except ValueError:
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        for (version, length), table in self._tables:
            trunk = table.get(_prefix(address, length)) if version == address.version else None
            if trunk is not None:
                return trunk
        return None

    def of_login(self, username: str) -> Trunk | None:
        """The trunk whose calls prove this name."""
        return self._by_login.get(username)

    @property
    def take_strangers(self) -> bool:
        """Whether a call from any address may prove by a password that it is a trunk's."""
        return any(not trunk.networks for trunk in self._by_login.values())


def _prefix(address: IPv4Address | IPv6Address, length: int) -> int:
    return int(address) >> (address.max_prefixlen - length)
