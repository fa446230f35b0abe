"""A part of a bench in its own process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from inland.bench.child import bench_child
from inland.bench.errors import BenchError

ECHO = "tests.inland.bench.echo_child"
PATIENCE = 20.0


async def test_a_child_answers_its_order_and_each_question(tmp_path: Path) -> None:
    async with bench_child(ECHO, {"name": "first"}, tmp_path) as (child, answer):
        assert answer == {"order": {"name": "first"}}
        assert await child.ask({"ask": "one"}, PATIENCE) == {"asked": "one"}
        assert await child.ask({"ask": "two"}, PATIENCE) == {"asked": "two"}


async def test_a_child_is_gone_after_the_block_also_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with bench_child(ECHO, {}, tmp_path) as (child, _):
            raise ZeroDivisionError
    assert not child.process.is_running()


async def test_a_child_that_does_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inland.bench.child.STOP_SECONDS", 0.05)
    async with bench_child(ECHO, {"stubborn": True}, tmp_path) as (child, _):
        pass
    assert not child.process.is_running()


async def test_what_a_child_could_not_do_is_raised_in_its_words(tmp_path: Path) -> None:
    async with bench_child(ECHO, {}, tmp_path) as (child, _):
        with pytest.raises(BenchError, match="echo child: there is no such thing"):
            await child.ask({"ask": "the impossible"}, PATIENCE)
        assert await child.ask({"ask": "one"}, PATIENCE) == {"asked": "one"}


async def test_a_child_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    async with bench_child(ECHO, {}, tmp_path) as (child, _):
        with pytest.raises(BenchError, match="ended by itself: ValueError: my last words"):
            await child.ask({"ask": "die"}, PATIENCE)


async def test_a_child_that_is_silent_is_not_waited_for_and_still_ends_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inland.bench.child.STOP_SECONDS", PATIENCE)
    async with bench_child(ECHO, {"says": "goodbye"}, tmp_path) as (child, _):
        with pytest.raises(BenchError, match="did not answer within 0 s"):
            await child.ask({"ask": "silence"}, 0.05)
    assert (tmp_path / f"{ECHO}.log").read_text() == "goodbye\n"


async def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *psutil.Process().cmdline()[:1],
        "-m",
        "tests.inland.bench.echo_parent",
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(psutil.wait_procs, [child], PATIENCE)
    assert not child.is_running()
