"""Every worker goes by the law in force, or goes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from edge.internal import WorkerStatus
from edge.law import LawInForce
from edge.policy_teller import BEHIND_SECONDS, Teller
from edge.pool import WorkerPool
from edge.problem import EdgeRefusal
from edge.slot import WorkerAway
from regions.law import Law
from tests.edge.test_admission import CATALOGUE
from tests.edge.test_policy_told import order_of
from tests.fakes.clock import FakeClock
from tests.fakes.policy import body, bundle


@dataclass
class FakeProcess:
    pid: int
    killed: bool = False

    def kill(self) -> None:
        self.killed = True


@dataclass(eq=False)
class FakeSlot:
    """A worker that takes what it is told, or does not."""

    index: int
    process: FakeProcess | None
    status: WorkerStatus | None
    refusal: EdgeRefusal | None = None
    told: list[bytes] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def ask(self, method: str, *path: str, body: str, **options: Any) -> bytes:
        self.asked.append((method, *path))
        if self.refusal is not None:
            raise self.refusal
        self.told.append(body.encode())
        return b""

    def says(self, serial: int) -> None:
        """Its next status line."""
        assert self.process is not None
        self.status = worker_status(self.process.pid, serial)


def worker_status(pid: int, serial: int) -> WorkerStatus:
    return WorkerStatus(pid=pid, media_port=1, active=0, capacity=2, serial=serial)


class Node:
    """Two workers under the catalogue."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.law = LawInForce(Law(CATALOGUE), self.clock, follows=True)
        self.slots = [FakeSlot(n, FakeProcess(100 + n), worker_status(100 + n, 0)) for n in (0, 1)]
        self.teller = Teller(self.law, cast(WorkerPool, self), self.clock)

    def enacts(self, serial: int) -> bytes:
        raw = bundle(serial)
        self.law.replace(body(serial).law(), raw)
        return raw


async def test_every_worker_is_told_of_a_new_law_once_it_is_in_force() -> None:
    node = Node()
    await node.teller.tell()
    assert [slot.asked for slot in node.slots] == [[], []]
    raw = node.enacts(1)
    await node.teller.tell()
    assert [slot.told for slot in node.slots] == [[raw], [raw]]
    assert node.slots[0].asked == [("PUT", "policy")]


async def test_a_worker_is_told_again_until_it_says_that_it_goes_by_it() -> None:
    node = Node()
    raw = node.enacts(1)
    first, second = node.slots
    first.refusal = WorkerAway()
    await node.teller.tell()
    second.says(1)
    await node.teller.tell()
    assert (first.told, second.told) == ([], [raw])
    first.refusal = None
    await node.teller.tell()
    assert first.told == [raw]
    first.says(1)
    await node.teller.tell()
    assert first.told == [raw]
    assert not any(slot.process and slot.process.killed for slot in node.slots)


async def test_a_worker_that_never_does_is_killed_and_its_successor_is_not() -> None:
    node = Node()
    node.enacts(1)
    slot, other = node.slots
    other.says(1)
    slot.refusal = WorkerAway()
    doomed = slot.process
    assert doomed is not None
    await node.teller.tell()
    node.clock.advance(BEHIND_SECONDS - 0.1)
    await node.teller.tell()
    assert not doomed.killed
    node.clock.advance(0.1)
    await node.teller.tell()
    assert doomed.killed
    assert other.process is not None
    assert not other.process.killed
    slot.process = successor = FakeProcess(200)
    slot.says(0)
    node.clock.advance(1.0)
    await node.teller.tell()
    assert not successor.killed, "its own time begins with it"


async def test_a_worker_that_says_yes_and_does_not_is_killed_as_well() -> None:
    node = Node()
    node.enacts(1)
    await node.teller.tell()
    node.clock.advance(BEHIND_SECONDS)
    await node.teller.tell()
    assert all(slot.process and slot.process.killed for slot in node.slots)


async def test_laws_that_come_faster_than_they_are_told_cost_nobody_who_follows_a_worker() -> None:
    node = Node()
    follows, stuck = node.slots
    for serial in range(1, int(BEHIND_SECONDS) + 3):
        node.enacts(serial)
        await node.teller.tell()
        node.clock.advance(1.0)
        follows.says(serial)
    assert follows.process is not None
    assert stuck.process is not None
    assert (follows.process.killed, stuck.process.killed) == (False, True)


async def test_one_that_is_just_starting_is_waited_for() -> None:
    node = Node()
    node.slots[0].status = None
    node.enacts(1)
    await node.teller.tell()
    node.clock.advance(BEHIND_SECONDS)
    await node.teller.tell()
    assert node.slots[0].asked == []


async def test_a_new_law_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.policy_teller.AGAIN_SECONDS", 3600.0)
    node = Node()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(node.teller.run())
        await asyncio.sleep(0)
        told = asyncio.Event()

        async def ask(method: str, *path: str, body: str, **options: Any) -> bytes:
            told.set()
            return b""

        node.slots[0].ask = ask  # type: ignore[method-assign]
        node.enacts(1)
        await told.wait()
        running.cancel()


async def test_a_worker_that_begins_is_given_the_law_of_the_moment(tmp_path: Path) -> None:
    node = Node()
    assert (await order_of(tmp_path, node.law)).keys() == {"catalogue"}
    raw = node.enacts(1)
    assert await order_of(tmp_path, node.law) == {"bundle": raw.decode()}
