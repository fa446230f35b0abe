"""What lies in a store is ruled on again by the law in force there; nothing goes unless told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.clock import SystemClock
from edge.policy_kept import NAME
from edge.session.errors import KeyDestroyed, KeyRefused, UnknownSession
from edge.session.journal import Journal
from edge.session.keys import RING_FORMAT, LocalKeyFile
from edge.session.stores import SessionStores
from edge.session.vault import VaultKeys
from inland.__main__ import main
from regions.catalogue import load_catalogue
from regions.models import Catalogue, DataClass, Narrowing, TenantPolicy
from regions.policy_keys import policy_key_text
from tests.edge.session.parts import EU, OTHER, SESSION, ManualClock, books, record, tag_for, turn
from tests.edge.session.redis_server import RedisServer
from tests.fakes.policy import TRUSTED, bundle
from tests.inland.data.parts import (
    TENANT,
    Folder,
    copy_of_the_store,
    make_folder,
    make_redis_folder,
    server_from_its_file,
)
from tests.inland.data.test_erase import copied, resume

BANK = "bank"
THEIRS = "s_" + "b" * 22
REMOVED = TenantPolicy(deny=(EU,))
POLICY = {"keys": [policy_key_text(TRUSTED[0])]}


async def told(folder: Folder, *more: str) -> int:
    command = ["data", "review", "--config", str(folder.config), *more]
    return await asyncio.to_thread(main, command)


def tighten(
    folder: Folder, serial: int = 7, catalogue: Catalogue | None = None, **whose: Any
) -> None:
    """The node has kept bundle ``serial``, with these contracts."""
    kept = bundle(serial, whose, catalogue=catalogue)
    (folder.root / "data" / NAME).write_bytes(kept)


def without(region: str) -> Catalogue:
    """The shipped law, as if the region was given up."""
    law = load_catalogue().model_dump(exclude={"digest"})
    law["regions"] = tuple(each for each in law["regions"] if each["id"] != region)
    return Catalogue.model_validate(law)


@pytest.fixture(params=["file", "redis"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    if request.param == "file":
        return make_folder(tmp_path / "node", policy=POLICY)
    return make_redis_folder(tmp_path, request.getfixturevalue("servers"), policy=POLICY)


async def lay(
    stores: SessionStores,
    keys: VaultKeys,
    session_id: str,
    tenant: str = TENANT,
    recording: tuple[str, ...] = (),
    ends: int | None = None,
) -> None:
    """A session of one turn, left by its caller."""
    tag = tag_for(session_id).model_copy(update={"tenant": tenant})
    journal = await Journal.begin(
        stores.of(tenant),
        keys,
        session_id=session_id,
        tag=tag if ends is None else tag.model_copy(update={"expires_at": ends}),
        agent="reception",
        owner="first",
        clock=SystemClock() if ends is None else ManualClock(0.0),
        books=books(),
        recording=recording,
    )
    await journal.commit(turn(1, "secret-1"), {"step": 1})
    ended = record(f"c_{session_id}", "lost", session_id).model_copy(update={"tenant": tenant})
    await journal.finish(ended)


@asynccontextmanager
async def sessions(folder: Folder) -> AsyncIterator[tuple[SessionStores, VaultKeys]]:
    """Two of the clinic, one of the bank."""
    async with folder.node() as (stores, keys):
        await lay(stores, keys, SESSION)
        await lay(stores, keys, OTHER)
        await lay(stores, keys, THEIRS, BANK)
        yield stores, keys


async def spoil(folder: Folder, session_id: str, tag: bytes, tenant: str = TENANT) -> None:
    """Whoever can write to the store puts another tag there."""
    async with folder.node() as (stores, _):
        store: Any = stores.of(tenant)
        if folder.settings.store is None:
            change = "UPDATE session SET tag = ? WHERE id = ?"
            await store._run(lambda: store._database.execute(change, (tag, session_id)))
        else:
            await store._redis.run(
                "return redis.call('HSET', KEYS[1], 'tag', ARGV[1])", store._key(session_id), tag
            )


async def test_where_the_law_allows_everything_nothing_is_listed(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sessions(folder):
        assert await told(folder) == 0
        said = capsys.readouterr().out
    policy = load_catalogue().policy
    assert said == (
        f"{EU}, by {policy} (the catalogue): sessions ruled on 3, outside 0, "
        "of these still here 0; without any key 0\n"
    )


async def test_a_tightened_law_finds_its_sessions_and_not_their_neighbour(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sessions(folder) as (stores, keys):
        tighten(folder, clinic=REMOVED)
        assert await told(folder) == 3
        said = capsys.readouterr().out
        for each in (SESSION, OTHER):
            assert f"{each} of clinic:\n  transcript: store: the tenant's contract denies" in said
        assert said.count("  variables: store: the tenant's contract denies this region\n") == 2
        assert THEIRS not in said
        assert "(bundle 7): sessions ruled on 3, outside 2, of these still here 2;" in said
        for each in (SESSION, OTHER):
            assert len((await resume(stores, keys, each)).turns) == 1, "nothing was destroyed"
    (entry,) = folder.entries()
    assert (entry.who, entry.event) == ("operator", "sessions_reviewed")
    assert {name: entry.facts[name] for name in ("serial", "sessions", "outside", "left")} == {
        "serial": 7,
        "sessions": 3,
        "outside": 2,
        "left": 2,
    }


async def test_a_program_is_told_of_each_session_in_one_document(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sessions(folder):
        assert await told(folder, "--json") == 0
        assert json.loads(capsys.readouterr().out)["sessions"] == []
        narrowed = Narrowing(deny=(EU,))
        tighten(folder, clinic=TenantPolicy(classes={DataClass.VARIABLES: narrowed}))
        assert await told(folder, "--json") == 3
        document = json.loads(capsys.readouterr().out)
    counts = {name: document[name] for name in ("serial", "reviewed", "outside", "left", "closed")}
    assert counts == {"serial": 7, "reviewed": 3, "outside": 2, "left": 2, "closed": 0}
    assert {each["session"] for each in document["sessions"]} == {SESSION, OTHER}
    for each in document["sessions"]:
        assert list(each["classes"]) == ["variables"]
        assert (each["tenant"], each["policy"]) == (TENANT, tag_for().policy)
        assert (each["erased"], each["gone"], each["unjudged"]) == (None, False, None)


async def test_one_tenants_sessions_are_reviewed_alone(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sessions(folder):
        tighten(folder, clinic=REMOVED)
        assert await told(folder, "--tenant", BANK) == 0
        assert "sessions ruled on 1," in capsys.readouterr().out
        assert await told(folder, "--tenant", TENANT) == 3
        assert "sessions ruled on 2," in capsys.readouterr().out
    assert [entry.facts["tenant"] for entry in folder.entries()] == [BANK, TENANT]


async def test_what_is_destroyed_opens_no_more_and_its_neighbour_does(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sessions(folder) as (stores, keys):
        tighten(folder, clinic=REMOVED)
        assert await told(folder, "--destroy") == 0
        said = capsys.readouterr().out
        assert said.count("2 keys destroyed, entries deleted") == 2
        assert "outside 2, of these still here 0" in said
        for each in (SESSION, OTHER):
            with pytest.raises(UnknownSession):
                await resume(stores, keys, each)
        assert len((await stores.of(BANK).read(THEIRS, 0)).turns) == 1
        assert await told(folder, "--destroy") == 0
        assert "sessions ruled on 1," in capsys.readouterr().out
    *steps, first, again = folder.entries()
    assert [step.event for step in steps] == ["erasure_ordered", "session_erased"] * 2
    assert {step.facts["session"] for step in steps} == {SESSION, OTHER}
    for step in (*steps, first, again):
        assert (step.facts["policy"], step.facts["serial"]) == (first.facts["policy"], 7)
    assert (first.facts["left"], again.facts["sessions"]) == (0, 1)
    assert folder.verdict().findings == ()


async def test_a_backup_of_the_file_made_before_is_unreadable_after(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "node", policy=POLICY)
    async with sessions(folder) as (_, keys):
        copy = copy_of_the_store(folder, tmp_path / "backup")
        async with copy.node() as (restored, _):
            assert len((await resume(restored, keys)).turns) == 1
        tighten(folder, clinic=REMOVED)
        assert await told(folder) == 3
        async with copy.node() as (restored, _):
            assert len((await resume(restored, keys)).turns) == 1, "a list destroys nothing"
            assert await told(folder, "--destroy") == 0
            with pytest.raises(KeyDestroyed):
                await resume(restored, keys)


@pytest.mark.parametrize("folder", ["redis"], indirect=True)
async def test_a_copy_of_the_server_made_before_is_unreadable_after(
    folder: Folder, tmp_path: Path, servers: tuple[RedisServer, RedisServer]
) -> None:
    store, _ = servers
    async with sessions(folder) as (_, keys):
        with server_from_its_file(store) as backup:
            async with copied(folder, tmp_path / "restored", backup).node() as (restored, _):
                assert len((await resume(restored, keys)).turns) == 1
                tighten(folder, clinic=REMOVED)
                assert await told(folder, "--destroy") == 0
                with pytest.raises(KeyDestroyed):
                    await resume(restored, keys)


async def test_a_law_without_the_region_leaves_nothing_inside(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sessions(folder):
        tighten(folder, catalogue=without(EU))
        assert await told(folder) == 3
        said = capsys.readouterr().out
    assert said.count(f"transcript: the law in force has no region {EU}") == 3
    assert "outside 3, of these still here 3" in said


async def test_a_law_that_cannot_be_read_rules_on_nothing(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sessions(folder) as (stores, keys):
        (folder.root / "data" / NAME).write_bytes(b"{}")
        assert await told(folder, "--destroy") == 2
        assert "put the newest signed bundle in its place" in capsys.readouterr().err
        assert len((await resume(stores, keys)).turns) == 1


@pytest.mark.parametrize("spoilt", ["unreadable", "of another session", "rewritten"])
async def test_what_cannot_be_judged_counts_as_outside_and_is_named(
    folder: Folder, capsys: pytest.CaptureFixture[str], spoilt: str
) -> None:
    tag = {
        "unreadable": b"\x00no tag",
        "of another session": tag_for(OTHER).canonical(),
        "rewritten": tag_for(SESSION, regions=(EU, "eu-west-1")).canonical(),
    }[spoilt]
    async with sessions(folder) as (stores, _):
        await spoil(folder, SESSION, tag)
        assert await told(folder) == 3
        said = capsys.readouterr().out
        assert f"{SESSION} of clinic:\n  cannot be judged: " in said
        assert "outside 1, of these still here 1" in said
        assert await told(folder, "--destroy") == 0
        with pytest.raises(UnknownSession):
            await stores.of(TENANT).header(SESSION, 0)
        assert await told(folder) == 0
    assert [entry.facts.get("keys") for entry in folder.entries()] == [None, None, 2, None, None]


async def test_keys_that_were_taken_out_of_the_store_are_not_destroyed_keys(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    none = RING_FORMAT + b'{"v":1,"keys":{}}'
    async with sessions(folder) as (stores, _):
        store: Any = stores.of(TENANT)
        if folder.settings.store is None:
            change = "UPDATE wrap SET body = ? WHERE session = ?"
            await store._run(lambda: store._database.execute(change, (none, SESSION)))
        else:
            change = f"return redis.call('HSET', KEYS[1], 'wrap:{EU}', ARGV[1])"
            await store._redis.run(change, store._key(SESSION), none)
        assert await told(folder) == 3
    said = capsys.readouterr().out
    assert f"{SESSION} of clinic:\n  cannot be judged: the keys of a class are neither" in said
    assert "outside 1, of these still here 1; without any key 0" in said


async def test_a_session_that_nobody_can_say_whose_it_is_stays_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_folder(tmp_path / "node", policy=POLICY)
    async with folder.node() as (stores, keys):
        await Journal.begin(
            stores.of(TENANT),
            keys,
            session_id=SESSION,
            tag=tag_for(SESSION),
            agent="reception",
            owner="first",
            clock=SystemClock(),
            books=books(),
        )
        await spoil(folder, SESSION, b"no tag")
        assert await told(folder, "--destroy", "--tenant", BANK) == 3
        assert f"{SESSION} of nobody knows whom:" in capsys.readouterr().out
        await stores.of(TENANT).header(SESSION, 0)


async def test_a_tag_of_another_tenant_than_store_or_record_tell_is_not_believed(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sessions(folder):
        theirs = tag_for(SESSION).model_copy(update={"tenant": BANK}).canonical()
        await spoil(folder, SESSION, theirs)
        assert await told(folder, "--destroy") == 0
        said = capsys.readouterr().out
    assert (
        f"{SESSION} of clinic:\n  cannot be judged: the residency tag is of another tenant" in said
    )
    assert "2 keys destroyed" in said


async def test_a_key_that_is_refused_for_now_costs_no_session_that_no_rule_keeps_out(
    folder: Folder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sessions(folder) as (stores, keys):

        async def refuse(*_: object, **__: object) -> bytes:
            raise KeyRefused("the key is disabled")

        with monkeypatch.context() as away:
            away.setattr(LocalKeyFile, "unwrap", refuse)
            assert await told(folder, "--destroy") == 3
            said = capsys.readouterr().out
            assert said.count("cannot be judged: the key is disabled") == 3
            assert "outside 3, of these still here 3" in said
            tighten(folder, bank=REMOVED)
            assert await told(folder, "--destroy") == 3
            assert "outside 3, of these still here 2" in capsys.readouterr().out
        for each in (SESSION, OTHER):
            assert len((await resume(stores, keys, each)).turns) == 1
        with pytest.raises(UnknownSession):
            await stores.of(BANK).header(THEIRS, 0)


async def test_keys_that_are_destroyed_already_leave_nothing_to_rule_on(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sessions(folder) as (_, keys):
        await keys._vault.destroy(TENANT, SESSION)  # as a node does when a call has to leave
        tighten(folder, clinic=REMOVED)
        assert await told(folder) == 3
        said = capsys.readouterr().out
    assert SESSION not in said
    assert "outside 1, of these still here 1; without any key 1" in said


async def test_what_has_expired_and_was_not_swept_lies_there_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_folder(tmp_path / "node", policy=POLICY)
    async with folder.node() as (stores, keys):
        await lay(stores, keys, SESSION, ends=1)
        with pytest.raises(UnknownSession):
            await resume(stores, keys)
        tighten(folder, clinic=REMOVED)
        assert await told(folder) == 3
        assert f"{SESSION} of clinic:" in capsys.readouterr().out
        assert await told(folder, "--destroy") == 0
        with pytest.raises(UnknownSession):
            await stores.of(TENANT).header(SESSION, 0)


async def test_more_sessions_than_a_page_has_are_all_ruled_on(
    folder: Folder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for store in ("sqlite.SqliteStore", "redis_store.RedisStore"):
        monkeypatch.setattr(f"edge.session.{store}.at_rest.__kwdefaults__", {"most": 2})
    ids = [f"s_{number}" + "x" * 20 for number in range(5)]
    async with folder.node() as (stores, keys):
        for each in ids:
            await lay(stores, keys, each)
        await lay(stores, keys, THEIRS, BANK)
        tighten(folder, clinic=REMOVED)
        assert await told(folder, "--destroy") == 0
        assert "sessions ruled on 6," in capsys.readouterr().out
        assert (await stores.of(TENANT).at_rest()).session_ids in ((), (THEIRS,))
        assert len((await stores.of(BANK).read(THEIRS, 0)).turns) == 1
