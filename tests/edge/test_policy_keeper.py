"""A node goes by the newest bundle that its operator signed, and by nothing else."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from edge.audit_trail import Unaudited
from edge.law import LawInForce
from edge.policy_keeper import PolicyKeeper
from edge.policy_kept import KeptBroken, KeptBundle, Signed
from edge.policy_sources import SourceAway
from regions.law import Law
from regions.models import TenantPolicy
from tests.edge.test_admission import CATALOGUE
from tests.fakes.clock import FakeClock
from tests.fakes.policy import STRANGER, TRUSTED, bundle, forged

EU = "eu-central-1"
HANG_SECONDS = 20.0


class ScriptedSource:
    """Says what it is told to say, once each; nothing new after that."""

    def __init__(self, name: str = "replica") -> None:
        self.name = name
        self.says: list[bytes | SourceAway | None] = []
        self.looks = self.forgotten = 0
        self.looked = asyncio.Event()

    def forget(self) -> None:
        self.forgotten += 1

    async def look(self) -> bytes | None:
        self.looks += 1
        self.looked.set()
        said = self.says.pop(0) if self.says else None
        if isinstance(said, SourceAway):
            raise said
        return said


class Kept(KeptBundle):
    """On a disk that may be full."""

    full = False

    def keep(self, signed: Signed) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().keep(signed)


class Trail(Unaudited):
    """What was written down."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, object]] = []
        self.written = asyncio.Event()

    def policy_in_force(self, serial: int, policy: str) -> None:
        self.entries.append(("in_force", serial))

    def policy_refused(self, code: str) -> None:
        self.entries.append(("refused", code))
        self.written.set()


class Desk:
    """A keeper, and what is around it."""

    def __init__(self, folder: Path, sources: int = 1, refresh: float = 15.0) -> None:
        self.law = LawInForce(Law(CATALOGUE), FakeClock(), follows=True)
        self.sources = [ScriptedSource(f"replica {number}") for number in range(sources)]
        self.kept = Kept(folder, TRUSTED)
        self.trail = Trail()
        self.keeper = PolicyKeeper(
            self.law,
            TRUSTED,
            self.kept,
            self.sources,
            region=EU,
            refresh_seconds=refresh,
            audit=self.trail,
        )

    async def hears(self, *said: bytes | SourceAway | None) -> int:
        """The serial in force after a look that finds this."""
        for source, one in zip(self.sources, said, strict=False):
            source.says.append(one)
        await self.keeper.look()
        return self.law.now.serial

    def refused(self, code: str) -> float:
        value = self.keeper.metrics.registry.get_sample_value(
            "inland_policy_refused_total", {"code": code}
        )
        return value or 0.0

    @property
    def gauge(self) -> float | None:
        return self.keeper.metrics.registry.get_sample_value("inland_policy_serial")


async def test_a_newer_bundle_is_in_force_kept_and_written_down(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    raw = bundle(3, {"bank": TenantPolicy(deny=(EU,))})
    assert await desk.hears(raw) == 3
    assert desk.law.now.contract("bank").deny == (EU,)
    assert desk.law.bundle == raw
    found = KeptBundle(tmp_path, TRUSTED).read()
    assert found is not None
    assert found.raw == raw
    assert desk.trail.entries == [("in_force", 3)]
    assert desk.gauge == 3


@pytest.mark.parametrize(
    ("offered", "code"),
    [
        (forged(bundle(9)), "bad_signature"),
        (bundle(9, key=STRANGER), "unknown_key"),
        (bundle(4), "older"),
        (bundle(5, {"bank": TenantPolicy()}), "conflicting"),
        (b"{}", "malformed"),
        (b"\xff" * 2000, "malformed"),
    ],
)
async def test_what_is_not_the_operators_newest_word_is_refused_and_the_node_goes_on(
    tmp_path: Path, offered: bytes, code: str
) -> None:
    desk = Desk(tmp_path)
    await desk.hears(bundle(5))
    before = desk.law.now
    assert await desk.hears(offered) == 5
    assert desk.law.now is before
    assert desk.refused(code) == 1
    assert desk.trail.entries == [("in_force", 5), ("refused", code)]
    assert desk.sources[0].forgotten == (code == "malformed")
    found = KeptBundle(tmp_path, TRUSTED).read()
    assert found is not None
    assert found.raw == bundle(5)


async def test_a_refusal_that_stays_the_same_is_written_down_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.hears(bundle(5))
    for _ in range(3):
        await desk.hears(bundle(4))
    await desk.hears(bundle(3))
    assert desk.refused("older") == 4
    assert desk.trail.entries == [("in_force", 5), ("refused", "older"), ("refused", "older")]


async def test_the_very_same_bundle_is_no_news(tmp_path: Path) -> None:
    desk = Desk(tmp_path, sources=2)
    assert await desk.hears(bundle(5), bundle(5)) == 5
    assert desk.trail.entries == [("in_force", 5)]


async def test_the_newest_of_all_replicas_counts_however_they_are_asked(tmp_path: Path) -> None:
    for order in ((7, 8), (8, 7)):
        desk = Desk(tmp_path / str(order[0]), sources=2)
        (tmp_path / str(order[0])).mkdir()
        assert await desk.hears(*map(bundle, order)) == 8


async def test_a_replica_that_is_away_hinders_no_other(tmp_path: Path) -> None:
    desk = Desk(tmp_path, sources=2)
    assert await desk.hears(SourceAway("TimeoutError"), bundle(2)) == 2
    assert await desk.hears(SourceAway("TimeoutError"), None) == 2


async def test_calls_wait_until_it_is_known_which_law_to_begin_with(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.hears(SourceAway("ClientConnectorError"))
    assert not desk.keeper.settled.is_set()
    await desk.hears(None)
    assert desk.keeper.settled.is_set(), "somebody said that there is no bundle"


async def test_a_law_that_was_kept_is_one_to_begin_with(tmp_path: Path) -> None:
    law = LawInForce(Law(CATALOGUE, serial=4), FakeClock(), bundle(4), follows=True)
    kept = KeptBundle(tmp_path, TRUSTED)
    keeper = PolicyKeeper(law, TRUSTED, kept, (), region=EU, refresh_seconds=15.0)
    assert keeper.settled.is_set()


async def test_a_tightened_law_does_not_wait_for_a_disk(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.kept.full = True
    assert await desk.hears(bundle(2)) == 2
    assert KeptBundle(tmp_path, TRUSTED).read() is None
    desk.kept.full = False
    await desk.hears(None)
    found = KeptBundle(tmp_path, TRUSTED).read()
    assert found is not None
    assert found.body.serial == 2


async def test_nor_does_the_next_one_wait_for_a_disk_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.policy_keeper.KEEP_SECONDS", 0.01)
    desk, works = Desk(tmp_path), threading.Event()
    keep, writers = desk.kept.keep, list[int]()

    def hangs(signed: Signed) -> None:
        writers.append(signed.body.serial)
        works.wait(HANG_SECONDS)
        keep(signed)

    desk.kept.keep = hangs  # type: ignore[method-assign]
    try:
        async with asyncio.timeout(HANG_SECONDS / 2):
            for serial in (3, 4, 5):
                assert await desk.hears(bundle(serial)) == serial
                assert [entry[1] for entry in desk.trail.entries][-1] == serial
        assert writers == [3], "one thread hangs, and no other"
    finally:
        works.set()
    monkeypatch.setattr("edge.policy_keeper.KEEP_SECONDS", HANG_SECONDS)
    await desk.keeper.look()
    kept = desk.kept.read()
    assert kept is not None
    assert kept.body.serial == 5


async def test_a_law_without_this_region_is_in_force_and_leaves_nothing_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is what the operator signed: going on by the law before would let calls stay."""
    desk = Desk(tmp_path)
    gone = CATALOGUE.model_copy(
        update={
            "regions": tuple(region for region in CATALOGUE.regions if region.id != EU),
            "aliases": tuple(alias for alias in CATALOGUE.aliases if alias.region != EU),
            "rules": tuple(
                rule.model_copy(
                    update={"regions": tuple(name for name in rule.regions if name != EU)}
                )
                if rule.regions
                else rule
                for rule in CATALOGUE.rules
            ),
        }
    )
    assert await desk.hears(bundle(2, catalogue=gone)) == 2
    assert "the policy has no such region: all calls end" in caplog.messages


async def test_a_heartbeat_that_names_a_newer_bundle_brings_a_look_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, refresh=3600.0)
    (source,) = desk.sources
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as group:
        running = group.create_task(desk.keeper.run())
        await source.looked.wait()
        source.says.append(bundle(6))
        changed = asyncio.Event()
        desk.law.on_change.append(lambda law: changed.set())
        desk.keeper.hint(6)
        await changed.wait()
        looks = source.looks
        for serial in (6, 5, 0):
            desk.keeper.hint(serial)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert source.looks == looks, "what is in force needs no look"
        running.cancel()


async def test_a_replica_whose_bundle_is_refused_is_not_asked_with_every_beat(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, refresh=3600.0)
    (source,) = desk.sources
    source.says = [None, forged(bundle(6))]
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as group:
        running = group.create_task(desk.keeper.run())
        await source.looked.wait()
        source.looked.clear()
        desk.keeper.hint(6)
        await source.looked.wait()
        await desk.trail.written.wait()
        for _ in range(20):
            desk.keeper.hint(6)
            await asyncio.sleep(0)
        assert source.looks == 2
        running.cancel()


async def test_it_looks_again_when_the_time_is_up(tmp_path: Path) -> None:
    desk = Desk(tmp_path, refresh=0.01)
    (source,) = desk.sources
    source.says = [None, SourceAway("TimeoutError"), bundle(2)]
    changed = asyncio.Event()
    desk.law.on_change.append(lambda law: changed.set())
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as group:
        running = group.create_task(desk.keeper.run())
        await changed.wait()
        running.cancel()


async def test_nothing_is_kept_over_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "policy.bundle").write_bytes(b"?")
    assert await desk.hears(bundle(2)) == 2
    with pytest.raises(KeptBroken):
        KeptBundle(tmp_path, TRUSTED).read()
