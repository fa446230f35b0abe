"""Every session of a person is erased or handed out, and nothing readable says whose it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.session.errors import KeyDestroyed, UnknownSession
from edge.session.stores import SessionStores
from edge.session.subjects import SUBJECT_PURPOSE, Marker, Subject, SubjectIndex
from edge.session.vault import VaultKeys
from inland.__main__ import main
from tests.edge.session.parts import OTHER, SESSION, turn
from tests.inland.data.parts import (
    TENANT,
    Folder,
    converse,
    copy_of_the_store,
    make_folder,
    make_redis_folder,
)
from tests.inland.data.test_erase import everything, resume

CALLER, STRANGER = "+493055512345", "+493087654321"
THIRD = "s_" + "t" * 22


def marker(folder: Folder, number: str | None, tenant: str = TENANT, **slots: str) -> Marker:
    line = () if number is None else (Subject("phone", number),)
    learnt = tuple(Subject(slot, value) for slot, value in slots.items())
    index = SubjectIndex(folder.key.subkey(SUBJECT_PURPOSE))
    # The dialog has learnt the slots after its first turn.
    return Marker(index, tenant, line, lambda state: learnt if state else ())


def name(folder: Folder, number: str = CALLER) -> str:
    return marker(folder, number).names()[0]


async def told(folder: Folder, action: str, *more: str, tenant: str = TENANT) -> int:
    command = ["data", action, "--config", str(folder.config), "--tenant", tenant, *more]
    return await asyncio.to_thread(main, command)


@pytest.fixture(params=["file", "redis"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    if request.param == "file":
        return make_folder(tmp_path / "node")
    return make_redis_folder(tmp_path, request.getfixturevalue("servers"))


@asynccontextmanager
async def conversations(folder: Folder) -> AsyncIterator[tuple[SessionStores, VaultKeys]]:
    """Two sessions of the caller, one of a stranger."""
    async with folder.node() as (stores, keys):
        await converse(stores, keys, SESSION, marker=marker(folder, CALLER))
        await converse(stores, keys, OTHER, marker=marker(folder, CALLER, customer="47110815"))
        await converse(stores, keys, THIRD, marker=marker(folder, STRANGER))
        yield stores, keys


async def test_every_session_of_a_caller_is_erased_and_no_other(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with conversations(folder) as (stores, keys):
        assert await told(folder, "erase", "--subject", CALLER) == 0
        said = capsys.readouterr()
        assert said.out.count("2 keys destroyed, entries deleted") == 2
        assert said.out.count("opens no more, as no copy does") == 2
        assert [line.split(": ")[1] for line in said.err.splitlines()] == ["1 of 2", "2 of 2"]
        for gone in (SESSION, OTHER):
            with pytest.raises(UnknownSession):
                await resume(stores, keys, gone)
        assert len((await resume(stores, keys, THIRD)).turns) == 2
        assert await told(folder, "erase", "--subject", CALLER) == 1
        assert "no session of this subject" in capsys.readouterr().err


async def test_a_caller_is_found_by_what_they_said_too(folder: Folder) -> None:
    async with conversations(folder) as (stores, keys):
        asked = ("--subject", " 47110815 ", "--kind", "customer")
        assert await told(folder, "erase", *asked) == 0
        with pytest.raises(UnknownSession):
            await resume(stores, keys, OTHER)
        assert len((await resume(stores, keys, SESSION)).turns) == 2


async def test_each_erasure_is_in_the_audit_log_with_the_subject_as_its_hash_alone(
    folder: Folder,
) -> None:
    async with conversations(folder):
        pass
    assert await told(folder, "erase", "--subject", "030/55512345", "--country", "DE") == 0
    asked, *steps = folder.entries()
    whose = name(folder)
    assert (asked.event, asked.facts) == (
        "subject_asked",
        {"tenant": TENANT, "subject": whose, "sessions": 2},
    )
    assert [step.event for step in steps] == ["erasure_ordered", "session_erased"] * 2
    assert {step.facts["subject"] for step in steps} == {whose}
    assert {step.facts["session"] for step in steps} == {SESSION, OTHER}
    assert all(step.facts["complete"] for step in steps[1::2])
    assert folder.verdict().findings == ()
    log = (folder.root / "data" / "audit.jsonl").read_text()
    assert "55512345" not in log


async def test_a_dry_run_erases_nothing_and_says_what_it_would(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with conversations(folder) as (stores, keys):
        assert await told(folder, "erase", "--subject", CALLER, "--dry-run") == 0
        assert sorted(capsys.readouterr().out.split()) == sorted([SESSION, OTHER])
        assert await told(folder, "erase", "--subject", CALLER, "--dry-run", "--json") == 0
        document = json.loads(capsys.readouterr().out)
        assert document["dry_run"] is True
        assert {each["session"] for each in document["sessions"]} == {SESSION, OTHER}
        assert len((await resume(stores, keys)).turns) == 2
        assert await told(folder, "erase", "--subject", "+4930999999", "--dry-run") == 1
    assert [entry.event for entry in folder.entries()] == ["subject_asked"] * 3


async def test_a_program_is_told_of_each_session(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with conversations(folder):
        assert await told(folder, "erase", "--subject", CALLER, "--json") == 0
        document = json.loads(capsys.readouterr().out)
    assert (document["subject"], document["dry_run"]) == (name(folder), False)
    assert [(each["keys"], each["proven"]) for each in document["sessions"]] == [(2, True)] * 2


async def test_everything_of_a_caller_is_handed_out_as_a_file_for_each_session(
    folder: Folder, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    async with conversations(folder) as (stores, _):
        assert await told(folder, "export", "--subject", CALLER, "-o", str(output)) == 0
        assert len(await stores.of(TENANT).find(name(folder), 0)) == 2, "nothing was taken away"
    assert sorted(path.name for path in output.iterdir()) == [f"{SESSION}.json", f"{OTHER}.json"]
    assert output.stat().st_mode & 0o777 == 0o700
    document = json.loads((output / f"{OTHER}.json").read_text())
    assert (output / f"{OTHER}.json").stat().st_mode & 0o777 == 0o600
    assert [each["caller"] for each in document["turns"]] == ["secret-1", "secret-2"]
    exported = folder.entries()[1:]
    assert {entry.facts["session"] for entry in exported} == {SESSION, OTHER}
    assert {entry.facts["subject"] for entry in exported} == {name(folder)}


async def test_nothing_is_written_where_there_is_nobody(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    async with conversations(folder):
        assert await told(folder, "export", "--subject", "+4930999999", "-o", str(output)) == 1
        assert await told(folder, "export", "--subject", CALLER) == 2
        assert "--output: name a folder" in capsys.readouterr().err
    assert not output.exists()


async def test_one_tenants_operator_finds_nothing_of_anothers(folder: Folder) -> None:
    async with conversations(folder) as (stores, keys):
        assert await told(folder, "erase", "--subject", CALLER, tenant="bank") == 1
        assert len((await resume(stores, keys)).turns) == 2


async def test_a_session_that_is_carried_on_elsewhere_on_the_node_keeps_its_subjects(
    folder: Folder,
) -> None:
    async with conversations(folder) as (stores, keys):
        await resume(stores, keys)
        assert await told(folder, "erase", "--subject", CALLER) == 0
        with pytest.raises(UnknownSession):
            await resume(stores, keys)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--subject", "03012345678"), "say --country"),
        (("--subject", "x"), "say --country"),
        (("--subject", "x", "--country", "de"), "two capital letters"),
        (("--subject", "x", "--kind", "customer", "--country", "DE"), "for --kind phone"),
        (("--subject", "x", "--kind", "A B"), "the id of a slot"),
        (("--session", SESSION, "--kind", "customer"), "go with --subject"),
        (("--session", SESSION, "--dry-run"), "go with --subject"),
    ],
)
async def test_what_asks_for_nobody_is_refused_before_anything_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], words: str
) -> None:
    folder = make_folder(tmp_path / "node")
    assert await told(folder, "erase", *more) == 2
    assert words in capsys.readouterr().err
    assert not (folder.root / "data" / "audit.jsonl").exists()


async def test_more_sessions_than_one_list_has_are_all_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(tmp_path / "node")
    ids = [f"s_{number}" + "x" * 20 for number in range(5)]
    async with folder.node() as (stores, keys):
        for each in ids:
            await converse(stores, keys, each, marker=marker(folder, CALLER))
        monkeypatch.setattr("edge.session.sqlite.SqliteStore.find.__kwdefaults__", {"most": 2})
        assert len(await stores.of(TENANT).find(name(folder), 0)) == 2
        assert await told(folder, "erase", "--subject", CALLER) == 0
        for each in ids:
            with pytest.raises(UnknownSession):
                await resume(stores, keys, each)


async def test_a_backup_made_before_is_unreadable_and_names_nobody(
    tmp_path: Path,
) -> None:
    folder = make_folder(tmp_path / "node")
    async with conversations(folder) as (_, keys):
        copy = copy_of_the_store(folder, tmp_path / "backup")
        assert await told(folder, "erase", "--subject", CALLER) == 0
        async with copy.node() as (restored, _):
            with pytest.raises(KeyDestroyed):
                await resume(restored, keys)
    left = everything(copy) + everything(folder)
    assert name(folder).encode() in everything(copy), "the name is there, and says nothing"
    for trace in (CALLER, CALLER[1:], "55512345", "47110815"):
        assert trace.encode() not in left


async def test_a_live_call_that_learns_a_subject_after_the_erasure_writes_nothing(
    folder: Folder,
) -> None:
    async with folder.node() as (stores, keys):
        live = await converse(stores, keys, marker=marker(folder, CALLER, customer="47110815"))
        assert await told(folder, "erase", "--subject", CALLER) == 0
        with pytest.raises(UnknownSession):
            await live.commit(turn(3), {"step": 3})
        assert await stores.of(TENANT).find(name(folder), 0) == ()
