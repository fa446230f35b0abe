"""A tenant's user reaches its tenant's keys and no other's, whatever it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import redis
from redis.exceptions import NoPermissionError

from edge.session import redis_scripts, vault_redis
from edge.session.errors import StoreBroken, UnknownSession
from edge.session.redis_stores import RedisStores
from edge.session.store import Fence
from tests.edge.session.entries import name, sealed, session
from tests.edge.session.parts import EU, NOW, SESSION, ManualClock, finish, record, tag_for
from tests.edge.session.redis_server import PASSWORDS, RedisServer, redis_server


def keys(admin: redis.Redis) -> list[bytes]:
    return sorted(admin.scan_iter())


SUBJECT = name(1)
THEIRS = f"inland:clinic:{{{SESSION}}}:journal"


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
async def server(running: RedisServer) -> AsyncIterator[RedisServer]:
    """With a session and a record of the clinic."""
    with running.admin() as admin:
        admin.flushall()
    stores = RedisStores.open(running.settings(), EU, ManualClock())
    fence = await stores.of("clinic").create(session(subjects=(SUBJECT,)), "a")
    await stores.of("clinic").commit(fence, sealed(1))
    await finish(stores.of("clinic"), fence, record("c_1", "lost"))
    await stores.close()
    vault = vault_redis.RedisVault.open(running.settings(), EU, ManualClock())
    await vault.put(tag_for(), b"h" * 16, b"wrapped")
    await vault.close()
    yield running


@pytest.fixture
def bank(server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis(
        unix_socket_path=str(server.socket),
        username="inland-bank",
        password=PASSWORDS["bank"],
        protocol=2,
    ) as client:
        yield client


@pytest.mark.parametrize(
    "command",
    [
        ("HGETALL", THEIRS),
        ("HSET", THEIRS, "owner", "mine"),
        ("EXPIREAT", THEIRS, "1"),
        ("HGETALL", "inland:clinic:records"),
        ("ZRANGE", f"inland:clinic:subject:{SUBJECT}", "0", "-1"),
        ("ZADD", f"inland:clinic:subject:{SUBJECT}", "1", "mine"),
        ("EVAL", "return redis.call('HGETALL', KEYS[1])", "1", THEIRS),
        ("EVAL", f"return redis.call('HGETALL', '{THEIRS}')", "0"),
        ("EVAL", f"return redis.call('HSET', '{THEIRS}', 'owner', 'mine')", "0"),
        ("EVAL", f"return redis.pcall('HGETALL', '{THEIRS}')", "1", "inland:bank:x"),
        ("EVAL", "return redis.call('RPUSH', KEYS[1], 'x')", "1", "inland:bank2:x"),
        ("HGETALL", "inland:bank"),
        # What takes no key is not held back by a prefix.
        ("KEYS", "*"),
        ("SCAN", "0"),
        ("RANDOMKEY",),
        ("FLUSHALL",),
        ("EVAL", "return redis.call('FLUSHALL')", "0"),
        ("EVAL", "return redis.call('KEYS', '*')", "0"),
        ("SCRIPT", "FLUSH"),
        ("CONFIG", "GET", "*"),
        ("ACL", "LIST"),
        ("PUBLISH", "x", "y"),
        ("MONITOR",),
    ],
)
def test_a_foreign_tenants_keys_are_refused_also_from_a_script(
    server: RedisServer, bank: redis.Redis, command: tuple[str, ...]
) -> None:
    with server.admin() as admin:
        before = {key: admin.dump(key) for key in keys(admin)}
        with pytest.raises(redis.ResponseError, match=r"permission|The user executing"):
            bank.execute_command(*command)  # type: ignore[no-untyped-call]
        assert {key: admin.dump(key) for key in keys(admin)} == before


SCRIPTS = {
    name: text
    for module in (redis_scripts, vault_redis)
    for name, text in vars(module).items()
    if name.isupper() and name[0] != "_" and isinstance(text, str)
}
"""Every script that the product runs."""
GIVEN = {
    "CREATE": ("reception", "t", "mine", NOW, int(NOW) + 60, "n", 8, "regions", ""),
    "COMMIT": (1, "a", 2, "d", "body", "state", 9, 9999, "", 8),
    "TOOL_PENDING": (1, "a", "c1", "d", "body", 9, 9999),
    "TOOL_SETTLED": (1, "a", "c1", "d", "body", 9999),
    "FINISH": (1, "a", "c_2", "{}", 9, "1", SESSION, "c_1"),
    "TAKE": (NOW, "mine"),
    "HEADER": (NOW,),
    "READ": (NOW,),
    "ERASE": ("",),
    "FIND": (NOW, 9),
    "AT_REST": ("-inf", 9),
    "READ_RECORDS": (9,),
    "READ_SESSION": (SESSION, 9),
    "PUT": ("handle", "wrapped", int(NOW)),
    "DESTROY": (),
}


def test_every_script_is_tried_on_foreign_keys() -> None:
    assert set(SCRIPTS) == set(GIVEN)


@pytest.mark.parametrize("name", GIVEN)
def test_our_own_scripts_are_refused_on_a_foreign_tenants_keys(
    server: RedisServer, bank: redis.Redis, name: str
) -> None:
    theirs = {
        "READ_RECORDS": ("records", "records:order"),
        "READ_SESSION": ("records", "records:sessions"),
        "FIND": (f"subject:{SUBJECT}",),
        "AT_REST": ("sessions",),
        "PUT": (f"{{{SESSION}}}:key:transcript",),
        "DESTROY": (f"{{{SESSION}}}:key:transcript",),
    }.get(name, (f"{{{SESSION}}}:journal", "records", "records:order", "records:sessions"))
    foreign = [f"inland:clinic:{each}" for each in theirs]
    own = [f"inland:bank:{each}" for each in theirs]
    with server.admin() as admin:
        before = {key: admin.dump(key) for key in keys(admin)}
        assert foreign[0].encode() in before or name == "PUT", "the script has something to find"
        for asked in {tuple(foreign), (*foreign[:-1], own[-1]), (*own[:-1], foreign[-1])}:
            if not set(asked) <= set(own):
                with pytest.raises(NoPermissionError):
                    bank.eval(SCRIPTS[name], len(asked), *asked, *GIVEN[name])
        assert {key: admin.dump(key) for key in keys(admin)} == before


async def test_a_node_that_mixed_two_tenants_up_is_refused_by_the_server(
    server: RedisServer,
) -> None:
    """The prefix of one tenant with the login of another: a defect of ours opens nothing."""
    users = server.settings().users
    crossed = server.settings().model_copy(
        update={"users": {"clinic": users["bank"], "bank": users["clinic"]}}
    )
    stores = RedisStores.open(crossed, EU, ManualClock())
    store = stores.of("clinic")
    with pytest.raises(StoreBroken, match="does not let this tenant's user in"):
        await store.take(SESSION, "b", NOW)
    with pytest.raises(StoreBroken):
        await store.commit(Fence(SESSION, 1, "a"), sealed(2))
    with pytest.raises(StoreBroken):
        await store.read_records()
    await stores.close()


async def test_tenants_find_neither_sessions_nor_records_of_one_another(
    server: RedisServer,
) -> None:
    stores = RedisStores.open(server.settings(), EU, ManualClock())
    bank = stores.of("bank")
    with pytest.raises(UnknownSession):
        await bank.take(SESSION, "b", NOW)
    with pytest.raises(UnknownSession):
        await bank.commit(Fence(SESSION, 1, "a"), sealed(2))
    assert await bank.read_records() == ()
    # The same id is another session there.
    assert (await bank.create(session(), "b")).epoch == 1
    assert len((await stores.of("clinic").take(SESSION, "c", NOW))[1].turns) == 1
    await stores.close()


async def test_whoever_does_not_log_in_is_told_nothing(server: RedisServer) -> None:
    with (
        redis.Redis(unix_socket_path=str(server.socket), protocol=2) as nobody,
        pytest.raises(redis.AuthenticationError),
    ):
        nobody.ping()
