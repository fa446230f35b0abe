"""The budget that tells a burst from a flood."""

from __future__ import annotations

from edge.transport.rtp.budget import FLOOD_AFTER, Budget


def test_a_budget_refills_with_time_and_never_beyond_its_burst() -> None:
    budget = Budget(2, 2)
    assert [budget.take(1, 0.0) for _ in range(3)] == [True, True, False]
    assert budget.take(1, 0.5)
    assert not budget.take(1, 0.5)
    assert [budget.take(1, 100.0) for _ in range(3)] == [True, True, False]
    assert budget.refused == 3


def test_an_excess_is_a_flood_only_when_it_goes_on() -> None:
    budget = Budget(10, 10)
    times = [number / 100 for number in range(int(FLOOD_AFTER * 100) + 300)]
    flooded_at = next(at for at in times if not budget.take(1, at) and budget.flooded)
    assert FLOOD_AFTER <= flooded_at < FLOOD_AFTER + 1


def test_bursts_with_pauses_between_them_are_no_flood() -> None:
    budget = Budget(10, 10)
    for burst in range(60):
        for _ in range(20):
            budget.take(1, burst * 1.5)
    assert budget.refused > 100
    assert not budget.flooded
