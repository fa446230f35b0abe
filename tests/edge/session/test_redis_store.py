"""The Redis store keeps the contract on a real server, through crashes, races and foreign hands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from edge.session.redis_stores import RedisStores
from edge.session.store import SessionStore
from tests.edge.session.parts import EU, ManualClock
from tests.edge.session.redis_server import RedisServer, redis_server
from tests.edge.session.store_contract import OpenStore, SessionStoreContract


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    with running.admin() as admin:
        admin.flushall()
    return running


class TestRedisStore(SessionStoreContract):
    @pytest.fixture
    async def open_store(self, server: RedisServer) -> AsyncIterator[OpenStore]:
        opened: list[RedisStores] = []

        async def open_one() -> SessionStore:
            opened.append(RedisStores.open(server.settings(), EU, ManualClock()))
            return opened[-1].of("clinic")

        yield open_one
        for stores in opened:
            await stores.close()
