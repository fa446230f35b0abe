"""A conversation goes on where it was, and only where its law lets it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.ledger import Entry
from edge.session.errors import (
    OutOfStep,
    Overtaken,
    RegionRefused,
    SealError,
    SessionEnded,
    SessionExists,
    StaleOwner,
    StoreBusy,
    UnknownSession,
)
from edge.session.history import PendingTool
from edge.session.journal import Journal
from edge.session.keys import LocalKeyFile
from edge.session.receipt import check_chain
from edge.session.sqlite import SqliteStore
from edge.session.store import Fence, StoredSession
from regions.models import DataClass, Operation
from regions.tag import ResidencyTag
from tests.edge.session.parts import (
    EU,
    IN,
    NOW,
    OTHER,
    RECEIPT_KEYS,
    SESSION,
    STORE,
    ManualClock,
    begin,
    books,
    key_file,
    record,
    tag_for,
    take_over,
    tool,
    turn,
)


async def test_a_successor_finds_everything_that_was_written(
    store: SqliteStore, keys: LocalKeyFile, tmp_path: Path
) -> None:
    journal = await begin(store, keys)
    await journal.commit(turn(1, ""), {"step": "greet"})
    assert await journal.tool_pending("s:2:1", "book", {"day": "monday"}) is None
    settled = tool("s:2:1")
    await journal.tool_settled(settled)
    await journal.commit(turn(2, "ünï \U0001f600", (settled,)), {"step": "confirm", "slots": [1]})
    await journal.tool_pending("s:3:1", "pay", {"cents": 100})
    sibling = await SqliteStore.open(tmp_path / "sessions.db")
    _, history = await take_over(sibling, key_file(tmp_path))
    assert history.turns == (turn(1, ""), turn(2, "ünï \U0001f600", (settled,)))
    assert history.state == {"step": "confirm", "slots": [1]}
    assert history.pending == (PendingTool("s:3:1", "pay", {"cents": 100}),)
    assert history.settled == (settled,)
    assert (history.agent, history.tag, history.ended) == ("reception", tag_for(), False)
    await sibling.close()


async def test_a_session_cut_off_before_its_first_turn_is_empty(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    await begin(store, keys)
    _, history = await take_over(store, keys)
    assert (history.turns, history.state, history.pending, history.settled) == ((), None, (), ())


async def test_the_former_owner_is_told_and_writes_nothing(
    store: SqliteStore, keys: LocalKeyFile, tmp_path: Path
) -> None:
    old = await begin(store, keys)
    await old.commit(turn(1), 1)
    await old.tool_pending("s:2:1", "book", {})
    sibling = await SqliteStore.open(tmp_path / "sessions.db")
    new, _ = await take_over(sibling, keys)
    with pytest.raises(StaleOwner):
        await old.commit(turn(2, "old"), 2)
    with pytest.raises(StaleOwner):
        await old.tool_settled(tool("s:2:1"))
    with pytest.raises(StaleOwner):
        await old.tool_pending("s:2:2", "book", {})
    await old.finish(record("c_old", "taken_over"))
    await new.commit(turn(2, "new"), 2)
    _, history = await take_over(store, keys, owner="third")
    assert history.turns == (turn(1), turn(2, "new"))
    await sibling.close()


async def test_a_repeated_commit_is_a_no_op_and_a_rewritten_one_is_refused(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    journal = await begin(store, keys)
    await journal.commit(turn(1), {"a": 1})
    await journal.commit(turn(1), {"a": 1})
    with pytest.raises(OutOfStep):
        await journal.commit(turn(1, "goodbye"), {"a": 1})
    with pytest.raises(OutOfStep):
        await journal.commit(turn(3), {"a": 1})
    _, history = await take_over(store, keys)
    assert history.turns == (turn(1),)


async def test_a_settled_tool_is_not_called_again_after_a_take_over(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    journal = await begin(store, keys)
    await journal.tool_pending("s:1:1", "book", {"day": "monday"})
    await journal.tool_settled(tool("s:1:1"))
    successor, _ = await take_over(store, keys)
    again = await successor.tool_pending("s:1:1", "book", {"day": "monday"})
    assert again == tool("s:1:1")
    with pytest.raises(OutOfStep):
        await successor.tool_pending("s:1:1", "book", {"day": "tuesday"})


async def test_a_failed_tool_call_is_settled_too(store: SqliteStore, keys: LocalKeyFile) -> None:
    journal = await begin(store, keys)
    await journal.tool_pending("s:1:1", "book", {})
    await journal.tool_settled(tool("s:1:1", ok=False))
    _, history = await take_over(store, keys)
    assert [found.ok for found in history.settled] == [False]


@pytest.mark.parametrize("call_id", ["", "a b", "ü", "a\0b", "x" * 129, "a\n"])
async def test_a_call_id_is_printable(store: SqliteStore, keys: LocalKeyFile, call_id: str) -> None:
    journal = await begin(store, keys)
    with pytest.raises(ValueError, match="call id"):
        await journal.tool_pending(call_id, "book", {})


async def test_a_finished_session_can_be_read_and_not_written(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    journal = await begin(store, keys)
    await journal.commit(turn(1), 1)
    await journal.finish(record())
    successor, history = await take_over(store, keys)
    assert history.ended
    assert history.turns == (turn(1),)
    with pytest.raises(SessionEnded):
        await successor.commit(turn(2), 2)
    (kept,) = await store.read_records()
    assert kept.model_copy(update={"receipt": None}) == record()


async def test_a_dropped_call_can_be_resumed(store: SqliteStore, keys: LocalKeyFile) -> None:
    journal = await begin(store, keys)
    await journal.commit(turn(1), 1)
    await journal.finish(record(reason="lost"))
    successor, history = await take_over(store, keys)
    assert not history.ended
    await successor.commit(turn(2), 2)


async def test_a_record_of_another_session_is_refused(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    journal = await begin(store, keys)
    with pytest.raises(ValueError, match="another session"):
        await journal.finish(record(session_id=OTHER))


async def test_a_session_is_begun_once(store: SqliteStore, keys: LocalKeyFile) -> None:
    await begin(store, keys)
    with pytest.raises(SessionExists):
        await begin(store, keys, owner="someone else")


async def test_nobody_resumes_what_was_never_begun_or_is_expired(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    with pytest.raises(UnknownSession):
        await take_over(store, keys)
    await begin(store, keys)
    with pytest.raises(UnknownSession):
        await take_over(store, keys, clock=ManualClock(NOW + 3600))
    with pytest.raises(UnknownSession):
        await begin(store, keys, OTHER, clock=ManualClock(NOW + 3600))


async def test_a_region_outside_the_tag_can_neither_begin_nor_take_over(
    store: SqliteStore, keys: LocalKeyFile, tmp_path: Path
) -> None:
    with pytest.raises(RegionRefused):
        await begin(store, key_file(tmp_path, IN))
    await begin(store, keys)
    with pytest.raises(RegionRefused):
        await take_over(store, key_file(tmp_path, IN), region=IN)


async def test_a_node_that_cannot_open_the_session_leaves_its_owner_alone(
    store: SqliteStore, keys: LocalKeyFile, tmp_path: Path
) -> None:
    journal = await begin(store, keys)
    with pytest.raises(SealError):
        await take_over(store, key_file(tmp_path, IN))
    with pytest.raises(SealError):
        await take_over(store, LocalKeyFile(EU, keys.key_id, bytes(32)))
    await journal.commit(turn(1), 1)


async def test_a_tag_of_another_session_cannot_begin_one(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    with pytest.raises(SealError):
        await Journal.begin(
            store,
            keys,
            session_id=SESSION,
            tag=tag_for(OTHER),
            agent="reception",
            owner="x",
            clock=ManualClock(),
            books=books(),
        )


async def test_nothing_that_was_said_is_in_the_file(
    store: SqliteStore, keys: LocalKeyFile, tmp_path: Path
) -> None:
    journal = await begin(store, keys)
    await journal.tool_pending("s:1:1", "tool-name-7", {"secret-key-7": "secret-value-7"})
    await journal.commit(turn(1, "secret-words-7"), {"slot": "secret-slot-7"})
    await store.close()
    content = b"".join(file.read_bytes() for file in files_in(tmp_path))
    assert SESSION.encode() in content
    for said in (b"secret", b"tool-name-7", b"slot-7"):
        assert said not in content


def files_in(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.name.startswith("sessions.db")]


class TestIntruder:
    """Somebody can write to the store's file, and still gets nothing opened."""

    @pytest.fixture
    def database(self, store: SqliteStore, tmp_path: Path) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)
        yield database
        database.close()

    @pytest.fixture(autouse=True)
    async def two_sessions(
        self, store: SqliteStore, keys: LocalKeyFile, database: sqlite3.Connection
    ) -> None:
        for session_id in (SESSION, OTHER):
            journal = await begin(store, keys, session_id)
            for number in (1, 2, 3):
                await journal.commit(turn(number, f"{session_id} {number}"), number)
            for call_id in ("a", "b"):
                await journal.tool_pending(call_id, "book", {"of": session_id})
                await journal.tool_settled(tool(call_id))
        _, history = await take_over(store, keys)
        assert len(history.turns) == 3

    @pytest.mark.parametrize(
        "change",
        [
            # the tag: another region, law, tenant, expiry, class
            {"allowed_regions": (EU, IN)},
            {"jurisdictions": ("in",)},
            {"tenant": "bakery"},
            {"expires_at": int(NOW) + 999_999},
            {"data_class": DataClass.METRICS},
        ],
    )
    async def test_a_rewritten_tag_is_refused(
        self,
        store: SqliteStore,
        keys: LocalKeyFile,
        database: sqlite3.Connection,
        change: dict[str, object],
    ) -> None:
        forged = tag_for().model_copy(update=change).canonical()
        database.execute("UPDATE session SET tag = ? WHERE id = ?", (forged, SESSION))
        with pytest.raises(SealError):
            await take_over(store, keys, owner="late")

    @pytest.mark.parametrize(
        "forgery",
        [
            # garbage and another session's tag
            "UPDATE session SET tag = x'00' WHERE id = :mine",
            "UPDATE session SET tag = (SELECT tag FROM session WHERE id = :other) WHERE id = :mine",
            # another agent
            "UPDATE session SET agent = 'sales' WHERE id = :mine",
            # another session's key, with and without its tag
            "UPDATE wrap SET body = (SELECT body FROM wrap WHERE session = :other)"
            " WHERE session = :mine",
            # a turn of another session
            "UPDATE turn SET body = (SELECT body FROM turn WHERE session = :other AND number = 2)"
            " WHERE session = :mine AND number = 2",
            # a turn replayed in place of another
            "UPDATE turn SET body = (SELECT body FROM turn WHERE session = :mine AND number = 1)"
            " WHERE session = :mine AND number = 3",
            # a state in place of a turn: the wrong class
            "UPDATE turn SET body = (SELECT state FROM session WHERE id = :mine)"
            " WHERE session = :mine AND number = 3",
            # turns taken out at the end, in the middle, at the start, all of them
            "DELETE FROM turn WHERE session = :mine AND number = 3",
            "DELETE FROM turn WHERE session = :mine AND number = 2",
            "DELETE FROM turn WHERE session = :mine AND number = 1",
            "DELETE FROM turn WHERE session = :mine",
            # no state, and another session's
            "UPDATE session SET state = NULL WHERE id = :mine",
            "UPDATE session SET state = (SELECT state FROM session WHERE id = :other)"
            " WHERE id = :mine",
            # the result of one tool call given to another, and an intent taken for a result
            "UPDATE tool SET outcome = (SELECT outcome FROM tool WHERE session = :mine"
            " AND call_id = 'b') WHERE session = :mine AND call_id = 'a'",
            "UPDATE tool SET outcome = intent WHERE session = :mine AND call_id = 'a'",
            "UPDATE tool SET outcome = (SELECT outcome FROM tool WHERE session = :other"
            " AND call_id = 'a') WHERE session = :mine AND call_id = 'a'",
            # a pending call made from another session's
            "UPDATE tool SET outcome = NULL, intent = (SELECT intent FROM tool"
            " WHERE session = :other AND call_id = 'a') WHERE session = :mine AND call_id = 'a'",
        ],
    )
    async def test_what_is_moved_or_taken_out_is_refused(
        self,
        store: SqliteStore,
        keys: LocalKeyFile,
        database: sqlite3.Connection,
        forgery: str,
    ) -> None:
        changed = database.execute(forgery, {"mine": SESSION, "other": OTHER})
        assert changed.rowcount > 0
        with pytest.raises(SealError):
            await take_over(store, keys, owner="late")

    async def test_a_session_under_another_id_is_refused(
        self, store: SqliteStore, keys: LocalKeyFile, database: sqlite3.Connection
    ) -> None:
        database.execute("UPDATE session SET id = 's_forged' WHERE id = ?", (SESSION,))
        for table in ("wrap", "turn", "tool"):
            database.execute(
                f"UPDATE {table} SET session = 's_forged' WHERE session = ?", (SESSION,)
            )
        with pytest.raises(SealError):
            await take_over(store, keys, "s_forged")

    async def test_a_wrapped_key_forged_for_another_region_is_refused(
        self, store: SqliteStore, keys: LocalKeyFile, database: sqlite3.Connection
    ) -> None:
        database.execute(
            "INSERT INTO wrap SELECT session, ?, body FROM wrap WHERE session = ?", (IN, SESSION)
        )
        with pytest.raises(RegionRefused):
            await take_over(store, keys, region=IN)

    async def test_keys_that_would_open_for_another_region_are_not_asked(
        self, store: SqliteStore, keys: LocalKeyFile, database: sqlite3.Connection
    ) -> None:
        """The tag decides where a session is opened, whatever a key provider would do."""

        class Obliging:
            regions = (EU, IN)

            async def wrap(self, data_key: bytes, *, region: str, tag: ResidencyTag) -> bytes:
                return await keys.wrap(data_key, region=EU, tag=tag)

            async def unwrap(self, wrapped: bytes, *, region: str, tag: ResidencyTag) -> bytes:
                return await keys.unwrap(wrapped, region=EU, tag=tag)

        database.execute(
            "INSERT INTO wrap SELECT session, ?, body FROM wrap WHERE session = ?", (IN, SESSION)
        )
        with pytest.raises(RegionRefused):
            await Journal.take_over(
                store,
                Obliging(),
                session_id=SESSION,
                region=IN,
                owner="late",
                clock=ManualClock(),
                books=books(),
            )

    async def test_an_agent_that_changes_while_the_session_is_read_is_refused(
        self, tmp_path: Path, keys: LocalKeyFile, database: sqlite3.Connection
    ) -> None:
        class Watched(SqliteStore):
            async def take(
                self, session_id: str, owner: str, now: float
            ) -> tuple[Fence, StoredSession]:
                database.execute("UPDATE session SET agent = 'sales'")
                return await super().take(session_id, owner, now)

        store = await Watched.open(tmp_path / "sessions.db")
        with pytest.raises(SealError):
            await take_over(store, keys, owner="late")
        await store.close()


# --- the receipt ---------------------------------------------------------------------------------


async def receipts(store: SqliteStore) -> list[str]:
    """The session's receipts, as they were signed."""
    return [found.receipt or "" for found in await store.read_records(session_id=SESSION)]


async def test_each_call_leaves_a_receipt_that_follows_the_one_before(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    await (await begin(store, keys)).finish(record("c_1", "lost"))
    second, _ = await take_over(store, keys)
    await second.finish(record("c_2", "hangup"))
    chain = check_chain(await receipts(store), RECEIPT_KEYS)
    assert [(one.call_id, one.leg) for one in chain.receipts] == [("c_1", 1), ("c_2", 2)]
    assert chain.missing == ()


async def test_a_call_whose_node_died_is_missing_from_the_chain_by_its_number(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    await (await begin(store, keys)).finish(record("c_1", "lost"))
    await take_over(store, keys, owner="dies")
    third, _ = await take_over(store, keys, owner="third")
    await third.finish(record("c_3", "hangup"))
    assert check_chain(await receipts(store), RECEIPT_KEYS).missing == (2,)


async def test_two_legs_that_end_at_once_follow_one_another(
    store: SqliteStore, keys: LocalKeyFile, tmp_path: Path
) -> None:
    sibling = await SqliteStore.open(tmp_path / "sessions.db")
    legs = [await begin(store, keys)]
    for number in range(5):
        leg, _ = await take_over((store, sibling)[number % 2], keys, owner=f"o{number}")
        legs.append(leg)
    async with asyncio.TaskGroup() as group:
        for number, leg in enumerate(legs):
            group.create_task(leg.finish(record(f"c_{number}", "taken_over")))
    chain = check_chain(await receipts(store), RECEIPT_KEYS)
    assert sorted(one.leg for one in chain.receipts) == [1, 2, 3, 4, 5, 6]
    await sibling.close()


async def test_a_record_that_is_written_again_keeps_its_first_receipt(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    journal = await begin(store, keys)
    await journal.finish(record("c_1", "lost"))
    before = await receipts(store)
    journal.books.notary.ledger.touch(journal.books.host, DataClass.AUDIO, Operation.PROCESS)
    await journal.finish(record("c_1", "lost"))
    assert await receipts(store) == before


async def test_a_session_whose_records_are_overtaken_for_ever_is_busy(
    store: SqliteStore, keys: LocalKeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overtaken(*_: object, **__: object) -> None:
        raise Overtaken("again")

    monkeypatch.setattr(store, "finish", overtaken)
    with pytest.raises(StoreBusy):
        await (await begin(store, keys)).finish(record())


async def test_what_the_store_was_given_and_gave_is_in_the_account_to_the_byte(
    store: SqliteStore, keys: LocalKeyFile
) -> None:
    journal = await begin(store, keys)
    await journal.commit(turn(1), {"step": "greet"})
    await journal.tool_pending("s:1:1", "book", {"day": "monday"})
    await journal.tool_settled(tool("s:1:1"))
    wrote = {entry.data_class: entry for entry in stored_in(journal)}
    again, _ = await take_over(store, keys)
    read = {entry.data_class: entry for entry in stored_in(again)}
    (_, stored) = await store.take(SESSION, "third", NOW)
    words = sum(len(body) for body in stored.turns)
    (kept,) = stored.tools
    rest = len(stored.state or b"") + len(kept.intent) + len(kept.outcome or b"")
    for entries, way in ((wrote, "sent"), (read, "received")):
        assert getattr(entries[DataClass.TRANSCRIPT], way) == words
        assert getattr(entries[DataClass.VARIABLES], way) == rest
    assert all(entry.operation is Operation.STORE for entry in (*wrote.values(), *read.values()))


def stored_in(journal: Journal) -> list[Entry]:
    return [entry for entry in journal.books.notary.ledger.entries if entry.place == STORE]


async def test_an_entry_that_failed_counts_as_sent(store: SqliteStore, keys: LocalKeyFile) -> None:
    """The answer of a store may be lost when the entry was not."""
    journal = await begin(store, keys)
    await take_over(store, keys)
    with pytest.raises(StaleOwner):
        await journal.commit(turn(1), 1)
    assert all(entry.sent for entry in stored_in(journal))


async def test_a_receipt_outlives_what_it_is_about(store: SqliteStore, keys: LocalKeyFile) -> None:
    journal = await begin(store, keys)
    await journal.finish(record())
    assert await store.sweep(NOW + 100_000) == 1
    (receipt,) = check_chain(await receipts(store), RECEIPT_KEYS).receipts
    assert receipt.session_id == SESSION
