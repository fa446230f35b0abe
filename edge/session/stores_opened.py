"""The session stores of a node, opened from its settings."""

from __future__ import annotations

from pathlib import Path

from edge.clock import Clock
from edge.session.redis_settings import RedisSettings
from edge.session.sqlite import SqliteStore
from edge.session.stores import OneStore, SessionStores


async def open_stores(
    store: RedisSettings | None, *, path: Path, region: str, clock: Clock
) -> SessionStores:
    """In Redis, or in the file at ``path``. Raises ``StoreBroken`` and ``StoreBusy``."""
    if store is None:
        return OneStore(await SqliteStore.open(path))
    # Only a node with such a store needs the client.
    from edge.session.redis_stores import RedisStores

    return RedisStores.open(store, region, clock)
