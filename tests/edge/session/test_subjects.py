"""A person's sessions are found with the region's key, and nobody else can tell whose they are."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge.events import JsonValue
from edge.session.errors import StoreBroken, StoreBusy
from edge.session.journal import Journal
from edge.session.keys import LocalKeyFile
from edge.session.redis_stores import RedisStores
from edge.session.schema import VERSION
from edge.session.sqlite import SqliteStore
from edge.session.store import Fence, NewSession, SealedTurn, SessionStore
from edge.session.subjects import SUBJECT_PURPOSE, Marker, Subject, SubjectIndex
from tests.edge.session.entries import name, sealed, session
from tests.edge.session.parts import (
    EU,
    IN,
    NOW,
    OTHER,
    SESSION,
    ManualClock,
    books,
    key_file,
    tag_for,
    turn,
)
from tests.edge.session.redis_server import RedisServer, redis_server

NUMBER = "+493012345678"


def index(folder: Path, region: str = EU) -> SubjectIndex:
    return SubjectIndex(key_file(folder, region).subkey(SUBJECT_PURPOSE))


# --- names ----------------------------------------------------------------------------------------


def test_a_name_is_the_same_for_one_person_tenant_kind_and_region_alone(tmp_path: Path) -> None:
    here = index(tmp_path)
    named = here.name("clinic", Subject("phone", NUMBER))
    assert index(tmp_path).name("clinic", Subject("phone", NUMBER)) == named
    others = {
        here.name("bank", Subject("phone", NUMBER)),
        here.name("clinic", Subject("customer_number", NUMBER)),
        here.name("clinic", Subject("phone", NUMBER[:-1] + "9")),
        index(tmp_path, IN).name("clinic", Subject("phone", NUMBER)),
    }
    assert len(others) == 4
    assert named not in others
    assert len(named) == 32
    assert set(named) <= set("0123456789abcdef")


def test_whoever_prints_a_subject_prints_no_number() -> None:
    assert NUMBER not in repr(Subject("phone", NUMBER))


def test_a_marker_names_the_line_and_the_state_once_each(tmp_path: Path) -> None:
    line, slot = Subject("phone", NUMBER), Subject("customer_number", "4711")
    marker = Marker(index(tmp_path), "clinic", (line,), lambda state: [slot, line] if state else [])
    assert marker.names() == (marker.index.name("clinic", line),)
    assert marker.names({"a": 1}) == (*marker.names(), marker.index.name("clinic", slot))


# --- in a journal ---------------------------------------------------------------------------------

LEARNT = Subject("customer_number", "4711")


def learnt(state: JsonValue) -> list[Subject]:
    return [LEARNT] if isinstance(state, dict) and "customer" in state else []


async def open_journal(
    store: SessionStore, keys: LocalKeyFile, marker: Marker, owner: str = "first"
) -> Journal:
    return await Journal.begin(
        store,
        keys,
        session_id=SESSION,
        tag=tag_for(),
        agent="reception",
        owner=owner,
        clock=ManualClock(),
        books=books(),
        marker=marker,
    )


async def test_a_journal_names_the_line_at_once_and_the_rest_with_the_turn_that_told_it(
    tmp_path: Path,
) -> None:
    store, keys = await SqliteStore.open(tmp_path / "s.db"), key_file(tmp_path)
    marker = Marker(index(tmp_path), "clinic", (Subject("phone", NUMBER),), learnt)
    journal = await open_journal(store, keys, marker)
    line, slot = marker.names({"customer": 1})
    assert await store.find(line, NOW) == (SESSION,)
    await journal.commit(turn(1), {})
    assert await store.find(slot, NOW) == ()
    await journal.commit(turn(2), {"customer": "4711"})
    assert await store.find(slot, NOW) == (SESSION,)
    await store.close()


async def test_a_successor_names_who_is_on_its_own_line_too(tmp_path: Path) -> None:
    store, keys = await SqliteStore.open(tmp_path / "s.db"), key_file(tmp_path)
    first = Marker(index(tmp_path), "clinic", (Subject("phone", NUMBER),))
    await open_journal(store, keys, first)
    other = Marker(index(tmp_path), "clinic", (Subject("phone", NUMBER + "1"),), learnt)
    journal, _ = await Journal.take_over(
        store,
        keys,
        session_id=SESSION,
        region=EU,
        owner="second",
        clock=ManualClock(),
        books=books(),
        marker=other,
    )
    await journal.commit(turn(1), {"customer": "4711"})
    for named in (*first.names(), *other.names({"customer": 1})):
        assert await store.find(named, NOW) == (SESSION,)
    await store.close()


async def test_a_turn_that_was_refused_is_told_again_with_whom_it_is_about(tmp_path: Path) -> None:
    class Busy(SqliteStore):
        busy = True

        async def commit(self, fence: Fence, turn: SealedTurn) -> None:
            if self.busy:
                raise StoreBusy("busy")
            await super().commit(fence, turn)

    store, keys = await Busy.open(tmp_path / "s.db"), key_file(tmp_path)
    marker = Marker(index(tmp_path), "clinic", (), learnt)
    journal = await open_journal(store, keys, marker)
    with pytest.raises(StoreBusy):
        await journal.commit(turn(1), {"customer": "4711"})
    store.busy = False
    await journal.commit(turn(1), {"customer": "4711"})
    (slot,) = marker.names({"customer": 1})
    assert await store.find(slot, NOW) == (SESSION,)
    await store.close()


# --- in a file ------------------------------------------------------------------------------------


async def test_no_byte_of_a_name_is_left_in_the_file_after_an_erasure(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "s.db")
    fence = await store.create(session(subjects=(name(77),)), "a")
    await store.commit(fence, sealed(1, subjects=(name(78),)))
    assert name(77).encode() in contents(tmp_path)
    await store.erase(SESSION)
    left = contents(tmp_path)
    assert name(77).encode() not in left
    assert name(78).encode() not in left
    await store.close()


async def test_a_sweep_takes_the_names_of_the_sessions_that_it_deletes(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "s.db")
    await store.create(session(subjects=(name(1),)), "a")
    assert await store.sweep(NOW + 60) == 1
    assert await store.find(name(1), 0) == ()
    await store.close()


async def test_a_file_of_the_version_before_is_read_on_and_can_name_subjects(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"
    store = await SqliteStore.open(path)
    fence = await store.create(session(), "a")
    await store.close()
    with sqlite3.connect(path) as old:
        old.executescript("DROP TABLE subject; PRAGMA user_version=1;")
    old.close()
    opened = await asyncio.gather(*(SqliteStore.open(path) for _ in range(4)))
    await opened[0].commit(fence, sealed(1, subjects=(name(1),)))
    assert await opened[1].find(name(1), NOW) == (SESSION,)
    for each in opened:
        await each.close()
    with sqlite3.connect(path) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (VERSION,)
    now.close()


async def test_a_file_of_no_version_is_not_made_one(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    await (await SqliteStore.open(path)).close()
    with sqlite3.connect(path) as old:
        old.execute("PRAGMA user_version=0")
    old.close()
    with pytest.raises(StoreBroken, match="schema 0"):
        await SqliteStore.open(path)


# --- in Redis -------------------------------------------------------------------------------------


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
async def store(server: RedisServer) -> AsyncIterator[SessionStore]:
    stores = RedisStores.open(server.settings(), EU, ManualClock())
    yield stores.of("clinic")
    await stores.close()


async def test_a_subject_is_under_its_tenant_and_expires_with_the_last_of_its_sessions(
    server: RedisServer, store: SessionStore
) -> None:
    key = f"inland:clinic:subject:{name(1)}"
    await store.create(session(subjects=(name(1),), lasts=120), "a")
    await store.create(session(OTHER, subjects=(name(1),)), "a")
    with server.admin() as admin:
        assert admin.exists(key)
        assert admin.expiretime(key) == int(NOW) + 120
        await store.erase(SESSION)
        assert admin.zrange(key, 0, -1) == [OTHER.encode()]
        await store.erase(OTHER)
        assert admin.keys() == []


async def test_a_caller_who_calls_every_day_does_not_gather_sessions_that_are_over(
    server: RedisServer, store: SessionStore
) -> None:
    for day in range(5):
        began = NOW + day * 100
        daily = NewSession(f"s_{day}", "a", b"t", {"r": b"k"}, began, int(began) + 60, (name(1),))
        await store.create(daily, "a")
    with server.admin() as admin:
        assert admin.zrange(f"inland:clinic:subject:{name(1)}", 0, -1) == [b"s_4"]


async def test_a_subject_that_is_learnt_while_a_session_is_erased_is_erased_too(
    server: RedisServer, store: SessionStore
) -> None:
    """The keys of a script are said before it runs, so the first try may lack one."""
    fence = await store.create(session(subjects=(name(1),)), "a")
    steps = [store.commit(fence, sealed(n, subjects=(name(n + 1),))) for n in range(1, 5)]
    done = await asyncio.gather(*steps, store.erase(SESSION), return_exceptions=True)
    assert done[-1] is True
    with server.admin() as admin:
        assert admin.keys() == []


async def test_a_user_of_the_version_before_leaves_no_session_that_never_expires(
    server: RedisServer, store: SessionStore
) -> None:
    """The rights of `inland redis acl` are loaded before a new node; here they were not."""
    with server.admin() as admin:
        admin.execute_command("ACL", "SETUSER", "inland-clinic", "-zadd")
        try:
            with pytest.raises(StoreBroken):
                await store.create(session(subjects=(name(1),)), "a")
            assert [admin.expiretime(key) for key in admin.scan_iter()] == [int(NOW) + 60]
        finally:
            admin.execute_command("ACL", "SETUSER", "inland-clinic", "+zadd")


@pytest.mark.parametrize("bad", ["", "x" * 32, "a" * 31, "a" * 33, "A" * 32, "a" * 31 + "}"])
def test_a_name_that_would_leave_its_key_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="a subject is named by"):
        session(subjects=(bad,))
    with pytest.raises(ValueError, match="a subject is named by"):
        sealed(1, subjects=(bad,))


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
