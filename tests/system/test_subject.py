"""A person who rang is found by their number alone, in their region, and forgotten on request."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.system.kept import is_over, sessions
from tests.system.phone import Caller, desk_phone, spoken
from tests.system.world import INLAND, World, until

pytestmark = pytest.mark.system

EU = "eu-central-1"
CALLER, PLAIN = "+493055512345", "55512345"
WORDS = "what are your opening hours"


async def data(world: World, *more: str) -> tuple[int, str, str]:
    """``inland data`` on the node of the region, as its operator types it."""
    action, *options = more
    command = [*INLAND, "data", action, "--config", str(world.data / EU / "edge.yaml")]
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--tenant", "demo-clinic", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_caller_asks_what_is_kept_of_them_and_to_be_forgotten(
    world: World, tmp_path: Path, flite: str
) -> None:
    before = set(sessions(world.log(EU)))
    async with desk_phone() as desk:
        caller = Caller(desk.dial(world.phones[EU], user=CALLER))
        await caller.answered()
        await caller.agent_finished()
        await caller.says(spoken(WORDS, tmp_path, flite))
        await caller.hangs_up()
    (session,) = set(sessions(world.log(EU))) - before

    async def over() -> bool:
        return await is_over(world.data, EU, session)

    await until(over)
    folder = tmp_path / "asked"
    status, _, words = await data(world, "export", "--subject", CALLER, "-o", str(folder))
    assert status == 0, words
    (path,) = folder.iterdir()
    document = json.loads(path.read_text())
    assert document["session"] == session
    assert WORDS in [turn["caller"] for turn in document["turns"]]

    status, said, words = await data(world, "erase", "--subject", CALLER)
    assert status == 0, words
    assert f"{session}: 2 keys destroyed, entries deleted" in said
    status, _, words = await data(world, "export", "--subject", CALLER, "-o", str(folder))
    assert (status, "no session of this subject" in words) == (1, True)

    written = [path for path in world.data.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if PLAIN.encode() in path.read_bytes()]
