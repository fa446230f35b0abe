"""Where a node's sessions and keys are, when they are not in its files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.edge.session.redis_server import RedisServer, redis_server


@pytest.fixture
def servers() -> Iterator[tuple[RedisServer, RedisServer]]:
    """One for sessions, one for their keys."""
    with redis_server() as sessions, redis_server() as keys:
        yield sessions, keys
