"""The section ``keys`` of a node's settings: what wraps sessions' keys, and where they are kept."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from edge.section import HomePath, Section
from edge.session.kms_settings import KmsSettings
from edge.session.redis_settings import (
    FEWEST_NODES,
    MasterName,
    NetworkUrl,
    RedisSettings,
    RedisUrl,
    enough_servers,
)


class KeysSettings(Section):
    """By default the region's key file wraps, and what it wrapped is kept beside the sessions.

    Resume tokens and receipts take the region's key file with AWS KMS too.
    """

    kms: KmsSettings | None = None
    folder: HomePath | None = None
    """Where a node whose sessions are in a file keeps their keys; by default ``keys`` in ``data``.
    No backup may copy it."""
    redis: RedisUrl | None = None
    """The server that keeps the keys of sessions that are in Redis, with the same users; by default
    the one that has the sessions. No backup may copy it."""
    master: MasterName | None = None
    """The same where the store has sentinels: another master of theirs, one of ``nodes``."""
    nodes: tuple[NetworkUrl, ...] = Field(default=(), max_length=16)

    @property
    def apart(self) -> bool:
        """Whether the keys of sessions in Redis are on a server of their own."""
        return self.redis is not None or self.master is not None

    def server_of(self, store: RedisSettings) -> RedisSettings:
        """Where the keys of sessions in ``store`` are kept."""
        if self.redis is not None:
            alone = {"sentinels": (), "sentinel_user": None, "master": None, "nodes": ()}
            return store.model_copy(update={"redis": self.redis, **alone})
        if self.master is not None:
            return store.model_copy(update={"master": self.master, "nodes": self.nodes})
        return store

    def misplaced(self, store: RedisSettings | None) -> Iterator[str]:
        """What does not fit where the sessions are, each with its key."""
        if self.folder is not None and store is not None:
            yield "keys.folder: sessions are in Redis: name a server in keys.redis"
        if store is None:
            for key in ("redis", "master", "nodes"):
                if getattr(self, key):
                    yield f"keys.{key}: sessions are in a file: name a folder in keys.folder"
            return
        if self.redis is not None and store.aws_cache is not None:
            yield "keys.redis: users that log in by IAM are those of store.aws_cache"
        if self.master is not None and not store.sentinels:
            yield "keys.master: takes store.sentinels: name a server in keys.redis"
        elif self.redis is not None and (self.master is not None or self.nodes):
            yield "keys.redis: name one server, or else master and nodes"
        elif (self.master is None) != (not self.nodes):
            yield "keys.nodes: the servers of keys.master, and both or none"
        elif self.master is not None and self.master == store.master:
            yield "keys.master: is the one that has the sessions: remove it, or name another"
        elif self.master is not None:
            yield from enough_servers("keys.nodes", self.server_of(store).servers, FEWEST_NODES)
