"""Whoever asks what is kept of them gets all of it, and the call that goes on is not disturbed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from inland.__main__ import main
from regions.models import DataClass
from tests.edge.session.parts import NOW, OTHER, SESSION, turn
from tests.inland.data.parts import TENANT, Folder, converse, in_a_minute, make_folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return make_folder(tmp_path / "node")


async def export(folder: Folder, *more: str, tenant: str = TENANT) -> int:
    command = ["data", "export", "--config", str(folder.config)]
    sessions = [] if "--session" in more else ["--session", SESSION]
    return await asyncio.to_thread(main, [*command, "--tenant", tenant, *sessions, *more])


async def test_everything_that_is_kept_is_in_it(folder: Folder, tmp_path: Path) -> None:
    async with folder.node() as (stores, keys):
        live = await converse(stores, keys)
        output = tmp_path / "out.json"
        assert await export(folder, "--output", str(output)) == 0
        await live.commit(turn(3), {})  # it is still theirs
    (document,) = json.loads(output.read_text())
    assert output.stat().st_mode & 0o777 == 0o600
    said = [(each["number"], each["caller"]) for each in document["turns"]]
    assert said == [(1, "secret-1"), (2, "secret-2")]
    assert document["state"] == {"step": 2}
    assert [tool["call_id"] for tool in document["tools"]["settled"]] == ["a"]
    assert document["tools"]["pending"] == [
        {"call_id": "b", "name": "pay", "arguments": {"cents": 100}}
    ]
    assert [call["call_id"] for call in document["calls"]] == ["c_1"]
    assert document["calls"][0]["receipt"]
    assert (document["session"], document["tenant"]) == (SESSION, TENANT)
    assert (document["expires_at"], document["missing"]) == (int(NOW) + 3600, {})


async def test_that_it_was_read_is_in_the_audit_log(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with folder.node() as (stores, keys):
        await converse(stores, keys)
        await converse(stores, keys, OTHER)
    assert await export(folder, "--session", SESSION, "--session", OTHER) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert [(entry.event, entry.facts["session"]) for entry in folder.entries()] == [
        ("session_exported", SESSION),
        ("session_exported", OTHER),
    ]
    assert "secret" not in (folder.root / "data" / "audit.jsonl").read_text()
    assert folder.verdict().findings == ()


@pytest.mark.parametrize(
    ("gone", "left"), [("transcript", {"state", "tools"}), ("variables", {"turns"})]
)
async def test_a_class_that_was_destroyed_is_named_and_the_other_given(
    folder: Folder, capsys: pytest.CaptureFixture[str], gone: str, left: set[str]
) -> None:
    async with folder.node() as (stores, keys):
        await converse(stores, keys, ends={DataClass(gone): in_a_minute()})
        await keys._vault.sweep(in_a_minute())
    assert await export(folder) == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert list(document["missing"]) == [gone]
    assert {"turns", "state", "tools"} & set(document) == left


async def test_no_session_no_tenants_session_and_no_overwriting(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await export(folder) == 1
    async with folder.node() as (stores, keys):
        await converse(stores, keys)
    assert await export(folder, tenant="bank") == 2
    output = tmp_path / "out.json"
    output.write_text("mine")
    assert await export(folder, "--output", str(output)) == 2
    assert output.read_text() == "mine"
    assert "secret" not in capsys.readouterr().out


async def test_nothing_is_handed_out_that_could_not_be_written_down(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with folder.node() as (stores, keys):
        await converse(stores, keys)
    (folder.root / "data" / "audit.jsonl").mkdir()
    assert await export(folder) == 2
    told: Any = capsys.readouterr()
    assert told.out == ""
    assert "audit" in told.err
