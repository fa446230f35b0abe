"""A conversation from another region goes on here whole, once, or not at all."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.call_builder import CallBuilder
from edge.carried import Carried
from edge.dialog.agent import HttpTool, PythonTool
from edge.events import ToolRecord
from edge.internal import Admitted
from edge.ledger import Place
from edge.problem import EdgeRefusal
from edge.retention import Ends, Retention
from edge.session.contents import Contents
from edge.session.errors import StoreBroken, StoreBusy
from edge.session.history import History, PendingTool
from edge.session.journal import Journal
from edge.session.receipt import CarriedFrom, ReceiptKey, read_receipt
from edge.session.replica import ReplicaHead, ReplicaKey
from edge.session.sqlite import SqliteStore
from edge.session.stores import OneStore
from edge.session.subjects import Subject, SubjectIndex
from edge.session.vault import VaultKeys
from edge.session.vault_sqlite import SqliteVault
from regions.catalogue import load_catalogue
from regions.law import Law
from regions.models import DataClass, Operation, TenantPolicy
from tests.edge.recording.parts import no_recordings
from tests.edge.session.parts import EU, SESSION, key_file, record, tag_for, turn
from tests.fakes.clock import FakeClock
from tests.fakes.law import in_force

IE = "eu-west-1"
FRESH = "s_" + "f" * 22
HERE = Place("host", "eu-west-1-a", IE)
STORE = Place("store", "sqlite", IE)
SETTLED = ToolRecord("s:2:1", "book", {"day": "monday"}, True, {"id": 7})
PENDING = PendingTool("s:3:1", "pay", {"cents": 100})
CONTENTS = Contents(
    (turn(1, ""), turn(2, "monday", (SETTLED,)), turn(3, "yes")),
    {"step": "pay"},
    (SETTLED, PENDING),
)
CATALOGUE = load_catalogue()


@dataclass
class Region:
    """A region that conversations are brought to, and the one that they come from."""

    clock: FakeClock
    store: SqliteStore
    vault: SqliteVault
    keys: VaultKeys
    replicas: ReplicaKey
    origin: ReplicaKey
    rooms: Any

    def builder(self) -> CallBuilder:
        return CallBuilder(self.rooms)

    def law(self, **changes: Any) -> None:
        keys = {EU: self.origin.public, IE: self.replicas.public}
        facts: dict[str, Any] = {"catalogue": CATALOGUE, "replica_keys": keys} | changes
        self.rooms.law = in_force(Law(**facts), self.clock)

    def replica(self, contents: Contents = CONTENTS, **changes: Any) -> str:
        now = int(self.clock.wall())
        tag = tag_for(regions=(EU, IE)).model_copy(update={"expires_at": now + 3600})
        facts: dict[str, Any] = {
            "source": EU,
            "tag": tag.model_copy(update=changes.pop("tag", {})),
            "agent": "reception",
            "turn": len(contents.turns),
            "at": now,
            "expires_at": now + 600,
            "ends": dict.fromkeys((DataClass.TRANSCRIPT, DataClass.VARIABLES), now + 3600),
        }
        head = ReplicaHead(**(facts | changes))
        return self.origin.seal(head, contents, {IE: self.replicas.public}).text

    def open(self, text: str, who: Admitted | None = None) -> Carried:
        return self.builder().carried(who or caller(), text)

    async def begin(self, text: str, who: Admitted | None = None) -> tuple[Journal, History]:
        carried = self.open(text, who)
        journal, history = await self.builder().journal(carried.caller, carried)
        assert history is not None
        return journal, history

    def refusal(self, text: str, who: Admitted | None = None) -> str:
        with pytest.raises(EdgeRefusal) as caught:
            self.open(text, who)
        return caught.value.code


def caller(**changes: Any) -> Admitted:
    regions: dict[str, tuple[str, ...]] = dict.fromkeys(
        ("audio", "transcript", "variables"), (EU, IE)
    )
    facts: dict[str, Any] = {
        "session_id": FRESH,
        "tenant": "clinic",
        "agent": "reception",
        "jurisdictions": ("eea",),
        "policy": CATALOGUE.policy,
        "regions": regions,
        "resumed": False,
    }
    return Admitted(**(facts | changes))


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[Region]:
    clock = FakeClock()
    store = await SqliteStore.open(tmp_path / "sessions.db")
    vault = await SqliteVault.open(tmp_path / "keys")
    here = key_file(tmp_path, IE)
    keys = VaultKeys(here, vault)
    everywhere = HttpTool(
        kind="http", name="pay", url="https://pay.example", region="eu-west-1", idempotent=True
    )
    spec = SimpleNamespace(
        carry=True, retention=None, recording=None, subject_country=None, tools=(everywhere,)
    )
    rooms = SimpleNamespace(
        settings=SimpleNamespace(
            region=IE, node="eu-west-1-a", session_hours=24.0, retention={}, recordings=None
        ),
        clock=clock,
        stores=OneStore(store),
        keys=keys,
        vault=vault,
        recordings=no_recordings(),
        receipts=ReceiptKey(here.subkey("receipt")),
        subjects=SubjectIndex(here.subkey("subject")),
        replicas=ReplicaKey.of(here),
        store_place=STORE,
        agents={"reception": spec},
    )
    found = Region(
        clock, store, vault, keys, rooms.replicas, ReplicaKey.of(key_file(tmp_path)), rooms
    )
    found.law()
    yield found
    await store.close()
    await vault.close()


class TestOpening:
    def test_the_session_keeps_its_id_and_the_caller_the_terms_of_the_fresh_token(
        self, region: Region
    ) -> None:
        carried = region.open(region.replica())
        assert carried.caller == caller(session_id=SESSION)
        assert carried.replica.contents == CONTENTS
        now = region.clock.wall()
        assert carried.origin == CarriedFrom(region=EU, turn=3, sealed=float(int(now)))

    @pytest.mark.parametrize(
        "who",
        [
            caller(tenant="bank"),
            caller(agent="other"),
            caller(jurisdictions=("in",)),
            caller(jurisdictions=("eea", "in")),
        ],
        ids=["tenant", "agent", "law", "more law"],
    )
    def test_it_is_of_the_tokens_tenant_agent_and_law(self, region: Region, who: Admitted) -> None:
        region.rooms.agents["other"] = region.rooms.agents["reception"]
        assert region.refusal(region.replica(), who) == "replica_mismatch"

    def test_the_order_of_the_laws_means_nothing(self, region: Region) -> None:
        text = region.replica(tag={"jurisdictions": ("eea",)})
        assert region.open(text, caller(jurisdictions=("eea",)))

    def test_an_agent_whose_file_says_so_is_not_carried(self, region: Region) -> None:
        region.rooms.agents["reception"].carry = False
        assert region.refusal(region.replica()) == "replica_mismatch"

    def test_expired(self, region: Region) -> None:
        text = region.replica()
        region.clock.advance(600)
        assert region.refusal(text) == "replica_expired"

    def test_tampered_with(self, region: Region) -> None:
        assert region.refusal(region.replica().replace('"turn":3', '"turn":2')) == "bad_replica"

    def test_too_long(self, region: Region) -> None:
        assert region.refusal("x" * (1 << 20)) == "body_too_large"

    @pytest.mark.parametrize(
        "changes",
        [
            {"contracts": {"clinic": TenantPolicy(deny=(IE,))}},
            {"contracts": {"clinic": TenantPolicy(regions=(EU,))}},
        ],
        ids=["denied", "not listed"],
    )
    def test_a_law_that_was_tightened_meanwhile_counts(
        self, region: Region, changes: Mapping[str, Any]
    ) -> None:
        text = region.replica()
        region.law(**changes)
        assert region.refusal(text) == "wrong_region"

    def test_a_law_without_replicas_lets_none_in(self, region: Region) -> None:
        text = region.replica()
        rules = tuple(
            rule.model_copy(
                update={
                    "operations": tuple(o for o in rule.operations if o is not Operation.REPLICATE)
                }
            )
            for rule in CATALOGUE.rules
        )
        region.law(catalogue=CATALOGUE.model_copy(update={"rules": rules}))
        assert region.refusal(text) == "wrong_region"

    @pytest.mark.parametrize(
        ("keys", "code"),
        [({}, "not_ready"), ({IE: b"i" * 32}, "not_ready"), ({EU: b"e" * 32}, "bad_replica")],
        ids=["no bundle yet", "no key of the sealing region", "another key"],
    )
    def test_without_the_keys_of_the_bundle_nothing_counts(
        self, region: Region, keys: Mapping[str, bytes], code: str
    ) -> None:
        text = region.replica()
        region.law(replica_keys=keys)
        assert region.refusal(text) == code

    def test_nor_without_its_own_key_in_it(self, region: Region) -> None:
        text = region.replica()
        region.law(replica_keys={EU: region.origin.public})
        assert region.refusal(text) == "wrong_region"


class TestGoingOn:
    async def test_it_is_found_here_by_whom_it_is_about_under_this_regions_key(
        self, region: Region
    ) -> None:
        state: Any = {"step": "pay", "subjects": [["customer", "47110815"]]}
        await region.begin(region.replica(Contents(CONTENTS.turns, state, CONTENTS.tools)))
        index: SubjectIndex = region.rooms.subjects
        name = index.name("clinic", Subject("customer", "47110815"))
        assert await region.store.find(name, region.clock.wall()) == (SESSION,)

    async def test_a_caller_who_came_back_is_found_by_what_they_say_from_then_on(
        self, region: Region
    ) -> None:
        await region.begin(region.replica())
        again = caller(session_id=SESSION, resumed=True, number="+493055512345")
        journal, _ = await region.builder().journal(again)
        await journal.commit(turn(4), {"subjects": [["customer", "47110815"]]})
        index: SubjectIndex = region.rooms.subjects
        for subject in (Subject("customer", "47110815"), Subject("phone", "+493055512345")):
            name = index.name("clinic", subject)
            assert await region.store.find(name, region.clock.wall()) == (SESSION,)

    async def test_everything_is_there_again_under_the_keys_of_this_region(
        self, region: Region
    ) -> None:
        journal, history = await region.begin(region.replica())
        assert history.turns == CONTENTS.turns
        assert history.state == CONTENTS.state
        assert (history.pending, history.settled) == ((PENDING,), (SETTLED,))
        assert journal.tag.session == SESSION
        assert journal.tag.policy == CATALOGUE.policy
        await journal.commit(turn(4, "no"), {"step": "end"})
        _, again = await region.builder().journal(caller(session_id=SESSION, resumed=True))
        assert again is not None
        assert again.turns == (*CONTENTS.turns, turn(4, "no"))
        assert (again.state, again.pending, again.settled) == (
            {"step": "end"},
            (PENDING,),
            (SETTLED,),
        )

    async def test_a_tool_call_that_was_made_is_not_made_again(self, region: Region) -> None:
        journal, _ = await region.begin(region.replica())
        assert await journal.tool_pending("s:2:1", "book", {"day": "monday"}) == SETTLED
        assert await journal.tool_pending("s:3:1", "pay", {"cents": 100}) is None

    @pytest.mark.parametrize(
        "tool",
        [
            HttpTool(kind="http", name="pay", url="https://pay.example", idempotent=True),
            PythonTool(kind="python", name="pay", call="a.b:c", idempotent=True),
        ],
        ids=["http", "python"],
    )
    async def test_nobody_knows_what_became_of_a_call_of_the_lost_regions_own_service(
        self, region: Region, tool: HttpTool | PythonTool
    ) -> None:
        """Here another service has the name, and would do it once more."""
        region.rooms.agents["reception"].tools = (tool,)
        journal, history = await region.begin(region.replica())
        unknown = ToolRecord("s:3:1", "pay", {"cents": 100}, False, {"error": "unknown"})
        assert (history.pending, history.settled) == ((), (SETTLED, unknown))
        assert await journal.tool_pending("s:3:1", "pay", {"cents": 100}) == unknown

    async def test_a_transfer_that_nobody_knows_the_end_of_stays_one(self, region: Region) -> None:
        region.rooms.agents["reception"].tools = ()
        _, history = await region.begin(region.replica())
        assert history.pending == (PENDING,)

    async def test_a_replica_is_good_once_in_a_region(self, region: Region) -> None:
        text = region.replica()
        await region.begin(text)
        for again in (text, region.replica(Contents((turn(1),), None, ()))):
            with pytest.raises(EdgeRefusal) as caught:
                await region.begin(again)
            assert caught.value.code == "replica_used"

    async def test_the_first_to_bring_it_keeps_it(self, region: Region) -> None:
        text = region.replica()
        journal, _ = await region.begin(text)
        with pytest.raises(EdgeRefusal):
            await region.begin(text)
        await journal.commit(turn(4), {"step": "end"})

    async def test_of_all_who_bring_it_at_once_one_goes_on(self, region: Region) -> None:
        text = region.replica()
        tries = [region.begin(text) for _ in range(8)]
        found = await asyncio.gather(*tries, return_exceptions=True)
        refused = [each for each in found if isinstance(each, EdgeRefusal)]
        assert {refusal.code for refusal in refused} == {"replica_used"}
        assert len(refused) == 7
        (journal,) = [each[0] for each in found if not isinstance(each, BaseException)]
        await journal.commit(turn(4), {"step": "end"})

    async def test_a_conversation_that_was_erased_here_does_not_come_back(
        self, region: Region
    ) -> None:
        text = region.replica()
        journal, _ = await region.begin(text)
        changes = {"session_id": SESSION, "region": IE, "node": "eu-west-1-a"}
        await journal.finish(record().model_copy(update=changes))
        await region.vault.destroy("clinic", SESSION)
        await region.store.erase(SESSION)
        with pytest.raises(EdgeRefusal) as caught:
            await region.begin(text)
        assert caught.value.code == "replica_used"

    async def test_a_call_that_does_not_take_place_uses_no_replica_up(self, region: Region) -> None:
        text = region.replica()
        await region.begin(text)
        await region.builder().undo(region.open(text).caller)
        _, history = await region.begin(text)
        assert history.turns == CONTENTS.turns

    async def test_a_session_that_was_taken_over_is_not_undone(self, region: Region) -> None:
        text = region.replica()
        journal, _ = await region.begin(text)
        await region.builder().undo(caller(session_id=SESSION, resumed=True))
        await journal.commit(turn(4), {"step": "end"})

    async def test_nothing_is_kept_longer_than_where_it_came_from(self, region: Region) -> None:
        now = int(region.clock.wall())
        ends = {DataClass.TRANSCRIPT: now + 700, DataClass.VARIABLES: now + 3000}
        journal, _ = await region.begin(region.replica(ends=ends))
        assert dict(journal.ends) == ends
        assert journal.tag.expires_at == now + 3000

    async def test_nor_longer_than_this_region_keeps_it(self, region: Region) -> None:
        now = int(region.clock.wall())
        region.rooms.settings.retention = {"clinic": Retention(transcript=60)}
        journal, _ = await region.begin(region.replica())
        assert dict(journal.ends) == {
            DataClass.TRANSCRIPT: now + 60,
            DataClass.VARIABLES: now + 3600,
        }

    async def test_the_receipt_says_who_brought_what_from_where(self, region: Region) -> None:
        journal, _ = await region.begin(region.replica())
        changes = {"session_id": SESSION, "region": IE, "node": "eu-west-1-a"}
        await journal.finish(record().model_copy(update=changes))
        (kept,) = await region.store.read_records(session_id=SESSION)
        assert kept.receipt is not None
        key: ReceiptKey = region.rooms.receipts
        receipt = read_receipt(kept.receipt, {key.key_id: key.public})
        assert receipt.carried is not None
        assert (receipt.carried.region, receipt.carried.turn) == (EU, 3)
        assert (receipt.session_id, receipt.leg) == (SESSION, 1)
        brought = {
            line.data_class: line.received
            for line in receipt.lines
            if (line.kind, line.name, line.operation) == ("caller", "replica", "replicate")
        }
        assert set(brought) == {DataClass.TRANSCRIPT, DataClass.VARIABLES}
        assert all(brought.values())
        assert receipt.outside == ()

    async def test_a_call_that_was_not_carried_says_nothing_of_it(self, region: Region) -> None:
        journal, history = await region.builder().journal(caller())
        assert history is None
        assert journal.books.notary.carried is None


class Faulty:
    """A store that fails at one of its steps."""

    def __init__(self, inner: SqliteStore, step: int, error: BaseException) -> None:
        self._inner = inner
        self._left = step
        self._error = error

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in ("commit", "tool_pending", "tool_settled"):
            return found

        async def step(*values: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                raise self._error
            return await found(*values)

        return step


STEPS = 3 + len(CONTENTS.turns)


class TestHalf:
    @pytest.mark.parametrize("step", range(1, STEPS + 1))
    async def test_half_a_conversation_is_not_left_behind(self, region: Region, step: int) -> None:
        region.rooms.stores = OneStore(Faulty(region.store, step, StoreBroken("disk full")))
        with pytest.raises(EdgeRefusal) as caught:
            await region.begin(region.replica())
        assert caught.value.code == "not_ready"
        await self.nothing_is_left(region)
        region.rooms.stores = OneStore(region.store)
        _, history = await region.begin(region.replica())
        assert history.turns == CONTENTS.turns

    async def test_nor_when_the_dispatcher_gave_up(self, region: Region) -> None:
        region.rooms.stores = OneStore(Faulty(region.store, 3, asyncio.CancelledError()))
        with pytest.raises(asyncio.CancelledError):
            await region.begin(region.replica())
        await self.nothing_is_left(region)

    async def test_a_store_that_is_only_busy_is_asked_again(self, region: Region) -> None:
        region.rooms.stores = OneStore(Faulty(region.store, 4, StoreBusy("locked")))
        _, history = await region.begin(region.replica())
        assert history.turns == CONTENTS.turns

    async def nothing_is_left(self, region: Region) -> None:
        assert not await region.store.erase(SESSION)
        assert await region.vault.destroy("clinic", SESSION) == 0


def test_only_what_a_conversation_needs_decides_how_long_it_can_be_resumed(
    region: Region,
) -> None:
    carried = region.open(region.replica())
    now = int(region.clock.wall())
    here = Ends.of(now, 86_400, [])
    recorded = dataclasses.replace(here, classes={**here.classes, DataClass.RECORDING: now + 5})
    assert carried.ends(recorded).resumable == now + 3600
