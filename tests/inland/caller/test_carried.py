"""A caller whose region is gone takes the conversation to another one that may have it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inland.caller.edge_events import ReplicaPart
from inland.caller.errors import ServiceError
from inland.caller.options import CallOptions
from inland.caller.records import CallerHeard, Note, Record
from inland.caller.replica import MAX_REPLICA, ReplicaKeeper
from tests.fakes.talking_edge import World
from tests.inland.caller.test_session import PLAN, call, die_when, script

APART = ("eu-central-1-a", "eu-west-1-a", "ap-south-1-a")
DE, IE = "http://eu-central-1-a", "http://eu-west-1-a"


def carried(*regions: str, nodes: tuple[str, ...] = APART) -> World:
    world = World(PLAN, nodes)
    world.carried_to = regions
    return world


async def test_a_lost_region_is_left_with_the_newest_replica_and_a_fresh_token() -> None:
    world = carried("eu-west-1")
    report = await call(
        world, script("book\nmonday\nnine"), on_record=die_when(world, CallerHeard, 2)
    )
    (reconnect,) = report.reconnects
    assert (reconnect.carried_from, reconnect.to_node) == ("eu-central-1", "eu-west-1-a")
    assert world.replicas == [("eu-west-1-a", "eu-central-1:3")]
    assert (report.end_reason, report.exit_status) == ("completed", 0)
    assert world.routes == 2
    assert world.offers == [(DE, "route-1"), (DE, "resume-1"), (IE, "route-1")], (
        "its own region is tried first; another cannot read its resume token"
    )


async def test_a_node_that_came_up_in_its_own_region_is_asked_before_any_other_region() -> None:
    world = carried("eu-west-1", nodes=("eu-central-1-a", "eu-central-1-b", "eu-west-1-a"))
    hidden = world.edges.pop("http://eu-central-1-b")

    def watch(record: Record) -> None:
        die_when(world, CallerHeard)(record)
        if isinstance(record, Note) and hidden.url not in world.edges:
            world.edges[hidden.url] = hidden

    report = await call(world, script("book\nmonday"), on_record=watch)
    (reconnect,) = report.reconnects
    assert (reconnect.carried_from, reconnect.to_node) == (None, "eu-central-1-b")
    assert world.replicas == []


async def test_an_edge_that_takes_over_and_offers_nothing_ends_the_carrying() -> None:
    """What an earlier edge sealed is old by then: it would rewind the conversation."""
    world = carried("eu-west-1", nodes=("eu-central-1-a", "eu-central-1-b", "eu-west-1-a"))
    first, second, other = world.edges.values()

    def watch(record: Record) -> None:
        if isinstance(record, CallerHeard) and len(world.peers) == 1:
            first.die()
            world.carried_to = ()
        if isinstance(record, CallerHeard) and len(world.peers) > 1:
            second.die()
            other.refuses = ServiceError("the edge", 401, "bad_token", "not of this region")

    report = await call(world, script("book\nmonday\nnine"), on_record=watch)
    assert [each.to_node for each in report.reconnects] == ["eu-central-1-b"]
    assert (report.end_reason, world.replicas) == ("lost", [])


async def test_no_replica_goes_where_it_is_not_sealed_for() -> None:
    world = carried("me-central-1")
    report = await call(world, script("book\nmonday"), on_record=die_when(world, CallerHeard))
    assert (report.end_reason, report.exit_status) == ("lost", 4)
    assert world.replicas == []
    assert {edge for edge, _ in world.offers} == {DE}


async def test_a_caller_who_carries_nothing_is_told_to_call_anew() -> None:
    world = carried()
    for edge in list(world.edges.values())[1:]:
        edge.refuses = ServiceError("the edge", 401, "bad_token", "not of this region")
    report = await call(world, script("book\nmonday"), on_record=die_when(world, CallerHeard))
    assert (report.end_reason, report.exit_status) == ("lost", 4)
    notes = [record.text for record in report.records if isinstance(record, Note)]
    assert notes[-1] == "the conversation cannot go on anywhere: call anew"


@pytest.mark.parametrize(
    "code", ["bad_replica", "replica_expired", "replica_mismatch", "replica_used"]
)
async def test_a_replica_that_was_refused_for_good_is_not_shown_again(code: str) -> None:
    world = carried("eu-west-1")
    world.spent = ServiceError("the edge", 409, code, "call anew")
    report = await call(world, script("book\nmonday"), on_record=die_when(world, CallerHeard))
    assert report.end_reason == "lost"
    assert len(world.replicas) == 1


async def test_a_region_that_may_not_have_the_call_sends_it_on() -> None:
    world = carried("eu-west-1")
    report = await call(world, script("book\nmonday\nnine"), on_record=moving(world))
    (reconnect,) = report.reconnects
    assert reconnect.carried_from == "eu-central-1"
    assert {"type": "inland.call.moving", "number": 3} in world.peers[0].sent
    assert world.offers == [(DE, "route-1"), (IE, "route-1")], "nobody asks the old region again"
    assert report.exit_status == 0


async def test_a_move_without_reconnect_is_not_answered() -> None:
    world = carried("eu-west-1")
    options = CallOptions(reconnect=False)
    await call(world, script("book"), options, on_record=moving(world))
    assert len(world.offers) == 1
    assert not any(event["type"] == "inland.call.moving" for event in world.peers[0].sent)


async def test_a_move_that_leads_nowhere_ends_with_the_law_as_the_reason() -> None:
    world = carried("eu-west-1")
    world.spent = ServiceError("the edge", 409, "replica_used", "call anew")
    report = await call(world, script("book\nmonday\nnine"), on_record=moving(world))
    assert (report.end_reason, report.exit_status) == ("policy", 4)


async def test_an_edge_that_offers_nothing_to_carry_is_asked_for_nothing() -> None:
    world = carried()
    await call(world, script("book\nmonday\nnine"))
    assert not any(event["type"] == "inland.carry" for event in world.peers[0].sent)


def moving(world: World) -> Callable[[Record], None]:
    """The edge sends the call away once the caller was heard."""

    def watch(record: Record) -> None:
        if isinstance(record, CallerHeard) and len(world.peers) == 1:
            assert world.edge.call is not None
            world.edge.call.move()

    return watch


def part(number: int, at: int, of: int, data: str = "x") -> ReplicaPart:
    return ReplicaPart(
        type="inland.replica", number=number, turn=number, part=at, parts=of,
        regions=("eu-west-1",), data=data,
    )  # fmt: skip


class TestKeeper:
    def test_what_is_not_whole_does_not_replace_what_is(self) -> None:
        keeper = ReplicaKeeper()
        for each in (part(1, 1, 2, "a"), part(1, 2, 2, "b"), part(2, 1, 2, "c")):
            keeper.feed(each)
        assert keeper.held is not None and (keeper.held.number, keeper.held.text) == (1, "ab")
        keeper.feed(part(2, 2, 2, "d"))
        assert (keeper.held.number, keeper.held.text) == (2, "cd")

    @pytest.mark.parametrize(
        "parts",
        [
            (part(1, 2, 2),),
            (part(1, 1, 3), part(1, 3, 3)),
            (part(1, 1, 2), part(2, 2, 2)),
            tuple(part(1, at, 17, "x" * (MAX_REPLICA // 16)) for at in range(1, 18)),
        ],
        ids=["no beginning", "a gap", "two replicas", "too long"],
    )
    def test_parts_that_do_not_fit_together_are_no_replica(
        self, parts: tuple[ReplicaPart, ...]
    ) -> None:
        keeper = ReplicaKeeper()
        for each in parts:
            keeper.feed(each)
        assert keeper.held is None

    def test_an_edge_can_take_it_back(self) -> None:
        keeper = ReplicaKeeper()
        keeper.feed(part(1, 1, 1))
        keeper.feed(part(2, 0, 0))
        assert keeper.held is None

    def test_another_leg_counts_anew_and_keeps_what_is_whole(self) -> None:
        keeper = ReplicaKeeper()
        keeper.feed(part(7, 1, 1, "whole"))
        keeper.feed(part(8, 1, 2, "half"))
        keeper.new_leg()
        keeper.feed(part(8, 2, 2, "other"))
        assert keeper.held is not None and keeper.held.text == "whole"
        keeper.feed(part(1, 1, 1, "newer"))
        assert keeper.held.text == "newer"
