"""A tenant's connections to Redis: bounded, encrypted, replaced before they grow old."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from redis.asyncio import BlockingConnectionPool, Connection, SSLConnection
from redis.asyncio.connection import AbstractConnection, UnixDomainSocketConnection
from redis.credentials import CredentialProvider

from edge.session.errors import StoreBroken
from edge.session.redis_settings import RedisSettings

MAX_CONNECTIONS = 4
"""Of one tenant and one worker. A step takes about a millisecond of one."""
CONNECT_SECONDS = 1.5
"""Less than a step may take, so that a second address of the server is tried by the next one."""
MAX_AGE_SECONDS = 11 * 3600.0
"""ElastiCache ends a connection 12 hours after its login by IAM (see ``redis_login``)."""


FindMaster: TypeAlias = Callable[[], Awaitable[tuple[str, int]]]
"""Host and port of the primary, asked for whenever a connection is made. Raises ``RedisError``."""


class TlsConnection(SSLConnection):
    """A connection whose certificate is checked by a context that was made once for all."""

    def __init__(self, *, context: ssl.SSLContext, **settings: Any) -> None:
        super().__init__(**settings)
        self.ssl_context.context = context


class MasterConnection(Connection):
    """A connection to whichever server is the primary at the moment it is made."""

    def __init__(self, *, find: FindMaster, **settings: Any) -> None:
        super().__init__(**settings)
        self._find = find

    async def connect(self) -> None:
        if not self.is_connected:
            self.host, self.port = await self._find()
        await super().connect()  # type: ignore[no-untyped-call]


class TlsMasterConnection(TlsConnection, MasterConnection):
    """The same, encrypted; the certificate is that of the server's name in ``nodes``."""


class Connections(BlockingConnectionPool):
    """At most ``MAX_CONNECTIONS``; who finds none free waits.

    A connection is handed out only when it is logged in, open and younger than
    ``MAX_AGE_SECONDS``.
    """

    def __init__(
        self, connection_class: type[AbstractConnection], now: Callable[[], float], **settings: Any
    ) -> None:
        super().__init__(
            max_connections=MAX_CONNECTIONS,
            timeout=None,  # the step has a deadline
            connection_class=connection_class,
            **settings,
        )
        self._now = now
        self._since: WeakKeyDictionary[AbstractConnection, float] = WeakKeyDictionary()

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        since = self._since.get(connection)
        if since is None or self._now() - since >= MAX_AGE_SECONDS:
            await connection.disconnect(nowait=True)
        if not connection.is_connected:
            self._since[connection] = self._now()
        try:
            await super().ensure_connection(connection)
        except BaseException:
            # Cancelled between connecting and logging in, it would be taken for a good one.
            await connection.disconnect(nowait=True)
            raise


def tls_context(settings: RedisSettings) -> ssl.SSLContext | None:
    """How the server's certificate and name are checked; None where nothing is encrypted.

    Raises ``StoreBroken`` when ``ca`` cannot be used.
    """
    if not any(server.tls for server in (*settings.servers, *settings.watchers)):
        return None
    try:
        # With a file, these certificates alone; without, those that the machine trusts.
        return ssl.create_default_context(cafile=settings.ca and str(settings.ca))
    except OSError as error:  # ssl.SSLError too
        raise StoreBroken(f"store.ca: {settings.ca}: cannot be read as certificates") from error


def connections(
    settings: RedisSettings,
    context: ssl.SSLContext | None,
    login: CredentialProvider,
    now: Callable[[], float],
    find: FindMaster | None,
) -> Connections:
    """Connections of one user; none is made yet. ``find`` where sentinels say who is primary."""
    common: dict[str, Any] = {
        "credential_provider": login,
        "protocol": 2,  # nothing here needs the third, and old proxies lack it
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": None,  # the step has a deadline
    }
    if settings.socket is not None:
        return Connections(UnixDomainSocketConnection, now, path=settings.socket, **common)
    if find is not None:
        if settings.tls:
            return Connections(TlsMasterConnection, now, find=find, context=context, **common)
        return Connections(MasterConnection, now, find=find, **common)
    (server,) = settings.servers
    place = {"host": server.host, "port": server.port}
    if not server.tls:
        return Connections(Connection, now, **place, **common)
    return Connections(TlsConnection, now, context=context, **place, **common)
