"""Recordings that the law in force keeps from the region, ruled on with their sessions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from regions.models import DataClass, Narrowing, TenantPolicy
from tests.edge.session.parts import EU, SESSION
from tests.inland.data.parts import Folder, make_folder
from tests.inland.data.test_recordings import record as record_session
from tests.inland.data.test_recordings import recordings_of
from tests.inland.data.test_review import POLICY, lay, tighten, told


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    place = {"folder": str(tmp_path / "recordings"), "keep": "30d"}
    return make_folder(tmp_path / "node", policy=POLICY, recordings=place)


def keep_out(folder: Folder, data_class: DataClass) -> None:
    tighten(folder, clinic=TenantPolicy(classes={data_class: Narrowing(deny=(EU,))}))


@pytest.mark.parametrize("data_class", [DataClass.RECORDING, DataClass.TRANSCRIPT])
async def test_the_recordings_of_a_session_are_listed_and_destroyed_with_it(
    folder: Folder, capsys: pytest.CaptureFixture[str], data_class: DataClass
) -> None:
    await record_session(folder, ticks=1100)
    keep_out(folder, data_class)
    assert await told(folder, "--json") == 3
    (found,) = json.loads(capsys.readouterr().out)["sessions"]
    assert list(found["classes"]) == [data_class.value]
    assert found["recordings"] == 3
    assert await told(folder, "--destroy") == 0
    assert "3 segments of recordings deleted" in capsys.readouterr().out
    assert list(recordings_of(folder).rglob("0*")) == []


async def test_a_session_that_was_not_recorded_after_all_stays(folder: Folder) -> None:
    async with folder.node() as (stores, keys):
        await lay(stores, keys, SESSION, recording=(EU,))
    keep_out(folder, DataClass.RECORDING)
    assert await told(folder) == 0


async def test_where_the_recordings_cannot_be_asked_for_there_may_be_some(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    async with folder.node() as (stores, keys):
        await lay(stores, keys, SESSION, recording=(EU,))
    keep_out(folder, DataClass.RECORDING)
    settings = yaml.safe_load(folder.config.read_text())
    del settings["recordings"]
    folder.config.write_text(yaml.safe_dump(settings))
    assert await told(folder, "--json") == 3
    (found,) = json.loads(capsys.readouterr().out)["sessions"]
    assert (list(found["classes"]), found["recordings"]) == (["recording"], None)
