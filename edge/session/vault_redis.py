"""A vault in Redis (7 or later) or Valkey, shared by all nodes of a region."""

from __future__ import annotations

from typing import Self

from edge.clock import Clock
from edge.session.errors import StoreBroken
from edge.session.redis_settings import RedisSettings
from edge.session.redis_tenants import RedisTenants
from regions.models import DataClass
from regions.tag import ResidencyTag

PUT = """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return redis.call('EXPIREAT', KEYS[1], ARGV[3])
"""
"""ARGV: handle, wrapped key, expires_at."""
DESTROY = """
local count = 0
for _, key in ipairs(KEYS) do count = count + redis.call('EXPIREAT', key, 1) end
return count
"""
"""A key that was to expire long ago is deleted at once ("EXPIREAT", redis.io, 2026-11-21)."""


class RedisVault:
    """A :class:`~edge.session.vault.KeyVault` under the prefixes ``inland:<tenant>:``.

    The wrapped keys of one class of a session are one hash, which the server deletes in time.
    Connections are made when they are needed. What the server appended to its file stays there
    until it rewrites the file; that is its operator's to order (``BGREWRITEAOF``).
    """

    def __init__(self, tenants: RedisTenants) -> None:
        self._tenants = tenants

    @classmethod
    def open(cls, settings: RedisSettings, region: str, clock: Clock) -> Self:
        """Reads certificates, talks to nobody. Raises ``StoreBroken``."""
        return cls(RedisTenants.open(settings, region, clock))

    async def put(self, tag: ResidencyTag, handle: bytes, wrapped: bytes) -> None:
        key = _key(tag.tenant, tag.session, tag.data_class)
        tenant = self._tenants.of(tag.tenant)
        await tenant.run(PUT, [key], handle.hex(), wrapped, tag.expires_at)

    async def get(self, tag: ResidencyTag, handle: bytes) -> bytes | None:
        key = _key(tag.tenant, tag.session, tag.data_class)
        found = await self._tenants.of(tag.tenant).command("HGET", key, handle.hex())
        if found is not None and not isinstance(found, bytes):
            raise StoreBroken("the vault gave an answer that nobody meant")
        return found

    async def destroy(self, tenant: str, session_id: str) -> int:
        keys = [_key(tenant, session_id, name) for name in DataClass]
        return int(await self._tenants.of(tenant).run(DESTROY, keys))

    async def sweep(self, now: float) -> int:
        return 0  # the server deletes a key when its time comes

    async def close(self) -> None:
        await self._tenants.close()


def _key(tenant: str, session_id: str, data_class: DataClass) -> str:
    return f"inland:{tenant}:{{{session_id}}}:key:{data_class.value}"
