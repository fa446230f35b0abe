"""Each tenant's sessions in one Redis, every tenant as a user of its own."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from itertools import islice
from typing import Any, Self

from redis.asyncio import Redis
from redis.credentials import CredentialProvider

from edge.clock import Clock
from edge.session.errors import StoreBroken, StoreBusy, TenantRefused
from edge.session.redis_connections import connections, tls_context
from edge.session.redis_login import IamLogin, PasswordFileLogin, aws_session
from edge.session.redis_settings import RedisSettings
from edge.session.redis_store import STEP_SECONDS, RedisStore
from edge.session.store import SessionStore

ASKED_TENANTS = 3
"""Users that are tried before the database counts as away: one may be locked out by mistake."""


class RedisStores:
    """:class:`~edge.session.stores.SessionStores` of the tenants that the settings have a user for.

    Connections are made when they are needed: a node starts while the database is away.
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
        self._stores: dict[str, RedisStore] = {}

    @classmethod
    def open(cls, settings: RedisSettings, region: str, clock: Clock) -> Self:
        """Reads certificates, talks to nobody. Raises ``StoreBroken``."""
        return cls(settings, tls_context(settings), logins(settings, region), clock.monotonic)

    def of(self, tenant: str) -> SessionStore:
        return self._of(tenant)

    def _of(self, tenant: str) -> RedisStore:
        store = self._stores.get(tenant)
        if store is None:
            if tenant not in self._settings.users:
                raise TenantRefused("the settings have no user of the store for this tenant")
            pool = connections(self._settings, self._context, self._login(tenant), self._now)
            store = self._stores[tenant] = RedisStore(
                Redis.from_pool(pool), tenant, seconds=STEP_SECONDS
            )
        return store

    async def problem(self) -> str | None:
        problem = ""
        for tenant in islice(self._settings.users, ASKED_TENANTS):
            try:
                await self._of(tenant).ping()
            except StoreBusy as busy:
                return str(busy)
            except StoreBroken as broken:
                problem = str(broken)
            else:
                return None
        return problem

    async def sweep(self, now: float) -> int:
        return 0  # the server deletes a session when its time comes

    async def close(self) -> None:
        for store in self._stores.values():
            await store.close()


def logins(settings: RedisSettings, region: str) -> Callable[[str], CredentialProvider]:
    """How each tenant's user logs in. Raises ``StoreBroken``."""
    session: Any = None if settings.aws_cache is None else aws_session()

    def login(tenant: str) -> CredentialProvider:
        user = settings.users[tenant]
        if settings.aws_cache is not None:
            return IamLogin(user.username, settings.aws_cache, region, session)
        assert user.password_file is not None  # the settings were checked
        return PasswordFileLogin(user.username, user.password_file)

    return login
