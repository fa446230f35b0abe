"""The section ``store`` of a node's settings: a Redis or Valkey that the region's nodes share."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from control_plane.contract import Identifier
from edge.section import HomePath, Section

DEFAULT_PORT = 6379
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
_NETWORK = re.compile(rf"(rediss?)://({_HOST})(?::([0-9]{{1,5}}))?")
_SOCKET = re.compile(r"unix://(/[^\s?#]{1,100})")


def _address(text: str) -> str:
    found = _NETWORK.fullmatch(text)
    if _SOCKET.fullmatch(text) is None and (
        found is None or int(found[3] or 1) not in range(65536)
    ):
        raise ValueError(
            "write rediss://HOST:PORT (TLS), redis://HOST:PORT or unix:///PATH; a user and a "
            "password belong into users"
        )
    return text


RedisUrl = Annotated[str, AfterValidator(_address)]
UserName = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
CacheName = Annotated[str, StringConstraints(pattern=r"^[a-z](-?[a-z0-9]){0,39}$")]
"""A replication group of ElastiCache."""


class StoreUser(Section):
    """As whom a tenant's sessions are read and written: an ACL user with its prefix alone."""

    username: UserName
    password_file: HomePath | None = None
    """Read again whenever a connection is made."""


class RedisSettings(Section):
    """Where sessions are kept, and as whom each tenant's are.

    A tenant without a user is not served. With ``aws_cache`` nodes log in by IAM, without
    passwords.
    """

    redis: RedisUrl
    ca: HomePath | None = None
    """Certificates (PEM) that the server's must lead to; without it the machine's own."""
    users: dict[Identifier, StoreUser] = Field(min_length=1, max_length=10_000)
    aws_cache: CacheName | None = None
    """The ElastiCache replication group that logins are signed for."""

    @property
    def tls(self) -> bool:
        """Whether the way to the server is encrypted."""
        return self.redis.startswith("rediss:")

    @property
    def socket(self) -> str | None:
        """The path of the server's unix socket."""
        found = _SOCKET.fullmatch(self.redis)
        return found[1] if found is not None else None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of a server that has no unix socket."""
        found = _NETWORK.fullmatch(self.redis)
        assert found is not None  # the validator saw to it
        return found[2].strip("[]"), int(found[3] or DEFAULT_PORT)

    @model_validator(mode="after")
    def _logs_in(self) -> Self:
        problems = []
        if self.ca is not None and not self.tls:
            problems.append("ca: only rediss:// has a certificate to check")
        if self.aws_cache is not None and not self.tls:
            problems.append("aws_cache: logging in by IAM takes TLS: write rediss://")
        for tenant, user in self.users.items():
            if self.aws_cache is None and user.password_file is None:
                problems.append(f"users.{tenant}: has no password_file: add it, or aws_cache")
            elif self.aws_cache is not None and user.password_file is not None:
                problems.append(f"users.{tenant}: password_file: with aws_cache there is none")
        if problems:
            raise ValueError("; ".join(problems))
        return self
