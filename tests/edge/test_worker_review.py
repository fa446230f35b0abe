"""A worker asks for each of its calls again, also for those that are just being opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest

from edge.call_builder import CallBuilder, Rooms
from edge.internal import Admitted
from edge.law import LawInForce
from edge.metrics import WorkerMetrics
from edge.policy_live import Leaves
from edge.problem import EdgeRefusal
from edge.settings import NodeSettings
from edge.shredder import Shredder
from edge.worker import Worker
from regions.law import Law
from regions.models import TenantPolicy
from regions.policy import day_of
from tests.edge.test_admission import CATALOGUE, EEA, NOW
from tests.edge.test_call import FakeLeg
from tests.edge.test_shredder import FakeVault
from tests.fakes.clock import FakeClock

EU, WEST = EEA


def caller(number: int, tenant: str = "clinic") -> Admitted:
    return Admitted(
        session_id=f"s_{number:022d}",
        tenant=tenant,
        agent="clinic-reception",
        jurisdictions=("eea",),
        policy=CATALOGUE.policy,
        regions=dict.fromkeys(("audio", "transcript", "variables"), tuple(EEA)),
        resumed=False,
    )


class FakeCall:
    """Keeps what the law says of it."""

    def __init__(self, caller: Admitted) -> None:
        self.identity = SimpleNamespace(session_id=caller.session_id)
        self.built_for = caller
        self.connected = True
        self.rulings: list[Leaves] = []
        self.narrowed: list[Admitted] = []
        self._over = asyncio.Event()

    async def run(self) -> str:
        await self._over.wait()
        return "hangup"

    def end(self, reason: str) -> None:
        self._over.set()

    def leave(self, ruling: Leaves) -> None:
        self.rulings.append(ruling)

    def narrow(self, caller: Admitted) -> None:
        self.narrowed.append(caller)


class FakeBuilder:
    """Makes such calls; a test may have something happen meanwhile."""

    def __init__(self) -> None:
        self.calls: list[FakeCall] = []
        self.undone: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def agent(self, caller: Admitted) -> str:
        return caller.agent

    async def journal(self, caller: Admitted, carried: object) -> tuple[str, None]:
        await asyncio.sleep(0)
        self.meanwhile()
        return "journal", None

    async def undo(self, caller: Admitted) -> None:
        self.undone.append(caller.session_id)

    def build(self, call_id: str, caller: Admitted, *_: object) -> FakeCall:
        self.calls.append(FakeCall(caller))
        return self.calls[-1]


class Desk:
    """A worker under a law that tests change."""

    def __init__(self, folder: Path, group: asyncio.TaskGroup) -> None:
        self.clock = FakeClock(wall=NOW)
        self.law = LawInForce(Law(CATALOGUE), self.clock)
        self.vault = FakeVault()
        self.builder = FakeBuilder()
        self.legs: list[FakeLeg] = []
        settings = NodeSettings(
            node="a",
            region=EU,
            data=folder,
            agents=folder,
            control_planes=("http://127.0.0.1:1",),
        )
        rooms = SimpleNamespace(
            settings=settings,
            index=0,
            clock=self.clock,
            law=self.law,
            metrics=WorkerMetrics(0),
            shredder=Shredder(self.vault),
        )
        self.worker = Worker(cast(Rooms, rooms), group)
        self.worker._builder = cast(CallBuilder, self.builder)
        self.law.on_change.append(lambda law: self.worker.review())

    async def takes(self, who: Admitted) -> FakeCall:
        async def make_leg() -> tuple[Any, str]:
            self.legs.append(FakeLeg())
            return self.legs[-1], "answer"

        await self.worker.take(who, "rtc", make_leg)
        return self.builder.calls[-1]

    def enacts(self, **contracts: TenantPolicy) -> None:
        serial = self.law.now.serial + 1
        self.law.replace(Law(CATALOGUE, MappingProxyType(contracts), serial=serial))


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        found = Desk(folder, group)
        yield found
        for call in found.builder.calls:
            call.end("hangup")


async def test_a_new_law_ends_the_calls_it_excludes_before_anybody_else_runs(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        clinic, bank = await at.takes(caller(1)), await at.takes(caller(2, "bank"))
        at.enacts(bank=TenantPolicy(deny=(EU,)))
        (ruling,) = bank.rulings
        assert (ruling.regions, ruling.keeps) == ((WEST,), False)
        assert (clinic.rulings, clinic.narrowed, bank.narrowed) == ([], [], [])


async def test_a_defect_of_one_call_ends_it_and_leaves_no_other_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as at:
        first, second = await at.takes(caller(1)), await at.takes(caller(2))
        monkeypatch.setattr(first, "leave", lambda ruling: 1 / 0)
        at.enacts(clinic=TenantPolicy(deny=(EU,)))
        assert first._over.is_set()
        assert len(second.rulings) == 1


async def test_a_call_that_may_stay_is_told_what_it_lost_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        call = await at.takes(caller(1))
        at.enacts(clinic=TenantPolicy(deny=(WEST,)))
        at.worker.review()
        (narrowed,) = call.narrowed
        assert {*narrowed.regions.values()} == {(EU,), ()}
        assert call.rulings == []


async def test_a_law_that_is_widened_gives_a_live_call_nothing_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        call = await at.takes(caller(1))
        at.enacts(clinic=TenantPolicy(deny=(WEST,)))
        at.enacts()
        at.enacts(clinic=TenantPolicy(deny=(EU,)))
        (ruling,) = call.rulings
        assert ruling.regions == (), "the west was taken from it before"


async def test_a_call_that_is_leaving_leaves_although_the_law_is_widened_again(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        call = await at.takes(caller(1))
        at.enacts(clinic=TenantPolicy(deny=(EU,)))
        at.enacts()
        assert [ruling.regions for ruling in call.rulings] == [(WEST,), (WEST,)]


async def test_a_rule_that_lapses_ends_calls_without_any_new_bundle(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        last = day_of(at.clock.wall())
        rules = tuple(
            rule.model_copy(update={"valid_until": last}) if rule.jurisdiction == "eea" else rule
            for rule in CATALOGUE.rules
        )
        at.law.replace(Law(CATALOGUE.model_copy(update={"rules": rules}), serial=1))
        call = await at.takes(caller(1))
        at.worker.review()
        assert call.rulings == []
        at.clock.advance(86_400)
        at.worker.review()
        assert len(call.rulings) == 1


async def test_a_caller_whom_the_law_excludes_by_now_gets_no_leg(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.enacts(clinic=TenantPolicy(deny=(EU,)))
        with pytest.raises(EdgeRefusal, match="wrong_region"):
            await at.takes(caller(1))
        assert (at.legs, at.builder.calls, at.vault.destroyed) == ([], [], [])
        assert at.worker.active == 0


async def test_a_call_that_was_being_opened_when_the_law_came_is_refused_and_forgotten(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        at.builder.meanwhile = lambda: at.enacts(clinic=TenantPolicy(deny=(EU,)))
        with pytest.raises(EdgeRefusal, match="wrong_region"):
            await at.takes(caller(1))
        assert at.worker.active == 0
        assert [leg.closes for leg in at.legs] == [1]
        assert at.vault.destroyed == [("clinic", caller(1).session_id)]
        assert at.builder.undone == [caller(1).session_id]


async def test_a_session_that_was_begun_when_the_node_drained_is_left_to_the_next(
    tmp_path: Path,
) -> None:
    """A caller who is told to try another node must not find token or replica used there."""
    async with desk(tmp_path) as at:

        def drains() -> None:
            at.worker._draining = True

        at.builder.meanwhile = drains
        with pytest.raises(EdgeRefusal, match="draining"):
            await at.takes(caller(1))
        assert at.builder.undone == [caller(1).session_id]


async def test_nothing_is_undone_of_what_was_not_begun(tmp_path: Path) -> None:
    """It may be another's by now, who brought the same replica."""
    async with desk(tmp_path) as at:

        def used() -> None:
            raise EdgeRefusal("replica_used", "the conversation was in this region already")

        at.builder.meanwhile = used
        with pytest.raises(EdgeRefusal, match="replica_used"):
            await at.takes(caller(1))
        assert at.builder.undone == []


async def test_a_call_that_was_being_opened_when_the_law_was_narrowed_begins_with_less(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        at.builder.meanwhile = lambda: at.enacts(clinic=TenantPolicy(deny=(WEST,)))
        call = await at.takes(caller(1))
        (narrowed,) = call.narrowed
        assert narrowed.regions["audio"] == (EU,)
        at.enacts(clinic=TenantPolicy(deny=(EU,)))
        assert len(call.rulings) == 1
