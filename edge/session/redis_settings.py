"""The section ``store`` of a node's settings: a Redis or Valkey that the region's nodes share."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from control_plane.contract import Identifier
from edge.section import HomePath, Section

DEFAULT_PORT = 6379
SENTINEL_PORT = 26379
FEWEST_SENTINELS = 3
"""Fewer cannot outvote one that is lost ("High availability with Redis Sentinel", redis.io, read
2026-11-21)."""
FEWEST_NODES = 2
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
_NETWORK = re.compile(rf"(rediss?)://({_HOST})(?::([0-9]{{1,5}}))?")
_SOCKET = re.compile(r"unix://(/[^\s?#]{1,100})")


def _is_network(text: str) -> bool:
    found = _NETWORK.fullmatch(text)
    return found is not None and int(found[3] or 1) in range(65536)


def _address(text: str) -> str:
    if _SOCKET.fullmatch(text) is None and not _is_network(text):
        raise ValueError(
            "write rediss://HOST:PORT (TLS), redis://HOST:PORT or unix:///PATH; a user and a "
            "password belong into users"
        )
    return text


def _network_address(text: str) -> str:
    if not _is_network(text):
        raise ValueError(
            "write rediss://HOST:PORT (TLS) or redis://HOST:PORT; users and passwords have keys of "
            "their own"
        )
    return text


RedisUrl = Annotated[str, AfterValidator(_address)]
NetworkUrl = Annotated[str, AfterValidator(_network_address)]
UserName = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
CacheName = Annotated[str, StringConstraints(pattern=r"^[a-z](-?[a-z0-9]){0,39}$")]
"""A replication group of ElastiCache."""
MasterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""What the sentinels call a master: ``sentinel monitor NAME …``."""


class StoreUser(Section):
    """As whom a tenant's sessions are read and written: an ACL user with its prefix alone."""

    username: UserName
    password_file: HomePath | None = None
    """Read again whenever a connection is made."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server by host and port; of two that are the same one, both are equal."""

    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: str, port: int) -> Self:
        """Of ``redis://`` or ``rediss://``; ``port`` where the address has none."""
        found = _NETWORK.fullmatch(url)
        assert found is not None  # the settings were checked
        return cls(plain_host(found[2]), int(found[3] or port), found[1] == "rediss")

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def __str__(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{shown}:{self.port}"


def plain_host(host: str) -> str:
    """A host as it is compared: names in small letters, addresses in their short form."""
    host = host.strip("[]").lower()
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


class RedisSettings(Section):
    """Where sessions are kept, and as whom each tenant's are.

    Either one address, ``redis``, or ``sentinels`` that say which of ``nodes`` is the master. A
    tenant without a user is not served. With ``aws_cache`` nodes log in by IAM, without passwords.
    """

    redis: RedisUrl | None = None
    sentinels: tuple[NetworkUrl, ...] = Field(default=(), max_length=16)
    sentinel_user: StoreUser | None = None
    """As whom the sentinels are asked; without it without a login."""
    master: MasterName | None = None
    nodes: tuple[NetworkUrl, ...] = Field(default=(), max_length=16)
    """Every server that may be the master. One that the sentinels name and this does not list is
    not spoken to: where sessions go is the settings' to say."""
    ca: HomePath | None = None
    """Certificates (PEM) that the server's must lead to; without it the machine's own."""
    users: dict[Identifier, StoreUser] = Field(min_length=1, max_length=10_000)
    aws_cache: CacheName | None = None
    """The ElastiCache replication group that logins are signed for."""

    @property
    def socket(self) -> str | None:
        """The path of the server's unix socket."""
        found = None if self.redis is None else _SOCKET.fullmatch(self.redis)
        return found[1] if found is not None else None

    @property
    def servers(self) -> tuple[Server, ...]:
        """Where sessions may be, beyond this machine's sockets."""
        if self.socket is not None:
            return ()
        urls = self.nodes if self.redis is None else (self.redis,)
        return tuple(Server.of(url, DEFAULT_PORT) for url in urls)

    @property
    def watchers(self) -> tuple[Server, ...]:
        """The sentinels."""
        return tuple(Server.of(url, SENTINEL_PORT) for url in self.sentinels)

    @property
    def tls(self) -> bool:
        """Whether the way to the server is encrypted."""
        return any(server.tls for server in self.servers)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*self._misplaced(), *self._unwatched(), *self._logs_in()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _misplaced(self) -> Iterator[str]:
        if (self.redis is None) == (not self.sentinels):
            yield "redis: name one server, or else sentinels, master and nodes"
        if not self.sentinels:
            for key in ("master", "nodes", "sentinel_user"):
                if getattr(self, key):
                    yield f"{key}: only sentinels have one"
        if self.ca is not None and not any(one.tls for one in (*self.servers, *self.watchers)):
            yield "ca: only rediss:// has a certificate to check"

    def _unwatched(self) -> Iterator[str]:
        if not self.sentinels:
            return
        if self.master is None:
            yield "master: what the sentinels call it is missing"
        yield from enough_servers("sentinels", self.watchers, FEWEST_SENTINELS)
        yield from enough_servers("nodes", self.servers if self.redis is None else (), FEWEST_NODES)
        if self.sentinel_user is not None and self.sentinel_user.password_file is None:
            yield "sentinel_user: has no password_file: add it"
        if self.aws_cache is not None:
            yield "aws_cache: ElastiCache has no sentinels: name its primary endpoint in redis"

    def _logs_in(self) -> Iterator[str]:
        if self.aws_cache is not None and not self.tls:
            yield "aws_cache: logging in by IAM takes TLS: write rediss://"
        for tenant, user in self.users.items():
            if self.aws_cache is None and user.password_file is None:
                yield f"users.{tenant}: has no password_file: add it, or aws_cache"
            elif self.aws_cache is not None and user.password_file is not None:
                yield f"users.{tenant}: password_file: with aws_cache there is none"


def enough_servers(key: str, servers: Sequence[Server], fewest: int) -> Iterator[str]:
    """What is wrong with a list of servers of which one is the primary."""
    if len({server.address for server in servers}) != len(servers):
        yield f"{key}: one is named twice"
    elif len(servers) < fewest:
        yield f"{key}: name at least {fewest}, so that one may be lost"
    if len({server.tls for server in servers}) > 1:
        yield f"{key}: write rediss:// for all of them, or for none"
