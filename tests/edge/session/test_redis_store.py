"""The Redis store keeps the contract on a real server, through crashes, races and full pools."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from edge.session import redis_store as module
from edge.session.errors import (
    OutOfStep,
    StaleOwner,
    StoreBroken,
    StoreBusy,
    TenantRefused,
    TooLarge,
    UnknownSession,
)
from edge.session.redis_connections import MAX_AGE_SECONDS, MAX_CONNECTIONS
from edge.session.redis_stores import RedisStores
from edge.session.store import NewSession, SessionStore
from tests.edge.session.entries import OpenStore, sealed, session
from tests.edge.session.parts import EU, NOW, OTHER, SESSION, ManualClock, finish, record
from tests.edge.session.redis_server import RedisServer, redis_server
from tests.edge.session.store_contract import SessionStoreContract, intent, outcome

WRITER = """
import asyncio, sys
from edge.clock import SystemClock
from edge.session.errors import StoreBusy
from edge.session.redis_settings import RedisSettings
from edge.session.redis_stores import RedisStores
from edge.session.store import Fence, SealedTurn
from tests.edge.session.redis_server import unhurried

async def main():
    settings = RedisSettings.model_validate_json(sys.argv[1])
    store = RedisStores.open(settings, "eu-central-1", SystemClock()).of("clinic")
    fence = Fence(sys.argv[2], 1, "a")
    number = 0
    while True:
        number += 1
        try:
            await store.commit(fence, SealedTurn(number, b"d", b"turn%d" % number, b"state"))
        except StoreBusy:
            return
        print(number, flush=True)

with unhurried():
    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    with running.admin() as admin:
        admin.flushall()
    return running


@pytest.fixture
async def stores(server: RedisServer) -> AsyncIterator[RedisStores]:
    stores = RedisStores.open(server.settings(), EU, ManualClock())
    yield stores
    await stores.close()


@pytest.fixture
def store(stores: RedisStores) -> SessionStore:
    return stores.of("clinic")


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


async def test_everything_of_a_session_is_under_its_tenant_and_expires_with_it(
    server: RedisServer, store: SessionStore
) -> None:
    fence = await store.create(session(), "a")
    await store.commit(fence, sealed(1))
    await store.tool_pending(fence, intent())
    await store.tool_settled(fence, outcome())
    await store.take(SESSION, "b", NOW)
    with server.admin() as admin:
        session_key, index = f"inland:clinic:{{{SESSION}}}:journal", "inland:clinic:sessions"
        assert sorted(admin.keys()) == sorted([session_key.encode(), index.encode()])
        assert {admin.expiretime(key) for key in (session_key, index)} == {int(NOW) + 60}


async def test_a_session_whose_time_is_over_is_gone_without_a_sweep(store: SessionStore) -> None:
    past = NewSession(SESSION, "reception", b"tag", {"r1": b"k"}, 0.0, 60)
    fence = await store.create(past, "a")
    with pytest.raises(UnknownSession):
        await store.header(SESSION, 0.0)
    with pytest.raises(UnknownSession):
        await store.commit(fence, sealed(1))
    assert await store.sweep(NOW) == 0


async def test_records_outlive_their_session(server: RedisServer, store: SessionStore) -> None:
    fence = await store.create(session(), "a")
    await finish(store, fence, record("c_1", "lost"))
    with server.admin() as admin:
        admin.delete(f"inland:clinic:{{{SESSION}}}:journal", "inland:clinic:sessions")
        kept = admin.keys()
        assert {admin.expiretime(key) for key in kept} == {-1}
    await finish(store, fence, record("c_2", "hangup"))
    assert [found.call_id for found in await store.read_records()] == ["c_1", "c_2"]
    assert sorted(kept) == [
        b"inland:clinic:records",
        b"inland:clinic:records:order",
        b"inland:clinic:records:sessions",
    ]


async def test_only_the_latest_records_of_a_tenant_are_kept(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RECORDS", 3)
    fence = await store.create(session(), "a")
    for number in range(5):
        await finish(store, fence, record(f"c_{number}", "lost"))
    assert [found.call_id for found in await store.read_records()] == ["c_2", "c_3", "c_4"]


async def test_what_is_no_longer_kept_is_no_longer_found_by_its_session(
    server: RedisServer, store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RECORDS", 3)
    first, second = await store.create(session(), "a"), await store.create(session(OTHER), "a")
    for number in range(3):
        await finish(store, first, record(f"c_{number}", "lost"))
    for number in range(2):
        await finish(store, second, record(f"d_{number}", "lost", OTHER))
    found = await store.read_records(session_id=SESSION)
    assert [one.call_id for one in found] == ["c_2"]
    await finish(store, second, record("d_2", "lost", OTHER))
    assert await store.read_records(session_id=SESSION) == ()
    with server.admin() as admin:
        assert admin.hgetall("inland:clinic:records:sessions") == {OTHER.encode(): b"d_0 d_1 d_2"}


async def test_more_records_are_read_than_a_script_may_unpack(
    server: RedisServer, store: SessionStore
) -> None:
    body = record().model_dump_json()
    with server.admin() as admin:
        admin.hset("inland:clinic:records", mapping={f"c_{n}": body for n in range(9_500)})
        admin.rpush("inland:clinic:records:order", *(f"c_{n}" for n in range(9_500)))
    assert len(await store.read_records()) == 9_500


async def test_turns_and_tool_calls_are_counted(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TURNS", 2)
    monkeypatch.setattr(module, "MAX_TOOLS", 2)
    fence = await store.create(session(), "a")
    for number in (1, 2):
        await store.commit(fence, sealed(number))
        await store.tool_pending(fence, intent(f"c{number}"))
    with pytest.raises(TooLarge):
        await store.commit(fence, sealed(3))
    with pytest.raises(TooLarge):
        await store.tool_pending(fence, intent("c3"))


async def test_a_server_that_forgot_the_scripts_is_told_them_again(
    server: RedisServer, store: SessionStore
) -> None:
    fence = await store.create(session(), "a")
    await store.commit(fence, sealed(1))
    with server.admin() as admin:
        admin.script_flush()
    await store.commit(fence, sealed(2))


@pytest.mark.parametrize("bad", ["", "a{b}", "a}", "a b", "ä", "a" * 65])
async def test_an_id_that_would_leave_its_key_is_refused(store: SessionStore, bad: str) -> None:
    with pytest.raises(ValueError, match="a session id"):
        await store.header(bad, NOW)


async def test_a_journal_that_lacks_a_part_is_not_half_read(
    server: RedisServer, store: SessionStore
) -> None:
    fence = await store.create(session(), "a")
    await store.commit(fence, sealed(1))
    with server.admin() as admin:
        admin.hdel(f"inland:clinic:{{{SESSION}}}:journal", "turn:1")
    with pytest.raises(StoreBroken, match="lacks a part"):
        await store.take(SESSION, "b", NOW)


async def test_a_tenant_without_a_user_has_no_store(server: RedisServer) -> None:
    stores = RedisStores.open(server.settings("bank"), EU, ManualClock())
    with pytest.raises(TenantRefused):
        stores.of("clinic")
    await stores.close()


async def test_a_closed_store_says_so_after_the_steps_under_way(store: SessionStore) -> None:
    fence = await store.create(session(), "a")
    commit = asyncio.ensure_future(store.commit(fence, sealed(1)))
    await asyncio.sleep(0)
    await store.close()
    await commit
    await store.close()
    with pytest.raises(StoreBroken, match="closed"):
        await store.commit(fence, sealed(2))


# --- connections ----------------------------------------------------------------------------------


async def test_many_steps_at_once_share_a_few_connections(
    server: RedisServer, store: SessionStore
) -> None:
    await asyncio.gather(*(store.create(session(f"s_{n}"), "a") for n in range(100)))
    assert len(server.connections("clinic")) == MAX_CONNECTIONS


async def test_more_steps_than_may_wait_are_turned_away(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    steps = [store.create(session(f"s_{n}"), "a") for n in range(8)]
    results = await asyncio.gather(*steps, return_exceptions=True)
    assert [type(result) for result in results[5:]] == [StoreBusy] * 3
    await store.create(session(), "a")


async def test_a_connection_that_the_server_closed_is_replaced_unnoticed(
    server: RedisServer, store: SessionStore
) -> None:
    fence = await store.create(session(), "a")
    await server.disconnect("clinic")
    await store.commit(fence, sealed(1))


async def test_a_connection_logs_in_anew_before_the_server_would_end_it(
    server: RedisServer,
) -> None:
    clock = ManualClock()
    stores = RedisStores.open(server.settings(), EU, clock)
    store = stores.of("clinic")
    fence = await store.create(session(), "a")
    (first,) = server.connections("clinic")
    clock.now += MAX_AGE_SECONDS - 1
    await store.commit(fence, sealed(1))
    assert [one["id"] for one in server.connections("clinic")] == [first["id"]]
    clock.now += 1
    await store.commit(fence, sealed(2))
    (second,) = server.connections("clinic")
    assert second["id"] != first["id"]
    await store.commit(fence, sealed(3))
    assert [one["id"] for one in server.connections("clinic")] == [second["id"]]
    await stores.close()


async def test_a_step_that_was_cancelled_leaves_no_answer_to_the_next(
    server: RedisServer, store: SessionStore
) -> None:
    fence = await store.create(session(), "a")
    for number in range(1, 40):
        step = asyncio.ensure_future(store.commit(fence, sealed(number)))
        for _ in range(number % 7):
            await asyncio.sleep(0)
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
        await store.commit(fence, sealed(number))
        assert (await store.header(SESSION, NOW)).agent == "reception"
    assert len(server.connections("clinic")) <= MAX_CONNECTIONS


async def test_a_server_that_hangs_is_busy_by_the_deadline_and_good_again_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with redis_server() as server:
        stores = RedisStores.open(server.settings(), EU, ManualClock())
        store = stores.of("clinic")
        fence = await store.create(session(), "a")
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with monkeypatch.context() as patch:
                patch.setattr("edge.session.redis_tenants.STEP_SECONDS", 0.2)
                steps = (store.commit(fence, sealed(1)) for _ in range(10))
                results = await asyncio.gather(*steps, return_exceptions=True)
                assert [type(result) for result in results] == [StoreBusy] * 10
                assert await stores.problem()
        finally:
            os.kill(server.pid, signal.SIGCONT)
        await store.commit(fence, sealed(1))
        assert await stores.problem() is None
        await stores.close()


# --- crashes and races ----------------------------------------------------------------------------


async def test_what_was_told_is_committed_is_there_after_the_server_was_killed() -> None:
    with redis_server() as server:
        stores = RedisStores.open(server.settings(), EU, ManualClock())
        store = stores.of("clinic")
        await store.create(session(), "a")
        given = server.settings().model_dump_json()
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, given, SESSION, stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        while int(await writer.stdout.readline()) < 50:
            pass
        server.kill()
        told = 50 + len((await writer.stdout.read()).splitlines())
        assert await writer.wait() == 0, "the writer was told StoreBusy"
        with pytest.raises(StoreBusy):
            await store.header(SESSION, NOW)
        assert await stores.problem()
        server.start()
        assert await stores.problem() is None
        fence, stored = await store.take(SESSION, "b", NOW)
        # One turn more may be there: committed, and killed before it could say so.
        assert len(stored.turns) in (told, told + 1)
        assert stored.turns[-1] == b"turn%d" % len(stored.turns)
        await store.commit(fence, sealed(len(stored.turns) + 1))
        await stores.close()


async def test_a_repeat_after_a_lost_answer_writes_nothing_twice(store: SessionStore) -> None:
    fence = await store.create(session(), "a")
    for _ in range(2):
        await store.commit(fence, sealed(1))
        await store.tool_pending(fence, intent())
        await store.tool_settled(fence, outcome())
        await finish(store, fence, record("c_1", "lost"))
    with pytest.raises(OutOfStep):
        await store.commit(fence, sealed(1, digest=b"other"))
    _, stored = await store.take(SESSION, "b", NOW)
    assert (len(stored.turns), len(stored.tools)) == (1, 1)
    assert len(await store.read_records()) == 1


async def test_a_primary_that_lost_its_last_writes_cannot_give_one_epoch_to_two_owners(
    server: RedisServer, store: SessionStore
) -> None:
    """As after a failover to a replica that lagged: the first taking over was forgotten."""
    await store.create(session(), "a")
    with server.admin() as admin:
        before = admin.dump(f"inland:clinic:{{{SESSION}}}:journal")
        lost, _ = await store.take(SESSION, "b", NOW)
        assert isinstance(before, bytes)
        admin.restore(f"inland:clinic:{{{SESSION}}}:journal", 0, before, replace=True)
    other, _ = await store.take(SESSION, "c", NOW)
    assert other.epoch == lost.epoch
    with pytest.raises(StaleOwner):
        await store.commit(lost, sealed(1))
    await store.commit(other, sealed(1))


# --- replicas -------------------------------------------------------------------------------------


async def test_a_primary_without_enough_replicas_is_busy_until_they_are_back(
    server: RedisServer, store: SessionStore
) -> None:
    fence = await store.create(session(), "a")
    with server.admin() as admin:
        admin.config_set("min-replicas-to-write", 1)
        try:
            with pytest.raises(StoreBusy):
                await store.commit(fence, sealed(1))
            with pytest.raises(StoreBusy):
                await store.create(session(OTHER), "a")
            assert (await store.header(SESSION, NOW)).agent == "reception"
        finally:
            admin.config_set("min-replicas-to-write", 0)
    await store.commit(fence, sealed(1))


async def test_a_primary_that_became_a_replica_is_busy_and_left(
    server: RedisServer, store: SessionStore
) -> None:
    fence = await store.create(session(), "a")
    with server.admin() as admin:
        admin.replicaof("127.0.0.1", "1")
        try:
            with pytest.raises(StoreBusy):
                await store.commit(fence, sealed(1))
            assert server.connections("clinic") == [], "the name may lead elsewhere by now"
        finally:
            admin.execute_command("REPLICAOF", "NO", "ONE")
    await store.commit(fence, sealed(1))


async def test_a_full_store_is_broken_and_keeps_what_it_has(
    server: RedisServer, store: SessionStore
) -> None:
    fence = await store.create(session(), "a")
    await store.commit(fence, sealed(1))
    with server.admin() as admin:
        admin.config_set("maxmemory", 1)
        try:
            with pytest.raises(StoreBroken):
                await store.commit(fence, sealed(2))
        finally:
            admin.config_set("maxmemory", 0)
    _, stored = await store.take(SESSION, "b", NOW)
    assert stored.turns == (b"turn1",)


async def test_a_foreign_value_in_the_place_of_a_session_is_broken(
    server: RedisServer, store: SessionStore
) -> None:
    with server.admin() as admin:
        admin.set(f"inland:clinic:{{{SESSION}}}:journal", b"x")
    with pytest.raises(StoreBroken) as broken:
        await store.header(SESSION, NOW)
    assert isinstance(broken.value.__cause__, redis.ResponseError)
