"""Every timer in one heap."""

from __future__ import annotations

import random

from edge.transport.sip.core.timers import Timers
from tests.fakes.clock import FakeClock


def test_timers_fire_in_order_of_their_time_and_then_of_their_making() -> None:
    clock, fired = FakeClock(), list[str]()
    timers = Timers(clock)
    for name, seconds in (("c", 2.0), ("a", 1.0), ("b", 1.0), ("d", 3.0)):
        timers.after(seconds, lambda name=name: fired.append(name))  # type: ignore[misc]
    clock.advance(2.0)
    timers.run()
    assert fired == ["a", "b", "c"]
    assert (len(timers), timers.deadline) == (1, clock.monotonic() + 1.0)


def test_a_cancelled_timer_never_fires_and_is_no_deadline() -> None:
    clock, fired = FakeClock(), list[str]()
    timers = Timers(clock)
    first = timers.after(1.0, lambda: fired.append("first"))
    timers.after(2.0, lambda: fired.append("second"))
    first.cancel()
    first.cancel()
    assert (len(timers), timers.deadline, first.pending) == (1, clock.monotonic() + 2.0, False)
    clock.advance(5.0)
    timers.run()
    assert (fired, len(timers), timers.deadline) == (["second"], 0, None)


def test_a_timer_may_cancel_another_that_is_due_with_it() -> None:
    clock, fired = FakeClock(), list[str]()
    timers = Timers(clock)
    timers.after(1.0, lambda: second.cancel())
    second = timers.after(1.0, lambda: fired.append("second"))
    clock.advance(1.0)
    timers.run()
    assert (fired, len(timers)) == ([], 0)


def test_a_timer_that_is_made_while_others_fire_fires_with_them_when_due() -> None:
    clock, fired = FakeClock(), list[str]()
    timers = Timers(clock)

    def outer() -> None:
        timers.after(0.0, lambda: fired.append("inner"))

    timers.after(1.0, outer)
    clock.advance(1.0)
    timers.run()
    assert fired == ["inner"]


def test_a_nearer_deadline_is_announced_and_a_later_one_is_not() -> None:
    clock, announced = FakeClock(), list[float | None]()
    timers = Timers(clock)
    timers.on_change = lambda: announced.append(timers.deadline)
    timers.after(5.0, lambda: None)
    timers.after(9.0, lambda: None)
    timers.after(1.0, lambda: None)
    start = clock.monotonic()
    assert announced == [start + 5.0, start + 1.0]


def test_what_is_left_after_many_were_cancelled_still_fires_in_order() -> None:
    clock, fired = FakeClock(), list[int]()
    timers = Timers(clock)
    order = random.Random(1).sample(range(1_000), 1_000)
    made = {n: timers.after(float(n), lambda n=n: fired.append(n)) for n in order}  # type: ignore[misc]
    for number in order[:850]:
        made[number].cancel()
    clock.advance(1_000.0)
    timers.run()
    assert fired == sorted(order[850:])


def test_cancelled_timers_do_not_pile_up_until_they_are_due() -> None:
    timers = Timers(FakeClock())
    timers.after(3600.0, lambda: None)
    for _ in range(10_000):
        timers.after(32.0, lambda: None).cancel()
    assert len(timers) == 1
    assert len(timers._heap) < 200
