"""A tenant's rights in the store, on a real server: enough for every session, and no more."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from edge.session import redis_scripts
from edge.session.redis_stores import RedisStores
from edge.session.store import SessionStore
from infra.documents.store import COMMANDS, access_string
from tests.edge.session.entries import OpenStore
from tests.edge.session.parts import EU, ManualClock
from tests.edge.session.redis_server import PASSWORDS, RedisServer, redis_server
from tests.edge.session.store_contract import SessionStoreContract


def send(client: redis.Redis, *command: str) -> None:
    client.execute_command(*command)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with redis_server() as server:
        with server.admin() as admin:
            for tenant, password in PASSWORDS.items():
                user = ("ACL", "SETUSER", f"inland-{tenant}", "reset", f">{password}")
                send(admin, *user, *access_string(tenant).split())
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    with running.admin() as admin:
        admin.flushall()
    return running


@pytest.fixture
def clinic(server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis(
        unix_socket_path=str(server.socket),
        username="inland-clinic",
        password=PASSWORDS["clinic"],
        protocol=2,
    ) as client:
        yield client


class TestSessionsUnderATenantsRights(SessionStoreContract):
    @pytest.fixture
    async def open_store(self, server: RedisServer) -> AsyncIterator[OpenStore]:
        opened: list[RedisStores] = []

        async def open_one() -> SessionStore:
            opened.append(RedisStores.open(server.settings(), EU, ManualClock()))
            return opened[-1].of("clinic")

        yield open_one
        for stores in opened:
            await stores.close()


def test_a_tenant_may_send_what_the_scripts_send_and_what_calls_them_alone() -> None:
    texts = [text for name, text in vars(redis_scripts).items() if name.isupper()]
    called = {command.lower() for text in texts for command in re.findall(r"call\('(\w+)'", text)}
    assert set(COMMANDS) == called | {"eval", "evalsha", "script|load", "ping"}


@pytest.mark.parametrize(
    "command",
    [
        ("HGETALL", "inland:bank:session"),
        ("HSET", "inland:bank:session", "owner", "me"),
        ("EVAL", "return redis.call('HGETALL', KEYS[1])", "1", "inland:bank:session"),
        ("EVAL", "return redis.call('HGETALL', 'inland:bank:session')", "0"),
    ],
)
def test_a_tenant_does_not_touch_anothers_keys(
    clinic: redis.Redis, command: tuple[str, ...]
) -> None:
    with pytest.raises(redis.exceptions.ResponseError):
        send(clinic, *command)


@pytest.mark.parametrize(
    "command",
    [
        ("SCAN", "0"),
        ("KEYS", "*"),
        ("RANDOMKEY",),
        ("DBSIZE",),
        ("FLUSHALL",),
        ("FLUSHDB",),
        ("SCRIPT", "FLUSH"),
        ("CONFIG", "GET", "*"),
        ("ACL", "LIST"),
        ("MONITOR",),
        ("CLIENT", "LIST"),
        ("SUBSCRIBE", "channel"),
        ("INFO",),
        ("MIGRATE", "203.0.113.7", "6379", "inland:clinic:session", "0", "10"),
        ("DUMP", "inland:clinic:session"),
    ],
)
def test_a_tenant_does_not_list_wipe_watch_or_send_away(
    clinic: redis.Redis, command: tuple[str, ...]
) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        send(clinic, *command)
