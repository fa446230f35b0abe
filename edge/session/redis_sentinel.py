"""Which server is the primary: the sentinels say so, the settings say which ones it may be."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from redis import exceptions as errors
from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider

from edge.session.redis_connections import TlsConnection
from edge.session.redis_errors import MasterUnlisted, SentinelsRefused
from edge.session.redis_settings import RedisSettings, Server, plain_host

ASK_SECONDS = 0.4
"""What one sentinel may take, its connection included: a step has time to ask them all."""


class Masters:
    """Asks the sentinels of a region for its primary, one after the other.

    The one that answered last is asked first, until :meth:`doubt`. Nothing is kept: a connection
    is made a few times a day, or because the primary changed.
    """

    def __init__(
        self,
        settings: RedisSettings,
        context: ssl.SSLContext | None,
        login: CredentialProvider | None,
    ) -> None:
        assert settings.master is not None  # the settings were checked
        self._name = settings.master
        self._listed = {server.address: server for server in settings.servers}
        self._sentinels = [_sentinel(one, context, login) for one in settings.watchers]

    async def find(self) -> tuple[str, int]:
        """Host and port of the primary, as the settings write it.

        Raises ``ConnectionError`` of the client when no sentinel knows one now,
        ``SentinelsRefused``, ``MasterUnlisted``.
        """
        problem: errors.RedisError | OSError = errors.ConnectionError("nobody knows the primary")
        for sentinel in tuple(self._sentinels):
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    told: Any = await sentinel.sentinel_masters()  # by name, its types say more
                    state = told.get(self._name)
            except (TimeoutError, errors.RedisError, OSError) as error:
                problem = _graver(problem, error)
                continue
            # Down by its own judgement, or by everybody's: another one is being chosen.
            if state is None or not state["is_master"] or state["is_sdown"] or state["is_odown"]:
                continue
            self._sentinels.remove(sentinel)
            self._sentinels.insert(0, sentinel)
            server = self._listed.get((plain_host(str(state["ip"])), int(state["port"])))
            if server is None:
                raise MasterUnlisted("the primary is not in the settings")
            return server.address
        raise problem

    def doubt(self) -> None:
        """What the first sentinel said turned out to be no primary: ask another one first."""
        self._sentinels.append(self._sentinels.pop(0))

    async def close(self) -> None:
        """Idempotent."""
        for sentinel in self._sentinels:
            await sentinel.aclose()


def _graver(known: errors.RedisError | OSError, error: Exception) -> errors.RedisError | OSError:
    """What to say when no sentinel answers: a refusal, or a wrong certificate, before a silence."""
    refused = errors.AuthenticationError | errors.AuthorizationError | errors.ResponseError
    if isinstance(error, refused):
        return SentinelsRefused("a sentinel does not let this user ask")
    behind = (error, error.__cause__, error.__context__)
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in behind):
        assert isinstance(error, errors.RedisError | OSError)
        return error
    return known


def _sentinel(
    server: Server, context: ssl.SSLContext | None, login: CredentialProvider | None
) -> Redis:
    settings: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "protocol": 2,
        "credential_provider": login,
        "socket_connect_timeout": ASK_SECONDS,
        "socket_timeout": ASK_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    kind: type[Connection] = Connection
    if server.tls:
        kind, settings["context"] = TlsConnection, context
    return Redis.from_pool(ConnectionPool(connection_class=kind, **settings))
