"""A client that can carry always has the newest conversation, for lawful regions, and no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from edge.carrying import CHUNK, LIFETIME_SECONDS, Carrier
from edge.events import ToolRecord
from edge.ledger import Entry, Ledger
from edge.realtime import Event
from edge.session.account import Books, Notary
from edge.session.contents import Contents, LiveContents
from edge.session.history import PendingTool
from edge.session.journal import Journal
from edge.session.keys import LocalKeyFile
from edge.session.replica import MAX_REPLICA, ReplicaKey
from edge.session.replica_regions import CARRIED
from edge.session.sqlite import SqliteStore
from edge.transport.webrtc.channel import MAX_EVENT_BYTES
from inland.caller.edge_events import MoveOrder, ReplicaPart, parse_event
from inland.caller.replica import HeldReplica, ReplicaKeeper
from regions.catalogue import load_catalogue
from regions.law import Law
from regions.models import DataClass, Operation, TenantPolicy
from regions.policy import day_of
from tests.edge.session.parts import (
    EU,
    HOST,
    NOW,
    RECEIPTS,
    STORE,
    books,
    key_file,
    tag_for,
    turn,
)
from tests.edge.session.parts import ManualClock as Clock

IE, SE, IN = "eu-west-1", "eu-north-1", "ap-south-1"
CATALOGUE = load_catalogue()
HANG_SECONDS = 60.0


class Stage:
    """One call's carrier, and a client that keeps what it is sent."""

    def __init__(self, folder: Path, regions: tuple[str, ...] = (EU, IE)) -> None:
        self.keys = {name: ReplicaKey.of(key_file(folder, name)) for name in (EU, IE, SE, IN)}
        self.clock = Clock()
        self.law = Law(CATALOGUE, {}, self.public())
        self.live = LiveContents()
        self.ledger = Ledger(self.clock)
        self.sent: list[Event] = []
        self.keeper = ReplicaKeeper()
        self.told = asyncio.Event()
        ends = dict.fromkeys((DataClass.TRANSCRIPT, DataClass.VARIABLES), int(NOW) + 3600)
        self.notary = Notary(self.ledger, RECEIPTS, dict.fromkeys(CARRIED, regions))
        self.journal = SimpleNamespace(
            tag=tag_for(regions=regions),
            ends=ends,
            live=None,
            books=Books(self.notary, HOST, STORE),
        )
        self.carrier = Carrier(
            cast(Journal, self.journal), self.live, "reception", self.keys[EU], lambda: self.law,
            self.ledger, self.clock, self.receive,
        )  # fmt: skip

    def public(self, *names: str) -> dict[str, bytes]:
        return {name: self.keys[name].public for name in names or self.keys}

    def receive(self, event: Event) -> None:
        self.sent.append(event)
        read = parse_event(event)
        if isinstance(read, ReplicaPart):
            self.keeper.feed(read)
        self.told.set()

    @property
    def held(self) -> HeldReplica:
        assert self.keeper.held is not None
        return self.keeper.held

    def opened(self, region: str = IE) -> Contents:
        key = self.keys[region]
        return key.open(key.verify(self.held.text, self.law.replica_keys, now=NOW)).contents

    def lines(self) -> dict[tuple[str, str], Entry]:
        return {
            (each.place.region, each.data_class.value): each
            for each in self.ledger.entries
            if each.operation is Operation.REPLICATE
        }

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANG_SECONDS):
            while not happened():
                self.told.clear()
                await self.told.wait()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_nobody_who_did_not_ask_is_given_anything(stage: Stage) -> None:
    stage.live.committed(turn(1), {"step": "one"})
    assert stage.carrier.flush() == 0
    assert stage.sent == []
    assert stage.ledger.entries == ()


async def test_who_asks_is_given_what_there_is_by_then(stage: Stage) -> None:
    stage.live.committed(turn(1), {"step": "one"})
    stage.carrier.want()
    assert stage.carrier.flush() == len(stage.held.text)
    assert stage.opened() == Contents((turn(1),), {"step": "one"}, ())
    assert (stage.held.turn, stage.held.regions) == (1, (IE,))


async def test_before_the_first_turn_there_is_nothing_to_carry(stage: Stage) -> None:
    stage.carrier.want()
    assert stage.carrier.flush() == 0
    assert stage.sent == []


async def test_the_same_is_not_sent_twice(stage: Stage) -> None:
    stage.carrier.want()
    stage.live.committed(turn(1), None)
    assert stage.carrier.flush() > 0
    assert stage.carrier.flush() == 0


async def test_it_goes_out_by_itself_after_each_turn(stage: Stage) -> None:
    stage.carrier.want()
    running = asyncio.create_task(stage.carrier.run())
    for number in (1, 2):
        stage.live.committed(turn(number), {"step": number})
        await stage.until(lambda: stage.keeper.held is not None and stage.held.turn == number)  # noqa: B023
    assert stage.opened().state == {"step": 2}
    running.cancel()


async def test_what_knows_of_a_tool_call_is_on_its_way_before_the_call_is_made(
    stage: Stage,
) -> None:
    """And what knows of its result before that is told: nothing is left to a task's turn."""
    stage.carrier.want()
    stage.live.committed(turn(1), {"step": "one"})
    assert stage.sent == []
    stage.live.tool_pending("s:2:1", "book", {"day": "monday"})
    assert stage.opened().tools == (PendingTool("s:2:1", "book", {"day": "monday"}),)
    stage.live.committed(turn(2), {"step": "calling"})
    assert stage.opened().state == {"step": "calling"}
    settled = ToolRecord("s:2:1", "book", {"day": "monday"}, True, {"id": 7})
    stage.live.tool_settled(settled)
    assert stage.opened().tools == (settled,)
    assert stage.held.number == 3


async def test_what_follows_closely_goes_out_once(stage: Stage) -> None:
    stage.carrier.want()
    for number in range(1, 6):
        stage.live.committed(turn(number), None)
    running = asyncio.create_task(stage.carrier.run())
    await stage.until(lambda: stage.keeper.held is not None)
    assert (stage.held.number, stage.held.turn) == (1, 5)
    running.cancel()


async def test_every_part_fits_into_an_event(stage: Stage) -> None:
    stage.carrier.want()
    noise = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(15_000))
    stage.live.committed(turn(1, noise), {"step": "one"})
    stage.carrier.flush()
    assert stage.held.text and len(stage.held.text) > CHUNK
    assert stage.opened().turns == (turn(1, noise),)
    assert len(stage.sent) == -(-len(stage.held.text) // CHUNK)
    for event in stage.sent:
        assert len(json.dumps(event, separators=(",", ":")).encode()) < MAX_EVENT_BYTES


async def test_a_conversation_that_got_too_long_is_taken_back(stage: Stage) -> None:
    stage.carrier.want()
    stage.live.committed(turn(1), None)
    stage.carrier.flush()
    noise = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(MAX_REPLICA // 2))
    stage.live.committed(turn(2, noise), None)
    assert stage.carrier.flush() == 0
    assert stage.keeper.held is None, "nobody goes on from an old moment by mistake"
    stage.live.committed(turn(3), None)
    before = len(stage.sent)
    stage.carrier.flush()
    assert len(stage.sent) == before, "that is told once"


class TestTargets:
    @pytest.mark.parametrize(
        ("keys", "contract", "expected"),
        [
            ((EU, IE, SE, IN), TenantPolicy(), (IE, SE)),
            ((EU, IE), TenantPolicy(), (IE,)),
            ((EU, IE, SE), TenantPolicy(deny=(IE,)), (SE,)),
            ((EU,), TenantPolicy(), ()),
            ((IE, SE), TenantPolicy(), ()),
            ((EU, IE, SE), TenantPolicy(regions=(EU,)), ()),
        ],
        ids=["law", "keys", "contract", "no other key", "no key of our own", "one region alone"],
    )
    async def test_it_is_sealed_for(
        self,
        tmp_path: Path,
        keys: tuple[str, ...],
        contract: TenantPolicy,
        expected: tuple[str, ...],
    ) -> None:
        stage = Stage(tmp_path, (EU, IE, SE, IN))
        stage.law = Law(CATALOGUE, {"clinic": contract}, stage.public(*keys))
        assert bool(stage.carrier.targets()) == bool(expected)
        stage.carrier.want()
        stage.live.committed(turn(1), None)
        stage.carrier.flush()
        found = () if stage.keeper.held is None else stage.held.regions
        assert {*found} == {*expected}
        assert {region for region, _ in stage.lines()} == {*expected}

    async def test_a_law_that_names_another_key_for_us_is_not_sealed_under(
        self, stage: Stage
    ) -> None:
        stage.law = Law(CATALOGUE, {}, stage.public() | {EU: b"x" * 32})
        assert not stage.carrier.targets()

    async def test_a_new_law_counts_from_the_next_replica_on(self, stage: Stage) -> None:
        stage.carrier.want()
        stage.live.committed(turn(1), None)
        stage.carrier.flush()
        assert stage.held.regions == (IE,)
        stage.law = Law(CATALOGUE, {"clinic": TenantPolicy(deny=(IE,))}, stage.public())
        stage.live.committed(turn(2), None)
        stage.carrier.flush()
        assert stage.keeper.held is None

    @pytest.mark.parametrize("lost", CARRIED)
    async def test_a_region_that_the_call_lost_once_gets_nothing_under_a_wider_law_either(
        self, stage: Stage, lost: DataClass
    ) -> None:
        stage.carrier.want()
        stage.live.committed(turn(1), None)
        stage.carrier.flush()
        left = dict.fromkeys(CARRIED, (EU, IE)) | {lost: (EU,)}
        stage.notary.narrow(left, "2#tight", stage.clock.wall())
        stage.live.committed(turn(2), None)
        stage.carrier.flush()
        assert not stage.carrier.can_move((IE,))
        assert stage.keeper.held is None

    async def test_a_law_that_names_the_keys_later_counts_too(self, stage: Stage) -> None:
        law, stage.law = stage.law, Law(CATALOGUE)
        stage.carrier.want()
        stage.live.committed(turn(1), None)
        assert stage.carrier.flush() == 0
        stage.law = law
        assert stage.carrier.can_move((IE,))
        stage.live.committed(turn(2), None)
        assert stage.carrier.flush() > 0

    async def test_the_day_is_asked_again(self, stage: Stage) -> None:
        assert stage.carrier.targets()
        lapse = tuple(
            rule.model_copy(update={"valid_until": day_of(NOW)}) for rule in CATALOGUE.rules
        )
        stage.law = Law(CATALOGUE.model_copy(update={"rules": lapse}), {}, stage.public())
        assert stage.carrier.targets()
        stage.clock.now += 86_400
        assert not stage.carrier.targets()


async def test_it_counts_ten_minutes_and_never_longer_than_the_data(stage: Stage) -> None:
    stage.carrier.want()
    stage.live.committed(turn(1), None)
    stage.carrier.flush()
    key = stage.keys[IE]
    head = key.verify(stage.held.text, stage.law.replica_keys, now=NOW).head
    assert head.expires_at == int(NOW) + LIFETIME_SECONDS
    stage.journal.ends[DataClass.VARIABLES] = int(NOW) + 60
    stage.live.committed(turn(2), None)
    stage.carrier.flush()
    head = key.verify(stage.held.text, stage.law.replica_keys, now=NOW).head
    assert head.expires_at == int(NOW) + 60


async def test_the_receipt_counts_what_was_sealed_for_each_region_by_class(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, (EU, IE, SE))
    stage.carrier.want()
    stage.live.committed(turn(1), {"step": "one"})
    stage.carrier.flush()
    once = {key: entry.sent for key, entry in stage.lines().items()}
    assert {*once} == {
        (region, name) for region in (IE, SE) for name in ("transcript", "variables")
    }
    assert all(once.values())
    assert {entry.place.kind for entry in stage.lines().values()} == {"replica"}
    stage.live.committed(turn(2), {"step": "two"})
    stage.carrier.flush()
    assert all(entry.sent > once[key] for key, entry in stage.lines().items())


class TestMoving:
    async def begin(self, stage: Stage) -> None:
        stage.carrier.want()
        stage.live.committed(turn(1), {"step": "one"})
        stage.carrier.flush()

    def order(self, stage: Stage) -> MoveOrder | None:
        read = [parse_event(event) for event in stage.sent]
        return next((each for each in read if isinstance(each, MoveOrder)), None)

    async def test_the_call_is_moved_once_the_client_has_all_and_goes(self, tmp_path: Path) -> None:
        stage = Stage(tmp_path, (EU, IE, SE))
        await self.begin(stage)
        assert stage.carrier.can_move((SE,))
        moving = asyncio.create_task(stage.carrier.move((SE,)))
        await stage.until(lambda: self.order(stage) is not None)
        order = self.order(stage)
        assert order is not None and order.number == stage.held.number == 2
        assert stage.held.regions == (SE,), "sealed for the regions of the order alone"
        assert not moving.done()
        stage.carrier.leaving(1)
        await asyncio.sleep(0)
        assert not moving.done(), "the number is another replica's"
        stage.carrier.leaving(2)
        assert await moving

    async def test_a_client_that_does_not_answer_stays(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("edge.carrying.MOVE_SECONDS", 0.01)
        await self.begin(stage)
        assert not await stage.carrier.move((IE,))

    async def test_nobody_is_sent_where_no_replica_may_go(self, stage: Stage) -> None:
        await self.begin(stage)
        assert not stage.carrier.can_move((IN,))
        assert not await stage.carrier.move((IN,))
        assert self.order(stage) is None
        assert stage.keeper.held is None

    async def test_who_cannot_carry_cannot_be_moved(self, stage: Stage) -> None:
        stage.live.committed(turn(1), None)
        assert not stage.carrier.can_move((IE,))
        assert not await stage.carrier.move((IE,))
        assert stage.sent == []


async def test_the_journal_tells_of_everything_that_it_wrote(tmp_path: Path) -> None:
    keys: LocalKeyFile = key_file(tmp_path)
    store = await SqliteStore.open(tmp_path / "sessions.db")
    tag = tag_for()
    journal = await Journal.begin(
        store, keys, session_id=tag.session, tag=tag, agent="reception", owner="one",
        clock=Clock(), books=books(),
    )  # fmt: skip
    journal.live = live = LiveContents()
    await journal.commit(turn(1), {"step": "one"})
    await journal.tool_pending("s:2:1", "book", {"day": "monday"})
    assert live.pending
    settled = ToolRecord("s:2:1", "book", {"day": "monday"}, True, {"id": 7})
    await journal.tool_settled(settled)
    assert live.now() == Contents((turn(1),), {"step": "one"}, (settled,))
    await store.close()
