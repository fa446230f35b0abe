"""How much each source may send: one token bucket per IPv4 address or IPv6 /64, in a bounded
table. What has not been heard of for longest is forgotten first."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from functools import lru_cache

from edge.transport.rtp.budget import Budget
from edge.transport.sip.net.settings import Limits, Network

MAX_SOURCES = 10_000


class SourceBudgets:
    """``take`` says whether one more message of a source is read."""

    def __init__(self, limits: Limits, trusted: tuple[Network, ...] = ()) -> None:
        self.refused = 0
        self._limits = limits
        self._networks = TrustedNetworks(trusted)
        self._budgets: OrderedDict[tuple[bool, str], Budget] = OrderedDict()
        self._strangers = Budget(limits.strangers_rate, limits.strangers_burst)
        self._called: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        """Sources in the table."""
        return len(self._budgets)

    def trusts(self, host: str) -> bool:
        """Whether ``host`` is in a trusted network, or we send requests to it."""
        return host in self._called or host in self._networks

    def called(self, host: str) -> None:
        """We send requests to ``host``: its answers count as those of a trusted network."""
        self._called[host] = None
        self._called.move_to_end(host)
        if len(self._called) > MAX_SOURCES:
            self._called.popitem(last=False)

    def take(self, host: str, now: float) -> bool:
        """Whether one message from ``host`` is allowed at ``now`` seconds, monotonic."""
        trusted = self.trusts(host)
        key = (trusted, host if trusted else source_key(host))
        budget = self._budgets.get(key)
        if budget is None:
            budget = self._budgets[key] = self._fresh(trusted)
            if len(self._budgets) > MAX_SOURCES:
                self._budgets.popitem(last=False)
        self._budgets.move_to_end(key)
        if budget.take(1, now) and (trusted or self._strangers.take(1, now)):
            return True
        self.refused += 1
        return False

    def _fresh(self, trusted: bool) -> Budget:
        limits = self._limits
        if trusted:
            return Budget(limits.trusted_rate, limits.trusted_burst)
        return Budget(limits.source_rate, limits.source_burst)


class TrustedNetworks:
    """Whether an address is in one of a few networks; the last answers are kept."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks = networks
        self._known = lru_cache(4096)(self._find)

    def __contains__(self, host: str) -> bool:
        return bool(self._networks) and self._known(host)

    def _find(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


@lru_cache(4096)
def source_key(host: str) -> str:
    """An IPv4 address as it is, an IPv6 address as its /64: one customer commonly has a whole."""
    if ":" not in host:
        return host
    try:
        mapped = ipaddress.IPv6Address(host.partition("%")[0]).ipv4_mapped
        if mapped is not None:
            return str(mapped)
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))
    except ValueError:
        return host
