"""The metrics of a node are those of all its workers that answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from edge.node_metrics import KEEP_SECONDS, NodeMetrics
from edge.pool import WorkerPool
from edge.slot import WorkerAway
from tests.fakes.clock import FakeClock


@dataclass(eq=False)
class FakeSlot:
    """A worker that answers when the test lets it."""

    name: str
    away: bool = False
    status: None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    count: int = 0

    async def ask(self, *path: str, **options: Any) -> bytes:
        self.count += 1
        self.asked.set()
        await self.answers.wait()
        if self.away:
            raise WorkerAway
        return f'calls{{worker="{self.name}"}} {self.count}\n'.encode()


class Node:
    """Two workers."""

    def __init__(self) -> None:
        self.slots = [FakeSlot("0"), FakeSlot("1")]
        self.serving = self.slots
        self.clock = FakeClock()
        self.metrics = NodeMetrics(cast(WorkerPool, self), self.clock)

    def all_answer(self) -> None:
        for slot in self.slots:
            slot.answers.set()


async def test_workers_are_asked_together_and_one_that_is_slow_is_waited_for() -> None:
    node = Node()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        reading = group.create_task(node.metrics.read())
        for slot in node.slots:
            await slot.asked.wait()
        node.all_answer()
    assert b'calls{worker="0"} 1.0' in reading.result()
    assert b'calls{worker="1"} 1.0' in reading.result()


async def test_a_worker_that_does_not_answer_is_left_out() -> None:
    node = Node()
    node.all_answer()
    node.slots[0].away = True
    body = await node.metrics.read()
    assert b'worker="0"' not in body
    assert b'worker="1"' in body


async def test_workers_are_asked_once_a_second_however_many_read() -> None:
    node = Node()
    node.all_answer()
    first = await node.metrics.read()
    assert await node.metrics.read() == first
    node.clock.advance(KEEP_SECONDS)
    assert await node.metrics.read() != first
    assert [slot.count for slot in node.slots] == [2, 2]
