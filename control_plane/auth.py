"""Who is asking: bearer keys (RFC 6750), origins and rates. No HTTP library in here."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence

from control_plane.errors import OriginNotAllowed, RateLimited, UnknownKey, UnknownTenant
from control_plane.ratelimit import AddressHasher, Buckets, Rate
from control_plane.tenants import Grant, Tenant, Tenants

MAX_KEY = 256
REGION_CALLS = Rate(per_second=500, burst=1_000)
"""Phone calls that the nodes of one region ask about together: one secret, one rate."""


def bearer(fields: Sequence[str]) -> str:
    """The key in the ``Authorization`` fields of one request. Raises ``UnknownKey``."""
    if len(fields) == 1:
        scheme, _, key = fields[0].partition(" ")
        key = key.strip()
        if scheme.lower() == "bearer" and 0 < len(key) <= MAX_KEY and key.isascii():
            return key
    raise UnknownKey("send one header `Authorization: Bearer <key>`")


class Gate:
    """Admits requests of tenants, each key and each client at its rate."""

    def __init__(self, tenants: Tenants, keys: Buckets, clients: Buckets) -> None:
        self._tenants = tenants
        self._keys = keys
        self._clients = clients
        self._hasher = AddressHasher()

    def knows_origin(self, origin: str) -> bool:
        """Whether some publishable key may be used from ``origin``."""
        return self._tenants.knows_origin(origin)

    def admit(self, key: str, origin: str | None, address: str) -> Grant:
        """What ``key`` stands for, if it may be used from here and now.

        Raises ``UnknownKey``, ``OriginNotAllowed``, ``RateLimited``.
        """
        grant = self._tenants.grant(key)
        if grant is None:
            raise UnknownKey("no tenant has this key; check for a typing error or a revoked key")
        tenant = grant.tenant
        if grant.publishable is None:
            if origin is not None:
                raise OriginNotAllowed(
                    "a secret key came from a web page: revoke it, and use a publishable one there"
                )
        else:
            if origin is None or not grant.publishable.allows(origin):
                raise OriginNotAllowed(
                    "this publishable key is not for this site; list its origin for the tenant"
                )
            # The client first: one that asks too often must not use up the rate of all.
            name = self._hasher.name(grant.name, address)
            _take(self._clients, name, tenant.client_rate.rate)
        _take(self._keys, grant.name, tenant.rate.rate)
        return grant


class NodeGate:
    """Admits what nodes ask for the phone calls that reach them.

    A region's nodes may ask for every tenant: the numbers that lead to a tenant's agents are in
    their settings. So a stolen node secret yields tokens, as a stolen tenant key does, and they
    open nothing outside the tenant's allowed regions.
    """

    def __init__(self, tenants: Tenants, regions: Buckets) -> None:
        self._tenants = tenants
        self._regions = regions

    def admit(self, region: str) -> None:
        """Count a question of a node of ``region``. Raises ``RateLimited``."""
        _take(self._regions, region.encode(), REGION_CALLS)

    def tenant(self, name: str) -> Tenant:
        """The tenant that a node's settings name. Raises ``UnknownTenant``."""
        tenant = self._tenants.named(name)
        if tenant is None:
            raise UnknownTenant(f"no tenant {name!r}: the node's `numbers` name one that is gone")
        return tenant


class Secrets:
    """The node secrets of the regions and the operator's key, known only by their SHA-256."""

    def __init__(self, regions: Mapping[str, Sequence[str]], operator: str | None) -> None:
        self._regions = [
            (region, bytes.fromhex(digest)) for region, found in regions.items() for digest in found
        ]
        self._operator = None if operator is None else bytes.fromhex(operator)

    @property
    def has_operator(self) -> bool:
        return self._operator is not None

    def region_of(self, secret: str) -> str | None:
        """The region whose nodes hold ``secret``; every one is compared, in constant time."""
        presented = _digest(secret)
        found = None
        for region, digest in self._regions:
            if hmac.compare_digest(presented, digest):
                found = region
        return found

    def is_operator(self, key: str) -> bool:
        """Whether ``key`` is the operator's."""
        return self._operator is not None and hmac.compare_digest(_digest(key), self._operator)


def _take(buckets: Buckets, name: bytes, rate: Rate) -> None:
    wait = buckets.take(name, rate)
    if wait > 0:
        seconds = max(1, math.ceil(wait))
        raise RateLimited(f"ask again in {seconds} s", retry_after=seconds)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
