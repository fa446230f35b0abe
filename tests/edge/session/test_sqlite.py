"""The SQLite store keeps the contract, from several processes, through crashes."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import stat
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.session import sqlite as module
from edge.session import sqlite_thread
from edge.session.errors import StoreBroken, StoreBusy, TooLarge
from edge.session.schema import VERSION, connect
from edge.session.sqlite import SqliteStore
from edge.session.store import SessionStore
from tests.edge.session.entries import OpenStore, sealed, session
from tests.edge.session.parts import NOW, OTHER, SESSION, finish, record
from tests.edge.session.store_contract import SweptStoreContract, intent

WRITER = """
import asyncio, pathlib, sys
from edge.session.sqlite import SqliteStore
from edge.session.store import Fence, SealedTurn

async def main():
    store = await SqliteStore.open(pathlib.Path(sys.argv[1]))
    fence = Fence(sys.argv[2], 1, "a")
    number = 0
    while True:
        number += 1
        await store.commit(fence, SealedTurn(number, b"d", b"turn%d" % number, b"state"))
        print(number, flush=True)

asyncio.run(main())
"""


class TestSqliteStore(SweptStoreContract):
    @pytest.fixture
    async def open_store(self, tmp_path: Path) -> AsyncIterator[OpenStore]:
        opened: list[SqliteStore] = []

        async def open_one() -> SessionStore:
            opened.append(await SqliteStore.open(tmp_path / "sessions.db"))
            return opened[-1]

        yield open_one
        for store in opened:
            await store.close()


async def test_what_a_killed_process_was_told_is_committed_is_there(
    store: SqliteStore, tmp_path: Path
) -> None:
    await store.create(session(), "a")
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WRITER,
        str(tmp_path / "sessions.db"),
        SESSION,
        stdout=asyncio.subprocess.PIPE,
    )
    assert writer.stdout is not None
    while int(await writer.stdout.readline()) < 20:
        pass
    writer.send_signal(signal.SIGKILL)
    told = 20 + len((await writer.stdout.read()).splitlines())
    await writer.wait()
    _, stored = await store.take(SESSION, "b", NOW)
    # One turn more may be there: committed, and killed before it could say so.
    assert len(stored.turns) in (told, told + 1)
    assert stored.turns[-1] == b"turn%d" % len(stored.turns)


async def test_the_file_is_readable_by_its_owner_alone(store: SqliteStore, tmp_path: Path) -> None:
    await store.create(session(), "a")
    modes = private_files(tmp_path)
    assert len(modes) >= 2
    assert {*modes.values()} == {0o600}


def private_files(folder: Path) -> dict[str, int]:
    files = folder.glob("sessions.db*")
    return {f.name: stat.S_IMODE(f.stat().st_mode) for f in files if f.suffix != ".lock"}


@pytest.mark.parametrize("attempt", range(5))
def test_many_open_a_new_file_at_once(tmp_path: Path, attempt: int) -> None:
    start = threading.Barrier(8)

    def open_one(_: int) -> None:
        start.wait()
        connect(tmp_path / "deep" / "sessions.db", 2.0).close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_one, range(8)))


async def test_what_is_swept_is_overwritten_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    store = await SqliteStore.open(path)
    fence = await store.create(session(), "a")
    await store.commit(fence, sealed(1, body=b"needle"))
    await store.close()
    assert b"needle" in content(path)
    store = await SqliteStore.open(path)
    await store.sweep(NOW + 60)
    await store.close()
    assert b"needle" not in content(path)


def content(path: Path) -> bytes:
    return path.read_bytes()


async def test_turns_and_tool_calls_are_counted(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
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


async def test_the_records_of_a_session_are_found_without_reading_the_others(
    store: SqliteStore,
) -> None:
    async def steps() -> int:
        """How many instructions of SQLite's machine it takes."""
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        await store._run(lambda: store._database.set_progress_handler(step, 1))
        found = await store.read_records(session_id=SESSION)
        await store._run(lambda: store._database.set_progress_handler(None, 1))
        assert [one.call_id for one in found] == ["c_first"]
        return count

    await finish(store, await store.create(session(), "a"), record("c_first", "lost"))
    alone = await steps()
    fence = await store.create(session(OTHER), "a")
    for number in range(50):
        await finish(store, fence, record(f"c_{number}", "lost", OTHER))
    assert await steps() <= alone + 10


async def test_a_file_locked_for_too_long_is_busy_and_works_again_afterwards(
    tmp_path: Path,
) -> None:
    store = await SqliteStore.open(tmp_path / "sessions.db", busy_seconds=0.01)
    fence = await store.create(session(), "a")
    blocker = sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy):
        await store.commit(fence, sealed(1))
    blocker.execute("ROLLBACK")
    blocker.close()
    await store.commit(fence, sealed(1))
    await store.close()


async def test_a_queue_that_grows_too_long_is_busy(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_thread, "MAX_WAITING", 5)
    fence = await store.create(session(), "a")
    results = await asyncio.gather(
        *(store.commit(fence, sealed(number)) for number in range(1, 9)), return_exceptions=True
    )
    assert [type(result) for result in results[5:]] == [StoreBusy] * 3
    assert results[:5] == [None] * 5


async def test_no_step_runs_on_the_loops_thread(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[str] = set()
    transaction = sqlite_thread.SqliteThread._transaction

    def spy(self: sqlite_thread.SqliteThread, step: object) -> object:
        threads.add(threading.current_thread().name)
        return transaction(self, step)  # type: ignore[arg-type]

    monkeypatch.setattr(sqlite_thread.SqliteThread, "_transaction", spy)
    fence = await store.create(session(), "a")
    await store.commit(fence, sealed(1))
    await store.take(SESSION, "b", NOW)
    await store.sweep(NOW)
    assert threads == {"sqlite-sessions_0"}


async def test_a_step_that_fails_leaves_no_transaction_open(store: SqliteStore) -> None:
    fence = await store.create(session(), "a")
    with pytest.raises(StoreBroken):
        await store._run(lambda: store._database.execute("SELECT * FROM nowhere"))
    await store.commit(fence, sealed(1))


async def test_a_cancelled_commit_is_simply_done_again(store: SqliteStore) -> None:
    fence = await store.create(session(), "a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await store.commit(fence, sealed(1))
    await store.commit(fence, sealed(1))
    _, stored = await store.take(SESSION, "b", NOW)
    assert stored.turns == (b"turn1",)


async def test_a_file_of_another_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE precious (x)")
    theirs.close()
    with pytest.raises(StoreBroken, match="a file of another program"):
        await SqliteStore.open(path)


async def test_a_file_of_a_newer_schema_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    newer = sqlite3.connect(tmp_path / "sessions.db")
    newer.execute(f"PRAGMA user_version={VERSION + 1}")
    newer.close()
    with pytest.raises(StoreBroken, match=f"schema {VERSION + 1}, this program reads {VERSION}"):
        await SqliteStore.open(tmp_path / "sessions.db")


async def test_garbage_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "garbage.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreBroken, match="SQLITE_NOTADB"):
        await SqliteStore.open(path)


async def test_a_path_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreBroken, match="cannot be opened"):
        await SqliteStore.open(tmp_path)


async def test_a_closed_store_refuses_and_closes_again(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sessions.db")
    await store.close()
    await store.close()
    with pytest.raises(StoreBroken, match="closed"):
        await store.header(SESSION, NOW)
