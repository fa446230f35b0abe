"""Each tenant's way to a Redis, with its own login: what sessions and their keys both go by."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from hashlib import sha1
from itertools import islice
from typing import Any, Self, TypeAlias

from redis.asyncio import Redis
from redis.credentials import CredentialProvider
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError

from edge.clock import Clock
from edge.session.errors import StoreBroken, StoreBusy, TenantRefused
from edge.session.redis_connections import connections, tls_context
from edge.session.redis_errors import NotCopied, within
from edge.session.redis_login import IamLogin, PasswordFileLogin, aws_session
from edge.session.redis_sentinel import Masters
from edge.session.redis_settings import RedisSettings

STEP_SECONDS = 2.0
"""What a step may take, a new connection and the wait for a free one included."""
COPY_MS = 1_000
"""What a replica may take to have a step, where sentinels may make it the primary."""
ASKED_TENANTS = 3
"""Users that are tried before the database counts as away: one may be locked out by mistake."""

Argument: TypeAlias = "str | bytes | int | float"
Value: TypeAlias = Any  # answers of scripts carry no type that a checker could see


class TenantRedis:
    """One tenant's commands, each within ``STEP_SECONDS``.

    With sentinels a step is answered when the primary *and* a replica have it, so that it outlives
    the primary; and a primary that was deposed, and has no replica any more, answers nothing.
    """

    def __init__(self, client: Redis, tenant: str, masters: Masters | None) -> None:
        self._client = client
        self._masters = masters
        self._mark = f"inland:{tenant}:mark"

    async def run(self, script: str, keys: Sequence[str], *arguments: Argument) -> Value:
        """What a Lua script answers, as one atomic step. Raises ``StoreBusy``, ``StoreBroken``."""
        digest = sha1(script.encode(), usedforsecurity=False).hexdigest()
        async with within(STEP_SECONDS):
            try:
                return await self._ask("EVALSHA", digest, len(keys), *keys, *arguments)
            except NoScriptError:  # a server that is new, or was restarted
                return await self._ask("EVAL", script, len(keys), *keys, *arguments)

    async def command(self, *words: Argument) -> Value:
        """What one command answers. Raises ``StoreBusy``, ``StoreBroken``."""
        async with within(STEP_SECONDS):
            return await self._ask(*words)

    async def close(self) -> None:
        """Idempotent."""
        await self._client.aclose()

    async def _ask(self, *words: Argument) -> Value:
        try:
            if self._masters is None:
                return await self._client.execute_command(*words)  # type: ignore[no-untyped-call]
            return await self._ask_two(*words)
        except NoScriptError:
            raise
        except RedisError as error:
            await self._leave(error)
            raise

    async def _leave(self, error: RedisError) -> None:
        """Leave a server that may be no primary any more.

        A former primary keeps its connections; its name, or the sentinels, may lead to the new one.
        """
        if self._masters is not None:
            self._masters.doubt()
        elif not isinstance(error, ReadOnlyError):
            return
        await self._client.connection_pool.disconnect(inuse_connections=False)

    async def _ask_two(self, *words: Argument) -> Value:
        """Ask the primary, and wait until a replica has all that it wrote by then.

        WAIT looks at the last write of its own connection. The mark is one, so that a repeat, which
        writes nothing, still waits for what its first try wrote ("WAIT", redis.io, 2026-11-21).
        """
        steps = self._client.pipeline(transaction=False)
        for each in (words, ("HSET", self._mark, "n", 1), ("WAIT", 1, COPY_MS)):
            steps.execute_command(*each)
        answer, marked, replicas = await steps.execute(raise_on_error=False)
        for each in (answer, marked, replicas):
            if isinstance(each, Exception):
                raise each
        if replicas < 1:
            raise NotCopied
        return answer


class RedisTenants:
    """Hands out a :class:`TenantRedis` for each tenant that the settings have a user for.

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
        self._masters = _masters(settings, context)
        self._tenants: dict[str, TenantRedis] = {}

    @classmethod
    def open(cls, settings: RedisSettings, region: str, clock: Clock) -> Self:
        """Reads certificates, talks to nobody. Raises ``StoreBroken``."""
        return cls(settings, tls_context(settings), _logins(settings, region), clock.monotonic)

    def of(self, tenant: str) -> TenantRedis:
        """Raises ``TenantRefused`` when the settings have no user for it."""
        found = self._tenants.get(tenant)
        if found is None:
            if tenant not in self._settings.users:
                raise TenantRefused("the settings have no user of the store for this tenant")
            find = None if self._masters is None else self._masters.find
            login = self._login(tenant)
            pool = connections(self._settings, self._context, login, self._now, find)
            client = Redis.from_pool(pool)
            found = self._tenants[tenant] = TenantRedis(client, tenant, self._masters)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The tenants."""
        return tuple(self._settings.users)

    async def problem(self) -> str | None:
        """Why nothing could be written now, in constant words; None when nothing is wrong."""
        problem = ""
        for tenant in islice(self._settings.users, ASKED_TENANTS):
            try:
                await self.of(tenant).command("PING")
            except StoreBusy as busy:
                return str(busy)
            except StoreBroken as broken:
                problem = str(broken)
            else:
                return None
        return problem

    async def close(self) -> None:
        """Idempotent."""
        while self._tenants:
            _, tenant = self._tenants.popitem()
            await tenant.close()
        if self._masters is not None:
            await self._masters.close()


def _logins(settings: RedisSettings, region: str) -> Callable[[str], CredentialProvider]:
    """How each tenant's user logs in. Raises ``StoreBroken``."""
    session: Any = None if settings.aws_cache is None else aws_session()

    def login(tenant: str) -> CredentialProvider:
        user = settings.users[tenant]
        if settings.aws_cache is not None:
            return IamLogin(user.username, settings.aws_cache, region, session)
        assert user.password_file is not None  # the settings were checked
        return PasswordFileLogin(user.username, user.password_file)

    return login


def _masters(settings: RedisSettings, context: ssl.SSLContext | None) -> Masters | None:
    if not settings.sentinels:
        return None
    user = settings.sentinel_user
    if user is None:
        return Masters(settings, context, None)
    assert user.password_file is not None  # the settings were checked
    return Masters(settings, context, PasswordFileLogin(user.username, user.password_file))
