"""A worker begins under the dispatcher's law, takes a newer one, and asks for its calls again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.law import LawInForce
from edge.policy_told import (
    DAY_SECONDS,
    REVIEW_SECONDS,
    ToldLaw,
    law_to_begin_with,
    review_daily,
    seconds_to_review,
)
from edge.pool import WorkerPool
from edge.problem import EdgeRefusal
from edge.settings import NodeSettings
from regions.bundle import BundleRefused
from regions.law import Law
from regions.policy_keys import policy_key_text
from tests.edge.test_admission import CATALOGUE
from tests.fakes.clock import FakeClock
from tests.fakes.policy import OPERATOR, STRANGER, bundle, forged


def settings(folder: Path, **more: object) -> NodeSettings:
    return NodeSettings.model_validate(
        {
            "node": "a",
            "region": "eu-central-1",
            "data": folder,
            "agents": folder,
            "control_planes": ["http://127.0.0.1:1"],
            "policy": {"keys": [policy_key_text(OPERATOR.public_key())]},
            **more,
        }
    )


async def order_of(folder: Path, law: LawInForce) -> dict[str, str]:
    """What a worker that starts now is told of the law."""
    pool = WorkerPool(settings(folder), folder, folder / "v.sock", clock=FakeClock(), law=law)
    await pool.stop()
    return pool.law_now()


async def test_it_begins_under_the_bundle_in_force(tmp_path: Path) -> None:
    law = LawInForce(Law(CATALOGUE), FakeClock())
    law.replace(law.now, bundle(4))
    order = await order_of(tmp_path, law)
    begun = law_to_begin_with(
        settings(tmp_path), FakeClock(), bundle=order.get("bundle"), catalogue=None
    )
    assert begun.now.serial == 4
    assert begun.bundle == bundle(4)


async def test_it_begins_under_the_catalogue_that_the_dispatcher_read(tmp_path: Path) -> None:
    """The file may be another one by the time that a worker is replaced."""
    other = CATALOGUE.model_copy(update={"version": "2001-01-01.1"})
    order = await order_of(tmp_path, LawInForce(Law(other), FakeClock()))
    begun = law_to_begin_with(
        settings(tmp_path), FakeClock(), bundle=None, catalogue=order["catalogue"]
    )
    assert begun.now == Law(other)


@pytest.mark.parametrize("raw", [forged(bundle(4)), bundle(4, key=STRANGER)])
def test_it_verifies_the_bundle_it_begins_with_itself(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(BundleRefused):
        law_to_begin_with(settings(tmp_path), FakeClock(), bundle=raw.decode(), catalogue=None)


async def test_its_answer_says_that_whoever_decides_was_told(tmp_path: Path) -> None:
    law = LawInForce(Law(CATALOGUE), FakeClock())
    reviewed: list[int] = []
    law.on_change.append(lambda law: reviewed.append(law.serial))
    told = ToldLaw(law, settings(tmp_path))
    await told.take(bundle(2))
    assert (law.now.serial, law.bundle, reviewed) == (2, bundle(2), [2])
    await told.take(bundle(2))
    assert reviewed == [2]


@pytest.mark.parametrize("raw", [forged(bundle(9)), bundle(1), b"?"])
async def test_it_takes_no_bundle_that_a_dispatcher_should_not_send(
    tmp_path: Path, raw: bytes
) -> None:
    law = LawInForce(Law(CATALOGUE), FakeClock())
    told = ToldLaw(law, settings(tmp_path))
    await told.take(bundle(2))
    with pytest.raises(EdgeRefusal, match="bad_request"):
        await told.take(raw)
    assert law.now.serial == 2


async def test_without_keys_it_takes_none(tmp_path: Path) -> None:
    told = ToldLaw(LawInForce(Law(CATALOGUE), FakeClock()), settings(tmp_path, policy=None))
    with pytest.raises(EdgeRefusal, match="bad_request"):
        await told.take(bundle(1))


@given(now=st.floats(min_value=0, max_value=4e9))
@example(now=20_000 * 86_400.0 - 30.0)
@example(now=20_000 * 86_400.0 - 0.5)
@example(now=20_000 * 86_400.0)
def test_midnight_utc_is_never_slept_through_and_a_minute_neither(now: float) -> None:
    seconds = seconds_to_review(now)
    assert 0 < seconds <= REVIEW_SECONDS
    assert (now + seconds) // DAY_SECONDS - now // DAY_SECONDS <= 1
    if now % DAY_SECONDS >= DAY_SECONDS - REVIEW_SECONDS:
        assert now + seconds == pytest.approx(
            (now // DAY_SECONDS + 1) * DAY_SECONDS, rel=0, abs=1e-3
        )


async def test_calls_are_asked_for_again_without_any_new_law(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.policy_told.REVIEW_SECONDS", 0.0)
    happened: list[str] = []
    enough = asyncio.Event()

    def review() -> None:
        happened.append("review")

    async def settle() -> None:
        happened.append("settle")
        if len(happened) >= 4:
            enough.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        running = group.create_task(review_daily(review, settle, FakeClock()))
        await enough.wait()
        running.cancel()
    assert happened[:4] == ["review", "settle"] * 2
