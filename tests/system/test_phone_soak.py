"""A thousand phone calls, and two hundred that end as no call should: nothing is left behind."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from inland.bench.private_node import COUNTRY, REGION, Engines, PrivateNode, private_node
from inland.demo.phone import AGENT, TENANT, USER
from tests.peers.program import free_ports
from tests.system.footprint import Footprint, settled
from tests.system.raw_caller import HOST, RawCall
from tests.system.world import HANG_SECONDS, children, is_fault, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
log = logging.getLogger(__name__)

CALLS = 1_000
VANISHED, CANCELLED, CUT, UNACKNOWLEDGED, ORPHANED = 50, 50, 40, 30, 30
"""Calls that end half-way: 200 in all."""
WARM_UP = 100
"""Calls until caches, pools and the allocator have their size; some of each kind."""
AT_ONCE = 8
CAPACITY = 200
MEDIA_PORTS = (24_000, 27_999)
"""Far more than the calls at once need: ports rest for a second after a call, and a quick machine
makes some two hundred calls a second here. One that somebody else has is passed over."""
MEDIA_TIMEOUT = 5
"""Seconds: as short as the settings let it be."""
LONGEST_CANCEL = 0.1
"""Seconds until a call is cancelled, at most: longer than it mostly takes to be answered."""
LINGER_SECONDS = 120.0
"""A call that vanished costs the media timeout, the 32 s for which its BYE is repeated (RFC 3261,
timer F), and what a busy machine adds."""
MORE_MEMORY = 24 * 1024 * 1024
"""What the worker may grow by over all calls, bytes: 20 KB a call would be a leak."""
AGAIN = 600
"""Calls after the last trace of the others is gone. What a call leaves for its 32 s takes about
20 KB, which the allocator keeps and has free again by then."""
MORE_AGAIN = 2 * 1024 * 1024
"""What the dispatcher may grow by over those, bytes: 3.5 KB a call would be a leak; a session that
somebody still refers to takes more."""

Ending = Callable[[RawCall], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Board:
    """A node, and the port at which it is called."""

    node: PrivateNode
    port: int

    @property
    def dispatcher(self) -> psutil.Process:
        return self.node.processes["dispatcher"]

    @property
    def workers(self) -> list[psutil.Process]:
        return children(self.dispatcher, "edge.worker_main")

    def faults(self) -> list[str]:
        """Log lines that no healthy node has."""
        lines = (self.node.logs / "edge.log").read_text().splitlines()
        return [line for line in lines if is_fault(line)]

    async def counts(self, *names: str) -> dict[str, float]:
        """These metrics, summed over their labels."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.node.edge}/metrics") as answer,
        ):
            families = text_string_to_metric_families(await answer.text())
            found = dict.fromkeys(names, 0.0)
            for family in families:
                for sample in family.samples:
                    if sample.name in found:
                        found[sample.name] += sample.value
            return found

    async def nothing_of(self, *names: str, within: float) -> None:
        """Returns when all of these metrics are 0."""
        deadline = time.monotonic() + within
        while any((counts := await self.counts(*names)).values()):
            assert time.monotonic() < deadline, counts
            await asyncio.sleep(0.2)  # another process's time


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Board]:
    """A node of one worker that everybody on this machine may call."""
    port = free_ports(1)

    def change(settings: dict[str, Any]) -> None:
        settings["capacity"] = CAPACITY
        settings["sip"] = {
            "listen": [f"udp://{HOST}:{port}", f"tcp://{HOST}:{port}"],
            "media_ports": list(MEDIA_PORTS),
            "media_timeout_seconds": MEDIA_TIMEOUT,
            "trunks": [
                {
                    "name": "desk",
                    "networks": ["127.0.0.0/8"],
                    "routes": [REGION],
                    "max_calls": CAPACITY,
                    "calls_per_second": 1_000,
                }
            ],
            "numbers": [{"user": USER, "country": COUNTRY, "tenant": TENANT, "agent": AGENT}],
        }

    async with private_node(tmp_path / "node", Engines(), change) as node:
        yield Board(node, port)


# --- how a call can go ---------------------------------------------------------------------------


async def talk(call: RawCall) -> None:
    """Be answered, speak, and hear the agent."""
    assert await call.call() == 200
    call.acknowledge()
    call.speak(3)
    await call.heard()


async def in_order(call: RawCall) -> None:
    await talk(call)
    assert await call.hang_up() == 200


async def vanishes(call: RawCall) -> None:
    """No BYE and no media: only the media timeout can tell."""
    await talk(call)
    call.vanish()


async def cut(call: RawCall) -> None:
    """Over TCP, whose connection is reset while both speak."""
    await vanishes(call)


async def unacknowledged(call: RawCall) -> None:
    """BYE before ACK: the early end of a call that the far end regards as standing."""
    assert await call.call() == 200
    assert await call.hang_up() == 200


class Cancels:
    """CANCEL at any moment between the INVITE and the answer, or too late."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self._random = random.Random(1)

    async def __call__(self, call: RawCall) -> None:
        call.invite()
        await asyncio.sleep(self._random.uniform(0, LONGEST_CANCEL))
        call.cancel()
        status = await call.answered()
        self.statuses.append(status)
        if status == 200:
            call.acknowledge()
            assert await call.hang_up() == 200
        else:
            assert status == 487


def shuffled(*kinds: tuple[Ending, int]) -> list[Ending]:
    """As many calls of each kind, in an order that is the same each time."""
    calls = [ending for ending, count in kinds for _ in range(count)]
    random.Random(2).shuffle(calls)
    return calls


async def run(board: Board, calls: Iterable[Ending]) -> None:
    """Make the calls, :data:`AT_ONCE` at a time."""
    waiting = iter(calls)

    async def caller() -> None:
        for ending in waiting:
            transport = "tcp" if ending is cut else "udp"
            async with RawCall(board.port, USER, transport) as call:  # type: ignore[arg-type]
                await ending(call)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(caller())


async def test_a_thousand_calls_and_two_hundred_broken_ones_leave_nothing(board: Board) -> None:
    dispatcher, (worker,) = board.dispatcher, board.workers
    fresh = Footprint.of(dispatcher)
    cancels = Cancels()
    kinds: list[Ending] = [in_order, vanishes, cut, cancels, unacknowledged]
    await run(board, shuffled(*((kind, WARM_UP // len(kinds)) for kind in kinds)))
    await board.nothing_of("inland_calls_active", within=HANG_SECONDS)
    warm = Footprint.of(worker)
    began = time.monotonic()
    broken = ((vanishes, VANISHED), (cut, CUT), (cancels, CANCELLED))
    await run(board, shuffled((in_order, CALLS), *broken, (unacknowledged, UNACKNOWLEDGED)))
    log.info("calls took %.1f s", time.monotonic() - began)
    assert 487 in cancels.statuses, "some were in time"

    await board.nothing_of("inland_calls_active", within=HANG_SECONDS)
    after = await settled(worker, warm)
    log.info("worker before %s, after %s", warm, after)
    assert after.files <= warm.files
    assert after.threads <= warm.threads
    assert after.memory <= warm.memory + MORE_MEMORY
    assert worker.is_running(), "the same process served them all"
    assert board.faults() == []

    await orphans(board, worker)

    kept = ("inland_phone_sessions", "inland_phone_transactions", "inland_phone_timers")
    await board.nothing_of("inland_calls_active", *kept, within=LINGER_SECONDS)
    after = await settled(dispatcher, fresh)
    log.info("dispatcher before %s, after %s", fresh, after)
    assert after.files <= fresh.files
    assert after.threads <= fresh.threads

    await run(board, [in_order] * AGAIN)
    again = Footprint.of(dispatcher)
    log.info("dispatcher then %s; all took %.1f s", again, time.monotonic() - began)
    assert again.memory <= after.memory + MORE_AGAIN


@asynccontextmanager
async def chatter() -> AsyncIterator[set[RawCall]]:
    """Calls to speak in now and then: however long a test takes, none of them is silent for the
    media timeout."""
    talking: set[RawCall] = set()

    async def speak() -> None:
        while True:
            for call in talking:
                call.speak(1)
            await asyncio.sleep(MEDIA_TIMEOUT / 10)

    async with asyncio.TaskGroup() as group:
        speaking = group.create_task(speak())
        yield talking
        speaking.cancel()


async def orphans(board: Board, worker: psutil.Process) -> None:
    """Calls whose worker is killed half-way: some hang up at once, others go on at the next."""
    async with AsyncExitStack() as closing, chatter() as talking:
        calls = [
            await closing.enter_async_context(RawCall(board.port, USER)) for _ in range(ORPHANED)
        ]
        for call in calls:
            await talk(call)
            talking.add(call)
        worker.kill()
        for call in calls[::2]:
            talking.remove(call)
            assert await call.hang_up() == 200
        for call in calls[1::2]:
            async with asyncio.timeout(HANG_SECONDS):
                await call.moved.wait()
            talking.remove(call)
            assert await call.hang_up() == 200

    async def another() -> bool:
        return bool(board.workers)

    await until(another)
