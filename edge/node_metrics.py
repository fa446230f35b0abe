"""The metrics of several workers as one exposition."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry

from edge.clock import Clock
from edge.pool import WorkerPool
from edge.problem import EdgeRefusal
from edge.slot import WorkerSlot

KEEP_SECONDS = 1.0
"""How long an exposition is good for: anybody may ask, and gathering one is work."""
ASK_SECONDS = 3.0
"""What a worker may take; all are asked together. Whoever scrapes has more patience by default, and
counters that are missing once look as if they began again."""


class NodeMetrics:
    """The node's exposition: the workers', and ``own`` of the dispatcher.

    Gathered at most once a second, and when other calls are there than the last time.
    """

    def __init__(
        self, pool: WorkerPool, clock: Clock, own: Sequence[CollectorRegistry] = ()
    ) -> None:
        self._pool = pool
        self._own = own
        self._clock = clock
        self._gathering = asyncio.Lock()
        self._body = b""
        self._calls: object = None
        self._until = 0.0

    async def read(self) -> bytes:
        """The metrics of every serving worker, in Prometheus' text format."""
        async with self._gathering:
            calls = tuple(slot.status and slot.status.calls for slot in self._pool.slots)
            now = self._clock.monotonic()
            if calls != self._calls or now >= self._until:
                self._body = await self._gather()
                self._calls, self._until = calls, now + KEEP_SECONDS
            return self._body

    async def _gather(self) -> bytes:
        own = [generate_latest(registry).decode() for registry in self._own]
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_of(slot)) for slot in self._pool.serving]
        return generate_latest(merge_expositions([*own, *(task.result() for task in asked)]))


async def _of(slot: WorkerSlot) -> str:
    """A worker's own; none of one that does not answer."""
    try:
        return (await slot.ask("GET", "metrics", seconds=ASK_SECONDS)).decode()
    except EdgeRefusal:
        return ""


class _Merged(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def merge_expositions(texts: Sequence[str]) -> CollectorRegistry:
    """One registry with every sample of ``texts``; their ``worker`` label keeps them apart."""
    families: dict[str, Metric] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            known = families.setdefault(family.name, family)
            if known is not family:
                known.samples.extend(family.samples)
    registry = CollectorRegistry()
    registry.register(_Merged(tuple(families.values())))
    return registry
