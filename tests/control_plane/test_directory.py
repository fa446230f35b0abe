from __future__ import annotations

import pytest

from control_plane.contract import DEAD_SECONDS, SUSPECT_SECONDS
from control_plane.directory import FORGET_SECONDS, Directory, Health
from control_plane.errors import StaleBeat, TooManyNodes
from tests.control_plane.helpers import heartbeat
from tests.fakes.clock import FakeClock

REGION = "eu-central-1"


def only(directory: Directory) -> tuple[Health, int, int]:
    (view,) = directory.nodes(REGION)
    return view.health, view.active, view.in_flight


def test_a_node_is_suspect_at_two_and_a_half_seconds_and_dead_at_five() -> None:
    clock = FakeClock()
    directory = Directory(clock)
    directory.beat(heartbeat())
    beaten = clock.monotonic()
    seen = []
    for age in (0.0, SUSPECT_SECONDS - 0.1, SUSPECT_SECONDS, DEAD_SECONDS - 0.1, DEAD_SECONDS):
        clock.advance(beaten + age - clock.monotonic())
        seen.append(only(directory)[0])
    assert seen == [Health.LIVE, Health.LIVE, Health.SUSPECT, Health.SUSPECT, Health.DEAD]


def test_a_dead_node_is_live_again_with_its_next_beat() -> None:
    clock = FakeClock()
    directory = Directory(clock)
    directory.beat(heartbeat(sequence=1))
    clock.advance(DEAD_SECONDS)
    directory.beat(heartbeat(sequence=2, active=3))
    assert only(directory) == (Health.LIVE, 3, 0)


@pytest.mark.parametrize("sequence", [1, 5])
def test_a_repeated_or_older_sequence_of_a_boot_is_refused(sequence: int) -> None:
    directory = Directory(FakeClock())
    directory.beat(heartbeat(sequence=5, active=1))
    with pytest.raises(StaleBeat):
        directory.beat(heartbeat(sequence=sequence, active=9))
    assert only(directory)[1] == 1


def test_a_stale_beat_does_not_keep_a_node_alive() -> None:
    clock = FakeClock()
    directory = Directory(clock)
    directory.beat(heartbeat(sequence=5))
    clock.advance(DEAD_SECONDS)
    with pytest.raises(StaleBeat):
        directory.beat(heartbeat(sequence=5))
    assert only(directory)[0] is Health.DEAD


def test_a_new_boot_starts_over_and_the_former_one_is_ignored_for_good() -> None:
    directory = Directory(FakeClock())
    directory.beat(heartbeat(boot="boot-one-1", sequence=90, active=7))
    directory.placed(REGION, f"{REGION}-a")
    directory.beat(heartbeat(boot="boot-two-2", sequence=0, active=0))
    assert only(directory) == (Health.LIVE, 0, 0)
    with pytest.raises(StaleBeat):
        directory.beat(heartbeat(boot="boot-one-1", sequence=91, active=7))
    directory.beat(heartbeat(boot="boot-two-2", sequence=1, active=1))
    assert only(directory)[1] == 1


def test_own_placements_count_at_once_and_fade_with_each_beat() -> None:
    directory = Directory(FakeClock())
    directory.beat(heartbeat(sequence=1))
    for _ in range(5):
        directory.placed(REGION, f"{REGION}-a")
    counts = [only(directory)[2]]
    for sequence in (2, 3, 4):
        directory.beat(heartbeat(sequence=sequence))
        counts.append(only(directory)[2])
    assert counts == [5, 2, 1, 0]


def test_placing_on_a_node_that_is_gone_is_harmless() -> None:
    directory = Directory(FakeClock())
    directory.placed(REGION, "nobody")
    assert directory.nodes(REGION) == ()


def test_two_regions_may_use_one_name_without_meeting() -> None:
    directory = Directory(FakeClock())
    directory.beat(heartbeat("eu-central-1", node="a", active=1))
    directory.beat(heartbeat("ap-south-1", node="a", active=2, boot="boot-two-2"))
    assert [directory.nodes(r)[0].active for r in directory.regions()] == [1, 2]


def test_a_region_with_its_fill_of_living_nodes_takes_no_more_and_others_are_untouched() -> None:
    directory = Directory(FakeClock(), nodes_per_region=2)
    directory.beat(heartbeat(node="a"))
    directory.beat(heartbeat(node="b"))
    with pytest.raises(TooManyNodes):
        directory.beat(heartbeat(node="c"))
    directory.beat(heartbeat("ap-south-1", node="c"))
    assert {view.node for view in directory.nodes(REGION)} == {"a", "b"}


def test_a_dead_node_makes_room_for_a_new_one() -> None:
    clock = FakeClock()
    directory = Directory(clock, nodes_per_region=2)
    directory.beat(heartbeat(node="a"))
    clock.advance(DEAD_SECONDS)
    directory.beat(heartbeat(node="b"))
    directory.beat(heartbeat(node="c"))
    assert {view.node for view in directory.nodes(REGION)} == {"b", "c"}


def test_dead_nodes_stay_visible_for_a_while_and_are_then_forgotten() -> None:
    clock = FakeClock()
    directory = Directory(clock)
    directory.beat(heartbeat())
    clock.advance(FORGET_SECONDS - 1)
    directory.forget_dead()
    assert only(directory)[0] is Health.DEAD
    clock.advance(1)
    directory.forget_dead()
    assert directory.nodes(REGION) == ()


def test_a_replica_is_warm_one_beat_after_it_started() -> None:
    clock = FakeClock()
    directory = Directory(clock)
    assert not directory.warm
    clock.advance(1.0)
    assert directory.warm


def test_a_node_is_on_its_policy_since_the_beat_that_first_said_so() -> None:
    clock = FakeClock()
    directory = Directory(clock)
    began = clock.monotonic()
    directory.beat(heartbeat(sequence=1, policy="1#one", serial=1))
    clock.advance(10)
    directory.beat(heartbeat(sequence=2, policy="1#one", serial=1))
    (view,) = directory.nodes(REGION)
    assert (view.serial, view.policy_since) == (1, began)
    directory.beat(heartbeat(sequence=3, policy="1#two", serial=2))
    clock.advance(10)
    directory.beat(heartbeat(boot="boot-two-2", sequence=1, policy="1#two", serial=2))
    (view,) = directory.nodes(REGION)
    assert (view.serial, view.policy_since) == (2, began + 10)
