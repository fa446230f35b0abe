"""Workers are started, watched, replaced and ended; only one that speaks is given calls."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.internal import WorkerStatus
from edge.pool import CHECK_SECONDS, HUNG_SECONDS, STALE_SECONDS, WorkerPool, WorkerPoolError
from edge.problem import EdgeRefusal
from edge.settings import NodeSettings
from edge.slot import WorkerSlot
from tests.fakes import worker_process
from tests.fakes.clock import FakeClock

CALL = "rtc_w0_" + "a" * 22
HANG_SECONDS = 60.0


@asynccontextmanager
async def pool_of(folder: Path, workers: int, manner: str = "good") -> AsyncIterator[WorkerPool]:
    settings = NodeSettings(
        node="eu-central-1-a",
        region="eu-central-1",
        data=folder,
        agents=folder,
        workers=workers,
        control_planes=("http://127.0.0.1:1",),
    )
    command = (sys.executable, worker_process.__file__, manner)
    pool = WorkerPool(settings, folder, folder / "v.sock", clock=FakeClock(), command=command)
    try:
        yield pool
    finally:
        await pool.stop()


@asynccontextmanager
async def running(pool: WorkerPool) -> AsyncIterator[None]:
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as group:
        task = group.create_task(pool.run())
        yield
        await pool.stop()
        task.cancel()


async def until(slot: WorkerSlot, happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not happened():
            slot.changed.clear()
            await slot.changed.wait()


def clock_of(pool: WorkerPool) -> FakeClock:
    assert isinstance(pool._clock, FakeClock)
    return pool._clock


def speaks(pool: WorkerPool, index: int, active: int = 0, *calls: str) -> None:
    slot = pool.slots[index]
    slot.status = WorkerStatus(pid=1, media_port=1, active=active, capacity=2, calls=calls)
    slot.heard = clock_of(pool).monotonic()


def why(refused: Callable[[], object]) -> str:
    with pytest.raises(EdgeRefusal) as info:
        refused()
    return info.value.code


async def test_silent_worker_is_given_no_calls_although_it_has_the_fewest(tmp_path: Path) -> None:
    async with pool_of(tmp_path, 2) as pool:
        speaks(pool, 0)
        clock_of(pool).advance(STALE_SECONDS + 0.1)
        speaks(pool, 1, 1)
        assert pool.least_loaded().index == 1
        assert (pool.capacity, pool.active) == (2, 1)
        assert why(lambda: pool.least_loaded(but=pool.slots[1])) == "not_ready"
        await pool.until_ready()
        assert pool.ready
        clock_of(pool).advance(STALE_SECONDS + 0.1)
        assert not pool.ready
        assert why(pool.least_loaded) == "not_ready"


async def test_pool_is_not_ready_before_every_worker_came_up(tmp_path: Path) -> None:
    async with pool_of(tmp_path, 2) as pool:
        speaks(pool, 0)
        assert not pool.ready
        speaks(pool, 1)
        await pool.until_ready()
        assert pool.ready
        pool.slots[0].status = None
        assert pool.ready, "one worker that is replaced does not close the node"


async def test_call_belongs_to_the_worker_that_says_so(tmp_path: Path) -> None:
    async with pool_of(tmp_path, 2) as pool:
        speaks(pool, 0)
        speaks(pool, 1, 1, CALL)
        assert pool.of_call(CALL).index == 1
        assert why(lambda: pool.of_call("rtc_w0_" + "b" * 22)) == "unknown_call"
        clock_of(pool).advance(STALE_SECONDS + 0.1)
        assert why(lambda: pool.of_call(CALL)) == "not_ready"


async def test_hung_worker_is_killed_and_replaced(tmp_path: Path) -> None:
    async with pool_of(tmp_path, 1) as pool, running(pool):
        await pool.until_ready()
        slot = pool.slots[0]
        assert slot.status is not None and slot.process is not None
        hung, process = slot.status.pid, slot.process
        os.kill(hung, signal.SIGSTOP)
        for _ in range(int(HUNG_SECONDS)):
            clock_of(pool).advance(1.0)
            pool.kill_hung()
        assert process.returncode is None, "killed too early"
        clock_of(pool).advance(1.0)
        pool.kill_hung()
        await until(slot, lambda: slot.status is not None and slot.status.pid != hung)
        assert process.returncode == -signal.SIGKILL
        assert pool.ready


async def test_dispatcher_that_was_stopped_itself_blames_no_worker(tmp_path: Path) -> None:
    async with pool_of(tmp_path, 1) as pool, running(pool):
        await pool.until_ready()
        clock_of(pool).advance(1000.0)
        pool.kill_hung()
        process = pool.slots[0].process
        assert process is not None and process.returncode is None
        assert pool.slots[0].silent == 2 * CHECK_SECONDS


async def test_worker_that_speaks_again_is_not_hung(tmp_path: Path) -> None:
    async with pool_of(tmp_path, 1) as pool:
        slot, lines = pool.slots[0], asyncio.StreamReader()
        slot.silent = HUNG_SECONDS
        lines.feed_data(b'{"pid": 1, "media_port": 1, "active": 0, "capacity": 2}\n')
        lines.feed_eof()
        assert await pool._follow(slot, lines)
        assert slot.silent == 0.0
        assert pool.serving == [slot]


async def test_workers_are_ended_by_their_standard_input_and_not_by_a_signal(
    tmp_path: Path,
) -> None:
    async with pool_of(tmp_path, 2) as pool, running(pool):
        await pool.until_ready()
        processes = [slot.process for slot in pool.slots]
        await pool.stop()
        assert [process.returncode for process in processes if process] == [0, 0]


async def test_workers_that_do_not_end_are_killed_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.pool.STOP_SECONDS", 0.05)
    async with pool_of(tmp_path, 2, "deaf") as pool, running(pool):
        await pool.until_ready()
        processes = [slot.process for slot in pool.slots]
        await pool.stop()
        assert [process.returncode for process in processes if process] == [-9, -9]


async def test_stray_and_overlong_lines_do_not_cost_a_worker_its_life(tmp_path: Path) -> None:
    async with pool_of(tmp_path, 1, "stray") as pool, running(pool):
        slot = pool.slots[0]
        await until(slot, lambda: slot.status is not None and slot.status.active == 1)
        assert slot.process is not None and slot.process.returncode is None


@pytest.mark.parametrize(
    ("manner", "words"), [("failed", "no model here"), ("babbling", "not its status")]
)
async def test_worker_that_cannot_work_says_why(tmp_path: Path, manner: str, words: str) -> None:
    async with pool_of(tmp_path, 1, manner) as pool, running(pool):
        with pytest.raises(WorkerPoolError, match=words):
            await pool.until_ready()


async def test_drain_ends_when_the_last_call_does(tmp_path: Path) -> None:
    async with pool_of(tmp_path, 1) as pool:
        speaks(pool, 0, 1, CALL)
        async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as group:
            drained = group.create_task(pool.drain(3600))
            await asyncio.sleep(0)
            assert not drained.done()
            speaks(pool, 0)
            pool.slots[0].changed.set()
