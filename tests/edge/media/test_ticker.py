"""The 20 ms clock."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from edge.media.ticker import PHASES, Ticker


class VirtualLoopTime:
    """A loop clock that a fake ``sleep`` moves; stops the ticker after some steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.stall = 0.0
        self.slept: list[float] = []
        self._yield = asyncio.sleep
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: self)
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    def time(self) -> float:
        return self.now

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds + self.stall
        self.stall = 0.0
        await self._yield(0)


@asynccontextmanager
async def running(ticker: Ticker) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ticker.run())
        yield
        task.cancel()


async def steps(virtual: VirtualLoopTime, count: int) -> None:
    end = len(virtual.slept) + count
    while len(virtual.slept) < end:
        await virtual._yield(0)


async def test_every_subscriber_ticks_once_per_20_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    virtual, ticker = VirtualLoopTime(monkeypatch), Ticker()
    counts = [0] * 10

    def counter(index: int) -> Callable[[], None]:
        def tick() -> None:
            counts[index] += 1

        return tick

    for index in range(10):
        ticker.subscribe(counter(index))
    async with running(ticker):
        while virtual.now < 1.0:
            await virtual._yield(0)
    assert max(counts) - min(counts) <= 1
    assert abs(min(counts) - 50) <= 1


async def test_subscribers_are_spread_over_the_frame() -> None:
    ticker = Ticker()
    for _ in range(8):
        ticker.subscribe(lambda: None)
    ticks = [len(phase) for phase in ticker._phases]
    assert ticks == [2] * PHASES


async def test_a_stall_is_a_pause_and_not_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    virtual, ticker = VirtualLoopTime(monkeypatch), Ticker()
    at: list[float] = []
    ticker.subscribe(lambda: at.append(virtual.now))
    async with running(ticker):
        await steps(virtual, 20)
        virtual.stall = 0.5
        await steps(virtual, 40)
    assert ticker.late == 1
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert sum(gap > 0.4 for gap in gaps) == 1
    assert sum(gap < 0.015 for gap in gaps) <= 1


async def test_an_unsubscribed_tick_is_not_called_again_even_in_the_same_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    virtual, ticker = VirtualLoopTime(monkeypatch), Ticker()
    called: list[str] = []
    ends: list[Callable[[], None]] = []

    def first() -> None:
        called.append("first")
        ends[-1]()

    ticker.subscribe(first)
    for _ in range(PHASES - 1):
        ticker.subscribe(lambda: None)
    ends.append(ticker.subscribe(lambda: called.append("second")))
    async with running(ticker):
        await steps(virtual, 3 * PHASES)
    assert "second" not in called
    assert called.count("first") >= 2
    ends[-1]()


async def test_each_step_comes_four_times_as_often_and_before_the_subscribers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    virtual, ticker = VirtualLoopTime(monkeypatch), Ticker()
    called: list[str] = []
    end = ticker.each_step(lambda: called.append("step"))
    ticker.subscribe(lambda: called.append("tick"))
    async with running(ticker):
        await steps(virtual, 8 * PHASES + 1)
        counts = called.count("step"), called.count("tick")
        end()
        end()
        seen = len(called)
        await steps(virtual, 2 * PHASES)
    assert counts[0] >= 8 * PHASES
    assert abs(counts[0] / PHASES - counts[1]) <= 1
    assert called[0] == "step"
    assert all(
        before == "step" for before, after in itertools.pairwise(called[:seen]) if after == "tick"
    )
    assert "step" not in called[seen:]
