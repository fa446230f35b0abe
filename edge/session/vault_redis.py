"""A vault in Redis (7 or later) or Valkey, shared by all nodes of a region."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeAlias

from redis import ReadOnlyError
from redis.asyncio import Redis
from redis.credentials import CredentialProvider

from edge.clock import Clock
from edge.session.errors import StoreBroken, TenantRefused
from edge.session.redis_connections import connections, tls_context
from edge.session.redis_errors import within
from edge.session.redis_settings import RedisSettings
from edge.session.redis_store import STEP_SECONDS
from edge.session.redis_stores import logins
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
_Value: TypeAlias = Any  # answers of scripts carry no type that a checker could see


class RedisVault:
    """A :class:`~edge.session.vault.KeyVault` under the prefixes ``inland:<tenant>:``.

    The wrapped keys of one class of a session are one hash, which the server deletes in time.
    Connections are made when they are needed. What the server appended to its file stays there
    until it rewrites the file; that is its operator's to order (``BGREWRITEAOF``).
    """

    def __init__(
        self,
        settings: RedisSettings,
        context: ssl.SSLContext | None,
        login: Callable[[str], CredentialProvider],
        now: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._context = context
        self._login = login
        self._now = now
        self._clients: dict[str, Redis] = {}

    @classmethod
    def open(cls, settings: RedisSettings, region: str, clock: Clock) -> Self:
        """Reads certificates, talks to nobody. Raises ``StoreBroken``."""
        return cls(settings, tls_context(settings), logins(settings, region), clock.monotonic)

    async def put(self, tag: ResidencyTag, handle: bytes, wrapped: bytes) -> None:
        key = _key(tag.tenant, tag.session, tag.data_class)
        await self._run(tag.tenant, PUT, [key], handle.hex(), wrapped, tag.expires_at)

    async def get(self, tag: ResidencyTag, handle: bytes) -> bytes | None:
        key = _key(tag.tenant, tag.session, tag.data_class)
        client = self._of(tag.tenant)
        async with within(STEP_SECONDS):
            found: _Value = await client.execute_command("HGET", key, handle.hex())  # type: ignore[no-untyped-call]
        if found is not None and not isinstance(found, bytes):
            raise StoreBroken("the vault gave an answer that nobody meant")
        return found

    async def destroy(self, tenant: str, session_id: str) -> int:
        keys = [_key(tenant, session_id, name) for name in DataClass]
        return int(await self._run(tenant, DESTROY, keys))

    async def sweep(self, now: float) -> int:
        return 0  # the server deletes a key when its time comes

    async def close(self) -> None:
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()

    def _of(self, tenant: str) -> Redis:
        client = self._clients.get(tenant)
        if client is None:
            if tenant not in self._settings.users:
                raise TenantRefused("the settings have no user of the vault for this tenant")
            pool = connections(self._settings, self._context, self._login(tenant), self._now)
            client = self._clients[tenant] = Redis.from_pool(pool)
        return client

    async def _run(
        self, tenant: str, script: str, keys: Sequence[str], *arguments: str | bytes | int
    ) -> _Value:
        client = self._of(tenant)
        async with within(STEP_SECONDS):
            try:
                return await client.register_script(script)(keys=keys, args=arguments)
            except ReadOnlyError:
                # A former primary keeps its connections; its name may lead to the new one by now.
                await client.connection_pool.disconnect(inuse_connections=False)
                raise


def _key(tenant: str, session_id: str, data_class: DataClass) -> str:
    return f"inland:{tenant}:{{{session_id}}}:key:{data_class.value}"
