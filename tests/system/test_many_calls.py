"""Many calls through one worker, one after another and at once: nothing is left behind."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from inland.caller.options import CallOptions
from inland.caller.script import BargeIn, HangUp, Script
from inland.caller.session import HeadlessCall
from inland.caller.utterances import Utterances, utterances
from tests.system.footprint import Footprint, settled
from tests.system.line import Exchange, exchange
from tests.system.world import World, running_demo

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
log = logging.getLogger(__name__)

EU = "eu-central-1"
SEQUENTIAL = 200
AT_ONCE = 10
"""Callers who speak at the same time: half of what a core recognises as fast as it comes."""
WARM_UP = 30
"""Calls until caches, pools and the allocator have their size."""
MORE_MEMORY = 24 * 1024 * 1024
"""What a worker may grow by over :data:`SEQUENTIAL` calls, bytes: 120 KB a call would be a leak."""
MORE_PER_SPEAKER = 5 * 1024 * 1024
"""What may be left of a caller who spoke while others did, bytes: the decoders of one utterance
take about 20 MB, which the allocator gets back and does not always hand on."""
POOL_THREADS = 12
"""Threads of a worker whose pool for Python tools is full."""


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One region of one worker."""
    data = tmp_path_factory.mktemp("busy") / "data"
    with running_demo(data, "--workers", "1", "--regions", EU) as found:
        yield found
    assert found.faults() == []


@pytest.fixture
async def callers(busy: World) -> AsyncIterator[Exchange]:
    async with exchange(busy) as found:
        yield found


async def short_calls(callers: Exchange, count: int) -> None:
    """Connect, hear the greeting begin, hang up."""
    for _ in range(count):
        line = await callers.dial(callers.world.edges[EU], callers.token("eea", [EU]))
        await line.audio()
        await callers.hang_up(line)
    await callers.idle(EU)


async def test_calls_one_after_another_leave_nothing_in_the_worker(callers: Exchange) -> None:
    (worker,) = callers.world.workers(EU)
    await short_calls(callers, WARM_UP)
    warm = Footprint.of(worker)
    began = time.monotonic()
    await short_calls(callers, SEQUENTIAL)
    seconds = time.monotonic() - began
    after = await settled(worker, warm)
    log.info("%d calls in %.1f s; before %s, after %s", SEQUENTIAL, seconds, warm, after)
    assert after.files <= warm.files
    assert after.threads <= max(warm.threads, POOL_THREADS)
    assert after.memory <= warm.memory + MORE_MEMORY
    assert worker.is_running(), "the same process served them all"
    assert callers.world.faults() == []


async def asks_when_open(callers: Exchange, voice: Utterances) -> str:
    """One caller who speaks over the greeting; what the agent said."""
    options = CallOptions(
        control_plane=callers.world.control_plane,
        edge=callers.world.edges[EU],
        token=callers.token("eea", [EU]),
    )
    script = Script((BargeIn(0.5, "what are your opening hours"), HangUp()), repeats=2)
    async with HeadlessCall(options, voice, ticker=callers.ticker) as call:
        report = await call.run(script)
    assert report.exit_status == 0, report.why
    return report.agent_text


@pytest.mark.usefixtures("flite")
async def test_callers_at_once_are_all_heard_and_leave_nothing(callers: Exchange) -> None:
    world = callers.world
    (worker,) = world.workers(EU)
    async with utterances("rms") as voice:
        for _ in range(2):  # until there are as many decoders as callers who speak
            await at_once(callers, voice)
        warm = Footprint.of(worker)
        began = time.monotonic()
        heard = await at_once(callers, voice)
        seconds = time.monotonic() - began
    after = await settled(worker, warm)
    log.info("%d callers in %.1f s; before %s, after %s", AT_ONCE, seconds, warm, after)
    assert [said for said in heard if "eight" not in said] == []
    assert after.files <= warm.files
    assert after.threads <= max(warm.threads, POOL_THREADS)
    assert after.memory <= warm.memory + AT_ONCE * MORE_PER_SPEAKER
    assert await world.active(EU) == 0
    assert world.faults() == []


async def at_once(callers: Exchange, voice: Utterances) -> list[str]:
    """What the agent said to each of :data:`AT_ONCE` callers."""
    async with asyncio.TaskGroup() as group:
        talking = [group.create_task(asks_when_open(callers, voice)) for _ in range(AT_ONCE)]
    await callers.idle(EU)
    return [each.result() for each in talking]
