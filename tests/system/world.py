"""A whole demo as processes, and what a test may ask of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from inland.demo.phone import dialled
from inland.demo.ports import HOST
from inland.demo.supervisor import DemoOptions, demo

HANG_SECONDS = 60.0
"""When a wait counts as a hang: on a busy machine everything takes its time."""
READY_SECONDS = 120.0
END_SECONDS = 60.0
REGIONS = ("eu-central-1", "ap-south-1", "me-central-1")
INLAND = (sys.executable, "-m", "inland")


@dataclass(frozen=True, slots=True)
class World:
    """Where everything of a running demo is."""

    page: str
    control_plane: str
    edges: Mapping[str, str]
    clinics: Mapping[str, str]
    phones: Mapping[str, str]
    """What a softphone dials to reach each region."""
    data: Path
    pids: Mapping[str, int]
    children: Mapping[str, asyncio.subprocess.Process] = field(default_factory=dict)
    """The programs, when they are this process's own: see :func:`breakable_demo`."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """What a region's nodes show to the control plane, of a demo of this process's own."""

    @classmethod
    def parse(cls, line: str) -> Self:
        """The line that ``inland demo --json`` prints."""
        facts = json.loads(line)
        return cls(**{**facts, "data": Path(facts["data"])})

    # --- processes -----------------------------------------------------------------------------

    def edge(self, region: str) -> psutil.Process:
        """The dispatcher of a region's node."""
        return psutil.Process(self.pids[f"edge {region}"])

    def workers(self, region: str) -> list[psutil.Process]:
        """The processes of a region's node that hold calls."""
        return children(self.edge(region), "edge.worker_main")

    async def terminated(self, region: str) -> int:
        """Terminate a region's node (SIGTERM: drain); returns its exit status."""
        process = self.children[f"edge {region}"]
        process.terminate()
        return await asyncio.wait_for(process.wait(), END_SECONDS)

    # --- what they wrote -----------------------------------------------------------------------

    def log(self, region: str) -> str:
        """Everything that a region's processes have logged."""
        return (self.data / "logs" / f"{region}.log").read_text()

    @property
    def logs(self) -> str:
        """Everything that anything has logged."""
        return "".join(path.read_text() for path in sorted((self.data / "logs").glob("*.log")))

    def faults(self) -> list[str]:
        """Log lines that no healthy run has: errors, exceptions, tracebacks."""
        return [line for line in self.logs.splitlines() if is_fault(line)]

    # --- what they answer ----------------------------------------------------------------------

    async def appointments(self, region: str) -> list[dict[str, str]]:
        """The rows of a region's booking service."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.clinics[region]}/v1/appointments") as answer,
        ):
            return list((await answer.json())["appointments"])

    async def empty_books(self) -> None:
        """Cancel every appointment: the next caller finds every time free."""
        async with aiohttp.ClientSession() as http:
            for region, clinic in self.clinics.items():
                for row in await self.appointments(region):
                    url = f"{clinic}/v1/appointments/{row['reference']}"
                    async with http.delete(url) as answer:
                        assert answer.status in (200, 404)

    async def active(self, region: str) -> int:
        """Calls of a region, by its metrics."""
        return int(await self.metric(region, "inland_calls_active"))

    async def idle(self, region: str) -> None:
        """Returns when every worker of a region says that it has no call."""

        async def nobody() -> bool:
            found = await self.metrics(region)
            # A worker that is too busy to answer is left out of its node's metrics.
            told = len(found["inland_calls_capacity"]) == len(self.workers(region))
            return told and not any(found["inland_calls_active"])

        await until(nobody)

    async def metric(self, region: str, name: str) -> float:
        """A metric of a region, summed over workers and labels."""
        return sum((await self.metrics(region))[name])

    async def metrics(self, region: str) -> Mapping[str, Sequence[float]]:
        """The metrics of a region by name, each for every worker and label that has it."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.edges[region]}/metrics") as answer,
        ):
            text = await answer.text()
        found: defaultdict[str, list[float]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name].append(sample.value)
        return found


def is_fault(line: str) -> bool:
    """Whether a line of a log tells of a defect."""
    if not line.startswith("{"):
        return "Traceback" in line or "Error" in line or "never retrieved" in line
    record = json.loads(line)
    return record["level"] in ("error", "critical") or "exception" in record


def children(parent: psutil.Process, module: str) -> list[psutil.Process]:
    """Live children of ``parent`` that run a Python module."""
    found = []
    for child in parent.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if module in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


async def until(happened: Callable[[], Awaitable[bool]], seconds: float = HANG_SECONDS) -> None:
    """Returns when another process has come that far. It tells nobody, so this looks."""
    async with asyncio.timeout(seconds):
        while not await happened():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@contextmanager
def running_demo(data: Path, *options: str) -> Iterator[World]:
    """A demo on free ports; at the end it must have gone without a trace.

    Asserts that it ends with status 0 in time, and that no process of it is left.
    """
    complaints = data.parent / f"{data.name}.err"
    command = [*INLAND, "demo", "--free-ports", "--json", "--data", str(data), *options]
    with complaints.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=quiet_environment(),
            text=True,
            start_new_session=True,
        )
    family: list[psutil.Process] = []
    try:
        line = first_line(process)
        assert line, f"the demo did not start: {complaints.read_text()}"
        family = psutil.Process(process.pid).children(recursive=True)
        yield World.parse(line)
        family = psutil.Process(process.pid).children(recursive=True)
    finally:
        assert_ends(process, family, signal.SIGTERM)


@asynccontextmanager
async def breakable_demo(
    data: Path, *, workers: int, regions: tuple[str, ...] = REGIONS
) -> AsyncIterator[World]:
    """A demo whose programs a test may end one by one: nobody ends the rest on that account."""
    options = DemoOptions(free_ports=True, workers=workers, regions=regions)
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - quiet_environment().keys():
            patch.delenv(name)
        async with demo(options, data, lambda text: None) as running:
            where = running.addresses
            yield World(
                page=address(where.page),
                control_plane=address(where.control),
                edges={name: address(port) for name, port in where.edges.items()},
                clinics={name: address(port) for name, port in where.clinics.items()},
                phones={name: dialled(name, port) for name, port in where.phones.items()},
                data=running.files.data,
                pids={child.name: child.process.pid for child in running.children},
                children={child.name: child.process for child in running.children},
                secrets=running.files.secrets,
            )
    assert [child.name for child in running.children if child.process.returncode != 0] == []


def address(port: int) -> str:
    return f"http://{HOST}:{port}"


def quiet_environment() -> dict[str, str]:
    """The environment of a program under test: no model, no model folder of the machine."""
    dropped = ("INLAND_", "CLINIC_", "OPENAI_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def first_line(process: subprocess.Popen[str]) -> str:
    """The first line that a program prints, or "" when it ends or takes too long."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], READY_SECONDS)
    return process.stdout.readline() if ready else ""


def assert_ends(
    process: subprocess.Popen[str], family: list[psutil.Process], how: signal.Signals
) -> None:
    """``process`` ends by this signal, with status 0, and nothing of its ``family`` is left."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        status = process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    if process.stdout is not None:
        process.stdout.close()
    _, left = psutil.wait_procs(family, timeout=END_SECONDS)
    for each in left:
        each.kill()
    assert status == 0, f"ended with status {status}"
    assert left == [], f"still running: {[each.pid for each in left]}"
