"""Each tenant's sessions in one Redis, every tenant as a user of its own."""

from __future__ import annotations

from typing import Self

from edge.clock import Clock
from edge.session.redis_settings import RedisSettings
from edge.session.redis_store import RedisStore
from edge.session.redis_tenants import RedisTenants
from edge.session.store import SessionStore


class RedisStores:
    """:class:`~edge.session.stores.SessionStores` of the tenants that the settings have a user for.

    Connections are made when they are needed: a node starts while the database is away.
    """

    def __init__(self, tenants: RedisTenants) -> None:
        self._tenants = tenants
        self._stores: dict[str, RedisStore] = {}

    @classmethod
    def open(cls, settings: RedisSettings, region: str, clock: Clock) -> Self:
        """Reads certificates, talks to nobody. Raises ``StoreBroken``."""
        return cls(RedisTenants.open(settings, region, clock))

    def of(self, tenant: str) -> SessionStore:
        store = self._stores.get(tenant)
        if store is None:
            store = self._stores[tenant] = RedisStore(self._tenants.of(tenant), tenant)
        return store

    def each(self) -> tuple[tuple[str | None, SessionStore], ...]:
        return tuple((tenant, self.of(tenant)) for tenant in self._tenants.names)

    async def problem(self) -> str | None:
        return await self._tenants.problem()

    async def sweep(self, now: float) -> int:
        return 0  # the server deletes a session when its time comes

    async def close(self) -> None:
        for store in self._stores.values():
            await store.close()
        await self._tenants.close()
