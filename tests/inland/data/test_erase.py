"""What an operator erases is gone: here, for whoever serves the call, and in copies made before."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge.clock import SystemClock
from edge.session import journal as journal_module
from edge.session.errors import KeyDestroyed, UnknownSession
from edge.session.history import History
from edge.session.journal import Journal
from edge.session.keyring import one_key
from edge.session.keys import KeyProvider
from edge.session.seal import new_data_key
from edge.session.stores import SessionStores
from inland.__main__ import main
from regions.tag import ResidencyTag
from tests.edge.session.parts import EU, OTHER, SESSION, books, turn
from tests.edge.session.redis_server import PASSWORDS, RedisServer
from tests.inland.data.parts import (
    TENANT,
    Folder,
    converse,
    copy_of_the_store,
    make_folder,
    server_from_its_file,
)


def erase(folder: Folder, *more: str, tenant: str = TENANT, session: str = SESSION) -> int:
    command = ["data", "erase", "--config", str(folder.config)]
    return main([*command, "--tenant", tenant, "--session", session, *more])


async def erased(folder: Folder, *more: str, **whose: str) -> int:
    return await asyncio.to_thread(erase, folder, *more, **whose)


async def resume(stores: SessionStores, keys: KeyProvider, session_id: str = SESSION) -> History:
    _, history = await Journal.take_over(
        stores.of(TENANT),
        keys,
        session_id=session_id,
        region=EU,
        owner="late",
        clock=SystemClock(),
        books=books(),
    )
    return history


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return make_folder(tmp_path / "node")


async def test_an_erased_session_is_gone_while_the_node_runs(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with folder.node() as (stores, keys):
        live = await converse(stores, keys)
        await converse(stores, keys, OTHER)
        assert await erased(folder) == 0
        assert "2 keys destroyed, entries deleted" in capsys.readouterr().out
        with pytest.raises(UnknownSession):
            await live.commit(turn(3), {})
        with pytest.raises(UnknownSession):
            await resume(stores, keys)
        assert len((await resume(stores, keys, OTHER)).turns) == 2
        assert len(await stores.of(TENANT).read_records(session_id=SESSION)) == 1


async def test_a_backup_made_before_is_unreadable_after(folder: Folder, tmp_path: Path) -> None:
    async with folder.node() as (stores, keys):
        await converse(stores, keys)
        copy = copy_of_the_store(folder, tmp_path / "backup")
        async with copy.node() as (restored, _):
            assert len((await resume(restored, keys)).turns) == 2
        assert await erased(folder) == 0
        async with copy.node() as (restored, own):
            for provider in (keys, own):
                with pytest.raises(KeyDestroyed):
                    await resume(restored, provider)


async def test_no_byte_of_the_session_is_left_in_the_nodes_folder(folder: Folder) -> None:
    async with folder.node() as (stores, keys):
        await converse(stores, keys)
        header = await stores.of(TENANT).header(SESSION, 0)
        stored = await stores.of(TENANT).read(SESSION, 0)
        pieces = [*header.wraps.values(), *stored.turns, stored.state or b""]
        pieces += [tool.intent for tool in stored.tools]
        assert all(piece in everything(folder) for piece in pieces)
        assert await erased(folder) == 0
        left = everything(folder)
        assert not any(piece in left for piece in pieces)


async def test_the_order_and_its_outcome_are_in_the_audit_log(folder: Folder) -> None:
    async with folder.node() as (stores, keys):
        await converse(stores, keys)
    assert await erased(folder) == 0
    ordered, done = folder.entries()
    assert (ordered.who, ordered.event) == ("operator", "erasure_ordered")
    assert ordered.facts == {"tenant": TENANT, "session": SESSION}
    assert done.event == "session_erased"
    assert done.facts == ordered.facts | {
        "keys": 2,
        "entries": True,
        "recordings": 0,
        "complete": True,
    }
    verdict = folder.verdict()
    assert (verdict.findings, verdict.covered) == ((), 3)


async def test_an_order_that_broke_off_is_done_again(folder: Folder) -> None:
    async with folder.node() as (stores, keys):
        await converse(stores, keys)
        await keys._vault.destroy(TENANT, SESSION)  # as far as the first try got
    assert await erased(folder) == 0
    assert await erased(folder) == 1
    assert [entry.facts.get("keys") for entry in folder.entries()][1::2] == [0, 0]


async def test_nothing_is_erased_for_another_tenant(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with folder.node() as (stores, keys):
        await converse(stores, keys)
        assert await erased(folder, tenant="bank") == 2
        assert f"{SESSION}: is not a session of bank" in capsys.readouterr().err
        assert len((await resume(stores, keys)).turns) == 2


async def test_what_is_not_there_is_said_not_to_be(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await erased(folder, "--json") == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert told == {
        "session": SESSION,
        "keys": 0,
        "entries": False,
        "recordings": 0,
        "proven": None,
        "complete": False,
    }


async def test_keys_are_destroyed_although_the_store_has_lost_the_session(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with folder.node() as (stores, keys):
        await converse(stores, keys)
        await stores.of(TENANT).erase(SESSION)
    assert await erased(folder) == 0
    assert "2 keys destroyed, no entries were left" in capsys.readouterr().out


async def test_copies_of_a_session_of_the_version_before_are_said_to_stay_readable(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with folder.node() as (stores, keys):

        async def formerly(_: KeyProvider, regions: Any, tag: ResidencyTag, *__: Any) -> Any:
            data_key = new_data_key()
            wraps = {r: await folder.key.wrap(data_key, region=r, tag=tag) for r in regions}
            return one_key(data_key, tag), wraps

        monkeypatch.setattr(journal_module, "make_ring", formerly)
        await converse(stores, keys)
    assert await erased(folder) == 1
    assert "stay readable until they are deleted" in capsys.readouterr().out
    assert folder.entries()[-1].facts["complete"] is False


async def test_a_node_without_a_key_or_a_folder_is_not_made_one(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.root / "data" / "region.key").unlink()
    assert await erased(folder) == 2
    assert not (folder.root / "data" / "region.key").exists()
    shutil.rmtree(folder.root / "data")
    assert await erased(folder) == 2
    assert "there is no such folder" in capsys.readouterr().err


async def test_another_users_node_is_left_alone(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("inland.data.site.os.geteuid", lambda: 12345)
    assert await erased(folder) == 2
    assert "run this as the node's own" in capsys.readouterr().err


@pytest.mark.parametrize("session", ["", "a b", "x" * 65, "{x}", "..", ".ends"])
def test_what_is_no_session_is_refused(folder: Folder, session: str) -> None:
    with pytest.raises(SystemExit):
        erase(folder, session=session)


class TestRedis:
    def folder_of(self, tmp_path: Path, store: RedisServer, keys: RedisServer | None) -> Folder:
        (tmp_path / "clinic.password").write_text(PASSWORDS["clinic"])
        user = {"username": "inland-clinic", "password_file": str(tmp_path / "clinic.password")}
        more: dict[str, Any] = {
            "store": {"redis": f"unix://{store.socket}", "users": {TENANT: user}}
        }
        if keys is not None:
            more["keys"] = {"redis": f"unix://{keys.socket}"}
        return make_folder(tmp_path / "node", **more)

    async def test_the_servers_file_copied_before_is_unreadable_after(
        self, tmp_path: Path, servers: tuple[RedisServer, RedisServer]
    ) -> None:
        store, vault = servers
        folder = self.folder_of(tmp_path, store, vault)
        async with folder.node() as (stores, keys):
            await converse(stores, keys)
            with server_from_its_file(store) as backup:
                restored = copied(folder, tmp_path / "restored", backup)
                async with restored.node() as (old, _):
                    assert len((await resume(old, keys)).turns) == 2
                    assert await erased(folder) == 0
                    with pytest.raises(KeyDestroyed):
                        await resume(old, keys)
            with pytest.raises(UnknownSession):
                await resume(stores, keys)
        with store.admin() as sessions, vault.admin() as held:
            assert [key for key in sessions.scan_iter() if SESSION.encode() in key] == []
            assert list(held.scan_iter()) == []

    async def test_it_is_said_when_sessions_and_keys_are_copied_together(
        self,
        tmp_path: Path,
        servers: tuple[RedisServer, RedisServer],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        folder = self.folder_of(tmp_path, servers[0], None)
        async with folder.node() as (stores, keys):
            await converse(stores, keys)
        assert await erased(folder) == 0
        told = capsys.readouterr().out
        assert "on one server" in told
        assert "BGREWRITEAOF" in told

    async def test_a_rewritten_file_holds_no_key(
        self, tmp_path: Path, servers: tuple[RedisServer, RedisServer]
    ) -> None:
        """What the text asks the server's operator for."""
        store, vault = servers
        folder = self.folder_of(tmp_path, store, vault)
        async with folder.node() as (stores, keys):
            await converse(stores, keys)
            with vault.admin() as admin:
                (name,) = [key for key in admin.scan_iter() if key.endswith(b"transcript")]
                (wrapped,) = admin.hgetall(name).values()
                assert await erased(folder) == 0
                assert wrapped in appended(vault)
                admin.bgrewriteaof()
                while admin.info("persistence")["aof_rewrite_in_progress"]:
                    pass
                assert wrapped not in appended(vault)


def copied(folder: Folder, place: Path, server: RedisServer) -> Folder:
    user = folder.settings.store
    assert user is not None
    users = {TENANT: user.users[TENANT].model_dump(mode="json")}
    store = {"redis": f"unix://{server.socket}", "users": users}
    return copy_of_the_store(folder, place, store=store)


def appended(server: RedisServer) -> bytes:
    files = (server.folder / "appendonlydir").iterdir()
    return b"".join(path.read_bytes() for path in files)


def everything(folder: Folder) -> bytes:
    files = [path for path in (folder.root / "data").rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files)
