"""Token buckets, in memory, bounded.

Each replica limits on its own: a tenant behind *n* replicas gets up to *n* times its rate, which
is the price of sharing nothing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from control_plane.clock import Clock

MAX_BUCKETS = 65_536


@dataclass(frozen=True, slots=True)
class Rate:
    """``per_second`` tokens a second, at most ``burst`` saved up."""

    per_second: float
    burst: int


class Buckets:
    """One token bucket per name.

    The table holds at most ``limit`` buckets and forgets the one that was used longest ago. A
    forgotten bucket starts full, so a flood of names can win back its burst, never more than the
    bucket of the key that all of them share.
    """

    def __init__(self, clock: Clock, limit: int = MAX_BUCKETS) -> None:
        self._clock = clock
        self._limit = limit
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: bytes, rate: Rate) -> float:
        """Take a token: 0.0 when there was one, else the seconds until there will be."""
        now = self._clock.monotonic()
        tokens, at = self._buckets.get(name, (float(rate.burst), now))
        tokens = min(float(rate.burst), tokens + (now - at) * rate.per_second)
        wait = 0.0 if tokens >= 1.0 else (1.0 - tokens) / rate.per_second
        self._buckets[name] = (tokens - 1.0 if wait == 0.0 else tokens, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)
        return wait


class AddressHasher:
    """Turns a client's address into a name that means nothing outside this process.

    The key is random per start and never leaves memory. An IPv6 client is its /64: a single
    subscriber commonly holds all of one (RFC 6177).
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def name(self, scope: bytes, address: str) -> bytes:
        """16 bytes for this ``address`` under ``scope``; an unreadable address counts as one."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            packed = b"?"
        else:
            if isinstance(parsed, ipaddress.IPv6Address):
                mapped = parsed.ipv4_mapped
                packed = parsed.packed[:8] if mapped is None else mapped.packed
            else:
                packed = parsed.packed
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        digest.update(len(scope).to_bytes(2, "big") + scope + packed)
        return digest.digest()
