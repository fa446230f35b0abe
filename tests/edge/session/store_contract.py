"""What every session store promises. A store's tests subclass :class:`SessionStoreContract`."""

from __future__ import annotations

import asyncio

import pytest

from edge.session.errors import (
    OutOfStep,
    Overtaken,
    SessionEnded,
    SessionExists,
    StaleOwner,
    TooLarge,
    UnknownSession,
)
from edge.session.store import (
    MAX_ENTRY_BYTES,
    MAX_SESSION_BYTES,
    MAX_STATE_BYTES,
    Fence,
    NewSession,
    SealedTool,
    SealedTurn,
)
from tests.edge.session.entries import OpenStore, sealed, session
from tests.edge.session.parts import NOW, OTHER, SESSION, finish, record
from tests.edge.session.rest_contract import RestContract
from tests.edge.session.subject_contract import SubjectContract


def intent(call_id: str = "c1", digest: bytes = b"d") -> SealedTool:
    return SealedTool(call_id, digest, b"intent " + call_id.encode())


def outcome(call_id: str = "c1", digest: bytes = b"o") -> SealedTool:
    return SealedTool(call_id, digest, b"outcome " + call_id.encode())


class SessionStoreContract(RestContract, SubjectContract):
    """Subclasses provide a fixture ``open_store``."""

    async def test_a_session_is_read_back_as_written(self, open_store: OpenStore) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        assert fence == Fence(SESSION, 1, "a")
        await store.commit(fence, sealed(1))
        await store.tool_pending(fence, intent("c1"))
        await store.tool_pending(fence, intent("c2"))
        await store.tool_settled(fence, outcome("c2"))
        await store.commit(fence, sealed(2))
        taken, stored = await (await open_store()).take(SESSION, "b", NOW)
        assert taken == Fence(SESSION, 2, "b")
        assert stored.header == await store.header(SESSION, NOW)
        assert (stored.header.agent, stored.header.tag) == ("reception", b"tag")
        assert stored.header.wraps == {"r1": b"k1", "r2": b"k2"}
        assert not stored.header.ended
        assert stored.turns == (b"turn1", b"turn2")
        assert stored.state == b"state2"
        assert [(t.call_id, t.intent, t.outcome) for t in stored.tools] == [
            ("c1", b"intent c1", None),
            ("c2", b"intent c2", b"outcome c2"),
        ]

    async def test_a_new_session_has_neither_turns_nor_state(self, open_store: OpenStore) -> None:
        store = await open_store()
        await store.create(session(), "a")
        _, stored = await store.take(SESSION, "b", NOW)
        assert (stored.turns, stored.state, stored.tools) == ((), None, ())

    async def test_beginning_twice_is_a_no_op_for_its_owner_only(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        assert await store.create(session(), "a") == fence
        with pytest.raises(SessionExists):
            await store.create(session(), "b")
        with pytest.raises(SessionExists):
            await store.create(session(agent="another"), "a")

    async def test_a_taken_over_owner_can_write_nothing(self, open_store: OpenStore) -> None:
        store, other = await open_store(), await open_store()
        stale = await store.create(session(), "a")
        await store.tool_pending(stale, intent("c1"))
        fence, _ = await other.take(SESSION, "b", NOW)
        with pytest.raises(StaleOwner):
            await store.commit(stale, sealed(1))
        with pytest.raises(StaleOwner):
            await store.tool_pending(stale, intent("c2"))
        with pytest.raises(StaleOwner):
            await store.tool_settled(stale, outcome("c1"))
        await other.commit(fence, sealed(1))
        _, stored = await other.take(SESSION, "b", NOW)
        assert len(stored.turns) == 1
        assert [t.call_id for t in stored.tools] == ["c1"]

    async def test_epoch_and_owner_must_both_be_right(self, open_store: OpenStore) -> None:
        store = await open_store()
        await store.create(session(), "a")
        for forged in (Fence(SESSION, 1, "b"), Fence(SESSION, 2, "a"), Fence(SESSION, 0, "a")):
            with pytest.raises(StaleOwner):
                await store.commit(forged, sealed(1))

    async def test_an_owner_who_comes_back_is_a_new_owner(self, open_store: OpenStore) -> None:
        store = await open_store()
        first = await store.create(session(), "a")
        await store.take(SESSION, "b", NOW)
        third, _ = await store.take(SESSION, "a", NOW)
        assert third == Fence(SESSION, 3, "a")
        with pytest.raises(StaleOwner):
            await store.commit(first, sealed(1))

    async def test_taking_over_twice_is_a_no_op(self, open_store: OpenStore) -> None:
        store = await open_store()
        await store.create(session(), "a")
        fence, _ = await store.take(SESSION, "b", NOW)
        again, _ = await store.take(SESSION, "b", NOW)
        assert again == fence

    async def test_committing_a_turn_twice_is_a_no_op(self, open_store: OpenStore) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        await store.commit(fence, sealed(1))
        await store.commit(fence, SealedTurn(1, b"d", b"sealed anew", b"state anew"))
        await store.commit(fence, sealed(2))
        await store.commit(fence, sealed(1))
        _, stored = await store.take(SESSION, "b", NOW)
        assert stored.turns == (b"turn1", b"turn2")
        assert stored.state == b"state2"

    async def test_a_committed_turn_is_not_rewritten(self, open_store: OpenStore) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        await store.commit(fence, sealed(1))
        await store.commit(fence, sealed(2))
        for number in (1, 2):
            with pytest.raises(OutOfStep):
                await store.commit(fence, sealed(number, digest=b"other"))

    @pytest.mark.parametrize("number", [-1, 0, 2, 3])
    async def test_a_gap_is_refused(self, open_store: OpenStore, number: int) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        with pytest.raises(OutOfStep):
            await store.commit(fence, sealed(number))
        await store.commit(fence, sealed(1))

    async def test_a_pending_tool_is_remembered_and_a_repeat_is_a_no_op(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        assert await store.tool_pending(fence, intent()) is None
        assert await store.tool_pending(fence, intent()) is None
        with pytest.raises(OutOfStep):
            await store.tool_pending(fence, intent(digest=b"other"))

    async def test_a_settled_tool_gives_its_outcome_to_whoever_asks_next(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        await store.tool_pending(fence, intent())
        await store.tool_settled(fence, outcome())
        await store.tool_settled(fence, outcome())
        fence, _ = await store.take(SESSION, "b", NOW)
        assert await store.tool_pending(fence, intent()) == b"outcome c1"

    async def test_the_first_outcome_stands(self, open_store: OpenStore) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        with pytest.raises(OutOfStep):
            await store.tool_settled(fence, outcome())
        await store.tool_pending(fence, intent())
        await store.tool_settled(fence, outcome())
        with pytest.raises(OutOfStep):
            await store.tool_settled(fence, outcome(digest=b"other"))

    async def test_an_ended_session_is_read_and_not_written(self, open_store: OpenStore) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        await store.commit(fence, sealed(1))
        await finish(store, fence, record(reason="completed"))
        await finish(store, fence, record(reason="completed"))
        late, stored = await store.take(SESSION, "b", NOW)
        assert stored.header.ended
        assert stored.turns == (b"turn1",)
        assert late.epoch == fence.epoch
        for gone in (fence, late):
            with pytest.raises(SessionEnded):
                await store.commit(gone, sealed(2))
            with pytest.raises(SessionEnded):
                await store.tool_pending(gone, intent())

    async def test_a_lost_call_leaves_the_session_open(self, open_store: OpenStore) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        await finish(store, fence, record("c_1", "lost"))
        fence, stored = await store.take(SESSION, "b", NOW)
        assert not stored.header.ended
        await store.commit(fence, sealed(1))

    async def test_a_taken_over_call_still_leaves_its_record(self, open_store: OpenStore) -> None:
        store = await open_store()
        stale = await store.create(session(), "a")
        fence, _ = await store.take(SESSION, "b", NOW)
        await finish(store, stale, record("c_1", "taken_over"))
        with pytest.raises(StaleOwner):
            await finish(store, stale, record("c_2", "hangup"))
        await store.commit(fence, sealed(1))
        records = await store.read_records()
        assert [found.call_id for found in records] == ["c_1", "c_2"]

    async def test_records_are_kept_once_and_in_order(self, open_store: OpenStore) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        first, second = record("c_1", "lost"), record("c_2", "completed")
        for found in (first, first, record("c_1", "draining"), second):
            await finish(store, fence, found)
        await store.create(session(OTHER), "a")
        await finish(store, Fence(OTHER, 1, "a"), record("c_3", "hangup", OTHER))
        assert await store.read_records(session_id=SESSION) == (first, second)
        assert len(await store.read_records()) == 3

    async def test_of_two_records_that_follow_the_same_one_a_single_one_is_appended(
        self, open_store: OpenStore
    ) -> None:
        store, other = await open_store(), await open_store()
        fence = await store.create(session(), "a")
        await store.finish(fence, record("c_1", "lost"), after=None)
        results = await asyncio.gather(
            store.finish(fence, record("c_2", "lost"), after="c_1"),
            other.finish(fence, record("c_3", "lost"), after="c_1"),
            return_exceptions=True,
        )
        assert [type(result) for result in results].count(Overtaken) == 1
        assert len(await store.read_records(session_id=SESSION)) == 2

    @pytest.mark.parametrize("after", [None, "c_0", "c_2", "c"])
    async def test_a_record_that_does_not_follow_the_latest_one_changes_nothing(
        self, open_store: OpenStore, after: str | None
    ) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        await store.finish(fence, record("c_1", "lost"), after=None)
        with pytest.raises(Overtaken):
            await store.finish(fence, record("c_2", "hangup"), after=after)
        assert not (await store.header(SESSION, NOW)).ended
        assert len(await store.read_records()) == 1

    async def test_a_record_that_is_written_again_is_a_no_op_whatever_it_follows(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        first = record("c_1", "lost")
        await store.finish(fence, first, after=None)
        await store.finish(fence, record("c_2", "lost"), after="c_1")
        for after in (None, "c_1", "c_2"):
            await store.finish(fence, record("c_1", "draining"), after=after)
        assert (await store.read_records(session_id=SESSION))[0] == first

    async def test_the_latest_records_of_one_session_are_read_alone(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        mine, theirs = await store.create(session(), "a"), await store.create(session(OTHER), "a")
        for number in range(4):
            await finish(store, mine, record(f"c_{number}", "lost"))
            await finish(store, theirs, record(f"d_{number}", "lost", OTHER))
        assert await store.read_records(session_id="s_nobody") == ()
        latest = await store.read_records(session_id=SESSION, most=2)
        assert [found.call_id for found in latest] == ["c_2", "c_3"]
        latest = await store.read_records(most=3)
        assert [found.call_id for found in latest] == ["d_2", "c_3", "d_3"]

    async def test_an_unknown_session_is_said_to_be_unknown(self, open_store: OpenStore) -> None:
        store = await open_store()
        nobody = Fence(SESSION, 1, "a")
        with pytest.raises(UnknownSession):
            await store.header(SESSION, NOW)
        with pytest.raises(UnknownSession):
            await store.take(SESSION, "a", NOW)
        with pytest.raises(UnknownSession):
            await store.commit(nobody, sealed(1))
        with pytest.raises(UnknownSession):
            await store.tool_pending(nobody, intent())
        with pytest.raises(UnknownSession):
            await store.tool_settled(nobody, outcome())

    async def test_an_expired_session_is_unknown_even_before_it_is_swept(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        await store.create(session(), "a")
        with pytest.raises(UnknownSession):
            await store.take(SESSION, "b", NOW + 60)
        with pytest.raises(UnknownSession):
            await store.header(SESSION, NOW + 60)
        with pytest.raises(UnknownSession):
            await store.read(SESSION, NOW + 60)

    async def test_reading_takes_nothing_from_the_owner(self, open_store: OpenStore) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        await store.commit(fence, sealed(1))
        await store.tool_pending(fence, intent("c1"))
        read = await (await open_store()).read(SESSION, NOW)
        await store.commit(fence, sealed(2))
        _, taken = await store.take(SESSION, "a", NOW)
        assert read.turns == (b"turn1",)
        assert (read.header, read.tools) == (taken.header, taken.tools)

    async def test_an_erased_session_is_gone_and_its_records_stay(
        self, open_store: OpenStore
    ) -> None:
        store, operator = await open_store(), await open_store()
        fence = await store.create(session(), "a")
        other = await store.create(session(OTHER), "a")
        await store.commit(fence, sealed(1))
        await finish(store, fence, record("c_1", "lost"))
        assert await operator.erase(SESSION)
        with pytest.raises(UnknownSession):
            await store.commit(fence, sealed(2))
        for look in (store.header, store.read):
            with pytest.raises(UnknownSession):
                await look(SESSION, NOW)
        assert [kept.call_id for kept in await store.read_records()] == ["c_1"]
        await store.commit(other, sealed(1))
        assert not await operator.erase(SESSION)

    async def test_entries_and_sessions_are_bounded(self, open_store: OpenStore) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        big = bytes(MAX_ENTRY_BYTES)
        with pytest.raises(TooLarge):
            SealedTurn(1, b"d", big + b"x", b"")
        with pytest.raises(TooLarge):
            SealedTurn(1, b"d", b"", bytes(MAX_STATE_BYTES + 1))
        with pytest.raises(TooLarge):
            SealedTool("c", b"d", big + b"x")
        fitting = MAX_SESSION_BYTES // MAX_ENTRY_BYTES
        for number in range(1, fitting + 1):
            await store.commit(fence, SealedTurn(number, b"d", big, b"s"))
        with pytest.raises(TooLarge):
            await store.commit(fence, SealedTurn(fitting + 1, b"d", b"x", b"s"))
        with pytest.raises(TooLarge):
            await store.tool_pending(fence, intent())
        _, stored = await store.take(SESSION, "b", NOW)
        assert len(stored.turns) == fitting

    async def test_of_many_who_take_over_at_once_one_owns_the_session(
        self, open_store: OpenStore
    ) -> None:
        stores = [await open_store() for _ in range(4)]
        await stores[0].create(session(), "a")
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(stores[i % 4].take(SESSION, f"o{i}", NOW)) for i in range(20)
            ]
        fences = [task.result()[0] for task in tasks]
        assert sorted(fence.epoch for fence in fences) == list(range(2, 22))
        results = await asyncio.gather(
            *(stores[0].commit(fence, sealed(1)) for fence in fences), return_exceptions=True
        )
        written = [f for f, result in zip(fences, results, strict=True) if result is None]
        assert written == [max(fences, key=lambda fence: fence.epoch)]
        assert sum(isinstance(result, StaleOwner) for result in results) == 19

    async def test_a_stale_owner_commits_nothing_however_the_race_goes(
        self, open_store: OpenStore
    ) -> None:
        store, other = await open_store(), await open_store()
        fence = await store.create(session(), "a")

        async def old() -> int:
            for number in range(1, 200):
                try:
                    await store.commit(fence, sealed(number, body=b"old"))
                except StaleOwner:
                    return number - 1
            return 199

        async def new() -> int:
            await other.header(SESSION, NOW)
            mine, stored = await other.take(SESSION, "b", NOW)
            seen = len(stored.turns)
            for number in range(seen + 1, seen + 20):
                await other.commit(mine, sealed(number, body=b"new"))
            return seen

        async with asyncio.TaskGroup() as group:
            before, seen = group.create_task(old()), group.create_task(new())
        # What the old owner was told is committed is exactly what the new one read.
        assert before.result() == seen.result()
        _, stored = await store.take(SESSION, "c", NOW)
        assert [body[:3] for body in stored.turns] == [b"old"] * seen.result() + [b"new"] * 19


class SweptStoreContract(SessionStoreContract):
    """Of a store that deletes what is expired when it is told to."""

    async def test_a_sweep_deletes_what_is_expired_and_nothing_else(
        self, open_store: OpenStore
    ) -> None:
        store = await open_store()
        fence = await store.create(session(), "a")
        await store.commit(fence, sealed(1))
        await store.tool_pending(fence, intent())
        await finish(store, fence, record("c_1", "lost"))
        assert await store.sweep(NOW + 59) == 0
        await store.create(NewSession(OTHER, "a", b"t", {}, NOW, int(NOW) + 600), "a")
        assert await store.sweep(NOW + 60) == 1
        await store.header(OTHER, NOW + 60)
        with pytest.raises(UnknownSession):
            await store.commit(fence, sealed(2))
        assert len(await store.read_records()) == 1
        again = await store.create(session(), "c")
        assert again.epoch == 1
        _, stored = await store.take(SESSION, "d", NOW)
        assert (stored.turns, stored.tools) == ((), ())

    async def test_a_sweep_takes_more_than_one_batch(self, open_store: OpenStore) -> None:
        store = await open_store()
        for number in range(450):
            await store.create(session(f"s_{number}"), "a")
        assert await store.sweep(NOW + 60) == 450
