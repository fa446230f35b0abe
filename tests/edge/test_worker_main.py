"""The real worker process, as its dispatcher sees it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import inland.demo
from edge.internal import Admitted, OpenCall
from edge.law import LawInForce
from edge.policy_settings import PolicySettings
from edge.pool import WorkerPool
from edge.problem import EdgeRefusal
from edge.settings import NodeSettings
from edge.slot import WorkerSlot
from edge.worker_main import StatusLines
from regions.policy_keys import policy_key_text
from tests.fakes.clock import FakeClock
from tests.fakes.policy import TRUSTED, body, bundle, forged

AGENTS = Path(inland.demo.__file__).parent / "agents"
HANG_SECONDS = 60.0
SESSION = "s_" + "a" * 22


@asynccontextmanager
async def one_worker(tmp_path: Path, law: LawInForce | None = None) -> AsyncIterator[WorkerPool]:
    settings = NodeSettings(
        node="eu-central-1-a",
        region="eu-central-1",
        data=tmp_path,
        agents=AGENTS,
        recognizer="pocketsphinx",
        control_planes=("http://127.0.0.1:1",),
        policy=None if law is None else PolicySettings(keys=(policy_key_text(TRUSTED[0]),)),
    )
    pool = WorkerPool(settings, tmp_path, tmp_path / "voice.sock", clock=FakeClock(), law=law)
    try:
        async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as group:
            task = group.create_task(pool.run())
            await pool.until_ready()
            yield pool
            await pool.stop()
            task.cancel()
    finally:
        await pool.stop()


async def next_line(slot: WorkerSlot) -> None:
    slot.changed.clear()
    await slot.changed.wait()


async def test_worker_lives_through_signals_and_reports_until_its_input_ends(
    tmp_path: Path,
) -> None:
    async with one_worker(tmp_path) as pool:
        slot = pool.slots[0]
        process = slot.process
        assert process is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
            await next_line(slot)
            await next_line(slot)  # nothing happened to a call: this is the line of each second
        assert process.returncode is None
        await pool.stop()
        assert process.returncode == 0


async def test_worker_keeps_everything_of_a_call_inside(tmp_path: Path) -> None:
    """No core dump, no file for others, and what a library prints is not taken for its status."""
    async with one_worker(tmp_path) as pool:
        process = pool.slots[0].process
        assert process is not None
        assert resource.prlimit(process.pid, resource.RLIMIT_CORE) == (0, 0)
        assert "Umask:\t0077" in facts(process.pid)
        assert os.readlink(f"/proc/{process.pid}/fd/1") == os.readlink(f"/proc/{process.pid}/fd/2")


def facts(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


async def test_worker_is_told_of_a_takeover_and_refuses_orders_given_up_on(
    tmp_path: Path,
) -> None:
    async with one_worker(tmp_path) as pool:
        slot = pool.slots[0]
        await slot.ask("DELETE", "sessions", SESSION, expect=204)
        caller = Admitted(
            session_id=SESSION,
            tenant="demo-clinic",
            agent="nobody-home",
            jurisdictions=("eea",),
            policy="p",
            regions={"audio": ("eu-central-1",)},
            resumed=False,
        )
        order = OpenCall(caller=caller, offer="v=0", until=0.0).model_dump_json()
        with pytest.raises(EdgeRefusal, match="too slow"):
            await slot.ask("POST", "calls", body=order)
        order = OpenCall(caller=caller, offer="v=0", until=float(1 << 40)).model_dump_json()
        with pytest.raises(EdgeRefusal, match="unknown_agent"):
            await slot.ask("POST", "calls", body=order)


async def test_worker_begins_under_the_dispatchers_law_and_takes_newer_ones(
    tmp_path: Path,
) -> None:
    law = LawInForce(body(3).law(), FakeClock(), bundle(3))
    async with one_worker(tmp_path, law) as pool:
        slot = pool.slots[0]
        assert slot.status is not None
        assert slot.status.serial == 3
        for wrong in (forged(bundle(9)), bundle(2)):
            with pytest.raises(EdgeRefusal, match="bad_request"):
                await slot.ask("PUT", "policy", body=wrong.decode())
        await slot.ask("PUT", "policy", body=bundle(4).decode(), expect=204)
        while slot.status.serial != 4:
            await next_line(slot)


def test_status_survives_a_dispatcher_that_died() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    lines = StatusLines(writer)
    lines.write("one")
    lines.write("two")
    os.close(writer)


def test_status_neither_blocks_nor_tears_lines_when_nobody_reads() -> None:
    reader, writer = os.pipe()
    lines = StatusLines(writer)
    line = "x" * 9999
    for _ in range(100):
        lines.write(line)
    got = b""
    os.set_blocking(reader, False)
    for _ in range(100):
        try:
            got += os.read(reader, 1 << 20)
        except BlockingIOError:
            lines.write(line)
    os.close(writer)
    os.close(reader)
    assert len(got) > 1 << 17
    assert set(got.split(b"\n")[:-1]) == {line.encode()}
