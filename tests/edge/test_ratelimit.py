"""A name has its rate and its burst; the table is bounded."""

from __future__ import annotations

from edge.ratelimit import Buckets
from tests.fakes.clock import FakeClock


def test_burst_is_given_at_once_and_the_rate_afterwards() -> None:
    clock = FakeClock()
    buckets = Buckets(clock, per_second=1.0, burst=5, limit=10)
    assert [buckets.take("a") for _ in range(6)] == [True] * 5 + [False]
    assert buckets.take("b"), "another name pays for this one"
    clock.advance(0.5)
    assert not buckets.take("a")
    clock.advance(0.5)
    assert [buckets.take("a") for _ in range(2)] == [True, False]
    clock.advance(1e6)
    assert [buckets.take("a") for _ in range(6)] == [True] * 5 + [False]


def test_table_forgets_who_came_longest_ago() -> None:
    buckets = Buckets(FakeClock(), per_second=1.0, burst=1, limit=2)
    assert buckets.take("a") and buckets.take("b")
    assert not buckets.take("a")  # now b is the oldest
    assert buckets.take("c")
    assert len(buckets) == 2
    assert not buckets.take("a")
    assert buckets.take("b")
