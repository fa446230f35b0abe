"""When a machine tells its group what."""

from __future__ import annotations

import pytest

from inland.fleet.lifecycle import (
    BEAT_SECONDS,
    GRACE_SECONDS,
    LAUNCH_SECONDS,
    Act,
    Lifecycle,
    Plan,
    Protection,
    Seen,
    Unit,
    Wanted,
)

EDGE = Plan(drain_seconds=900, named=True, waits=False)
RELAY = Plan(drain_seconds=900, named=False, waits=True)


def seen(
    target: str | None = "InService",
    *,
    unit: Unit = Unit.RUNNING,
    ready: bool = False,
    live: int | None = 0,
    spot: bool = False,
) -> Seen:
    return Seen(target, spot, unit, ready, live)


def do(lifecycle: Lifecycle, view: Seen, now: float) -> tuple[Act, ...]:
    """What is asked for; all of it succeeds."""
    acts = lifecycle.next(view, now)
    for act in acts:
        lifecycle.done(act, now)
    return acts


def test_a_ready_node_gets_its_address_before_the_group_is_told() -> None:
    lifecycle = Lifecycle(EDGE)
    assert lifecycle.next(seen(ready=True), 0) == (Act.PUT_RECORD,)
    assert lifecycle.next(seen(ready=True), 1) == (Act.PUT_RECORD,), "until it has succeeded"
    lifecycle.done(Act.PUT_RECORD, 1)
    assert not lifecycle.serving
    assert do(lifecycle, seen(ready=True), 2) == (Act.COMPLETE_LAUNCH,)
    assert lifecycle.serving
    assert do(lifecycle, seen(ready=True), 3) == ()


def test_a_node_that_is_not_ready_asks_for_time_once_a_minute() -> None:
    lifecycle = Lifecycle(EDGE)
    beats = [now for now in range(0, 300, 5) if do(lifecycle, seen(), now) == (Act.BEAT_LAUNCH,)]
    assert beats == [0, 60, 120, 180, 240]


def test_a_node_that_never_gets_ready_gives_itself_up_once() -> None:
    lifecycle = Lifecycle(EDGE)
    do(lifecycle, seen(), 0)
    assert Act.ABANDON_LAUNCH not in do(lifecycle, seen(), LAUNCH_SECONDS - 1)
    assert do(lifecycle, seen(), LAUNCH_SECONDS) == (Act.ABANDON_LAUNCH,)
    assert do(lifecycle, seen(ready=True), LAUNCH_SECONDS + 5) == ()
    assert not lifecycle.serving


@pytest.mark.parametrize("state", ["Warmed:Stopped", "Warmed:Running", "Warmed:Hibernated"])
def test_a_machine_being_warmed_is_done_when_installed_and_has_no_address(state: str) -> None:
    lifecycle = Lifecycle(EDGE)
    assert do(lifecycle, seen(state), 0) == (Act.COMPLETE_LAUNCH,)
    assert do(lifecycle, seen(state), 5) == ()
    assert not lifecycle.serving


def test_a_warm_machine_that_is_wanted_launches_again() -> None:
    lifecycle = Lifecycle(EDGE)
    do(lifecycle, seen("Warmed:Running"), 0)
    assert do(lifecycle, seen(ready=True), 5) == (Act.PUT_RECORD,)
    assert do(lifecycle, seen(ready=True), 6) == (Act.COMPLETE_LAUNCH,)


def test_a_machine_outside_of_a_group_has_an_address_and_nobody_to_tell() -> None:
    lifecycle = Lifecycle(EDGE)
    assert do(lifecycle, seen(None, ready=True), 0) == (Act.PUT_RECORD,)
    assert do(lifecycle, seen(None, ready=True), 5) == ()
    assert do(Lifecycle(EDGE), seen(None), LAUNCH_SECONDS * 2) == ()


def test_a_terminated_node_loses_its_address_drains_and_waits_for_its_calls() -> None:
    lifecycle = Lifecycle(EDGE)
    do(lifecycle, seen(ready=True), 0)
    do(lifecycle, seen(ready=True), 5)
    end = "Terminated"
    first = do(lifecycle, seen(end, live=3), 10)
    assert first == (Act.DELETE_RECORD, Act.DRAIN, Act.BEAT_TERMINATE)
    assert not lifecycle.serving
    draining = seen(end, unit=Unit.STOPPING, live=3)
    assert do(lifecycle, draining, 15) == ()
    assert do(lifecycle, draining, 10 + BEAT_SECONDS) == (Act.BEAT_TERMINATE,)
    assert do(lifecycle, seen(end, unit=Unit.STOPPED, live=None), 80) == (Act.COMPLETE_TERMINATE,)
    assert do(lifecycle, seen(end, unit=Unit.STOPPED, live=None), 85) == ()


def test_an_agent_restarted_in_mid_drain_neither_drains_again_nor_lets_go() -> None:
    restarted = Lifecycle(EDGE)
    acts = restarted.next(seen("Terminated", unit=Unit.STOPPING, live=2), 0)
    assert acts == (Act.DELETE_RECORD, Act.BEAT_TERMINATE)


def test_a_drain_that_does_not_end_is_cut_short_after_its_time_and_some_grace() -> None:
    lifecycle = Lifecycle(EDGE)
    stuck = seen("Terminated", unit=Unit.STOPPING, live=2)
    do(lifecycle, stuck, 0)
    limit = EDGE.drain_seconds + GRACE_SECONDS
    assert Act.COMPLETE_TERMINATE not in do(lifecycle, stuck, limit - 1)
    assert Act.COMPLETE_TERMINATE in do(lifecycle, stuck, limit)


@pytest.mark.parametrize("state", ["Standby", "Detached"])
def test_standby_and_detached_drain_and_ask_nobody(state: str) -> None:
    lifecycle = Lifecycle(EDGE)
    assert do(lifecycle, seen(state), 0) == (Act.DELETE_RECORD, Act.DRAIN)
    assert do(lifecycle, seen(state, unit=Unit.STOPPED), 100) == ()


def test_a_spot_notice_drains_at_once_and_the_group_is_told_when_it_asks() -> None:
    lifecycle = Lifecycle(EDGE)
    do(lifecycle, seen(ready=True), 0)
    assert do(lifecycle, seen(spot=True, ready=True), 5) == (Act.DELETE_RECORD, Act.DRAIN)
    gone = seen("Terminated", spot=True, unit=Unit.STOPPED)
    assert do(lifecycle, gone, 60) == (Act.COMPLETE_TERMINATE,)


def test_a_relay_is_stopped_only_when_nobody_uses_it_or_its_time_is_up() -> None:
    for view, now in ((seen("Terminated", live=0), 5), (seen("Terminated", live=2), 900)):
        lifecycle = Lifecycle(RELAY)
        assert do(lifecycle, seen("Terminated", live=2), 0) == (Act.BEAT_TERMINATE,)
        assert do(lifecycle, seen("Terminated", live=None), 4) == ()
        assert Act.DRAIN in do(lifecycle, view, now)


def test_a_state_that_nobody_knows_changes_nothing() -> None:
    assert seen("Pondering").wanted is Wanted.UNKNOWN
    assert do(Lifecycle(EDGE), seen("Pondering", ready=True), 0) == ()


def test_a_node_is_protected_as_soon_as_it_has_a_call_and_only_once() -> None:
    protection = Protection()
    assert protection.change(1, 0) is True
    protection.done(True)
    assert protection.change(2, 10) is None


def test_a_node_loses_its_protection_after_a_minute_without_calls() -> None:
    protection = Protection()
    protection.done(True)
    assert protection.change(1, 0) is None
    assert protection.change(0, 59) is None
    assert protection.change(1, 59) is None, "a call in between counts"
    assert protection.change(0, 118) is None
    assert protection.change(0, 119) is False
    protection.done(False)
    assert protection.change(0, 200) is None


def test_protection_stays_as_it_is_while_nobody_knows_how_many_calls_there_are() -> None:
    protection = Protection()
    protection.done(True)
    protection.change(1, 0)
    assert protection.change(None, 600) is None


def test_an_idle_node_whose_agent_was_restarted_is_freed_after_a_minute() -> None:
    protection = Protection()
    assert protection.change(0, 0) is None
    assert protection.change(0, 60) is False
