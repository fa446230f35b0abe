"""What a node writes down of its callers: every session, every refusal, no stranger's flood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge import audit_trail
from edge.audit import Entry, read_line
from edge.audit_heads import AUDIT_PURPOSE, HeadKey, head_texts
from edge.audit_log import AuditError, AuditLog, Happened
from edge.audit_trail import AuditSettings, AuditTrail, audited, digest_of, open_log
from edge.audit_verify import Verdict, verify
from edge.internal import Admitted, CallOpened
from edge.problem import EdgeRefusal
from tests.edge.session.parts import EU, OTHER, SESSION, ManualClock, key_file

CALLER = Admitted(
    session_id=SESSION,
    tenant="clinic",
    agent="reception",
    jurisdictions=("eea",),
    policy="2026-11-21.1#0123456789ab",
    regions={"audio": (EU,)},
    resumed=False,
)
BACK = CALLER.model_copy(update={"resumed": True})


@pytest.fixture
async def trail(tmp_path: Path) -> AsyncIterator[AuditTrail]:
    clock = ManualClock()
    log = open_log(AuditSettings(), tmp_path, key_file(tmp_path), who="node-a", clock=clock)
    yield AuditTrail(log, clock)


@asynccontextmanager
async def running(
    trail: AuditTrail, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncio.Event]:
    """The trail at work; the event is set when it has written a batch."""
    written, loop = asyncio.Event(), asyncio.get_running_loop()
    append = AuditLog.append

    def told(self: AuditLog, happened: Sequence[Happened], *, sign: bool) -> int:
        last = append(self, happened, sign=sign)
        loop.call_soon_threadsafe(written.set)
        return last

    monkeypatch.setattr(AuditLog, "append", told)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(trail.run())
        yield written
        task.cancel()


def entries(folder: Path) -> list[Entry]:
    found = [read_line(line) for line in (folder / "audit.jsonl").read_bytes().splitlines()]
    return [entry for entry in found if entry is not None]


def judged(folder: Path) -> Verdict:
    key = HeadKey(key_file(folder).subkey(AUDIT_PURPOSE))
    heads = head_texts((folder / "audit.heads").read_text().splitlines())
    return verify((folder / "audit.jsonl").read_bytes(), heads, {key.key_id: key.public})


async def test_a_nodes_life_is_written_down_and_signed(trail: AuditTrail, tmp_path: Path) -> None:
    await trail.begin(region=EU, settings=digest_of({"a": 1}))
    trail.opened(CALLER)
    trail.opened(BACK)
    trail.receipts_read("clinic", SESSION)
    trail.policy_in_force(2**53 - 1, "2026-11-21.1#0123456789ab")
    trail.policy_refused("bad_signature")
    await trail.end()
    found = entries(tmp_path)
    assert [entry.event for entry in found] == [
        "log_began",
        "node_started",
        "session_begun",
        "session_resumed",
        "receipts_read",
        "policy_in_force",
        "policy_refused",
        "node_stopped",
    ]
    assert found[2].facts == {"session": SESSION, "tenant": "clinic", "agent": "reception"}
    assert found[5].facts == {"serial": 2**53 - 1, "policy": "2026-11-21.1#0123456789ab"}
    assert found[6].facts == {"code": "bad_signature"}
    assert judged(tmp_path) == Verdict((), 8, 8)


async def test_whoever_is_refused_is_written_down_with_the_reason(
    trail: AuditTrail, tmp_path: Path
) -> None:
    with pytest.raises(EdgeRefusal), audited(trail, BACK):
        raise EdgeRefusal("unknown_session", "no such session")
    with audited(trail, CALLER):
        pass
    await trail.end()
    refused, begun, _ = entries(tmp_path)[1:]
    assert (refused.event, refused.facts["code"]) == ("session_refused", "unknown_session")
    assert begun.event == "session_begun"


async def test_a_session_that_was_carried_here_is_written_down_by_its_own_id(
    trail: AuditTrail, tmp_path: Path
) -> None:
    carried = CallOpened(
        call_id="rtc_w0_x", answer="v=0", session_id=OTHER, carried_from="eu-west-1"
    )
    with audited(trail, CALLER) as outcome:
        outcome.carried(carried)
    with audited(trail, CALLER) as outcome:
        outcome.carried(CallOpened(call_id="rtc_w0_y", answer="v=0"))
    await trail.end()
    brought, begun, _ = entries(tmp_path)[1:]
    assert brought.event == "session_carried"
    assert brought.facts == {
        "session": OTHER,
        "tenant": "clinic",
        "agent": "reception",
        "carried_from": "eu-west-1",
    }
    assert (begun.event, begun.facts["session"]) == ("session_begun", SESSION)


async def test_a_flood_of_strangers_is_one_entry(trail: AuditTrail, tmp_path: Path) -> None:
    for _ in range(1000):
        trail.stranger("bad_token")
    trail.stranger("wrong_region")
    await trail.end()
    counted = [entry for entry in entries(tmp_path) if entry.event == "strangers_refused"]
    assert [entry.facts for entry in counted] == [{"bad_token": 1000, "wrong_region": 1}]


async def test_what_happens_is_written_while_the_node_serves(
    trail: AuditTrail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(trail, monkeypatch) as written:
        trail.opened(CALLER)
        await written.wait()
    assert [entry.event for entry in entries(tmp_path)] == ["log_began", "session_begun"]


async def test_many_entries_are_signed_for_without_waiting_for_the_minute(
    trail: AuditTrail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "SIGN_ENTRIES", 5)
    async with running(trail, monkeypatch) as written:
        for _ in range(5):
            trail.opened(CALLER)
        await written.wait()
    assert judged(tmp_path) == Verdict((), 6, 6)


async def test_entries_wait_while_the_file_cannot_be_written(
    trail: AuditTrail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "MAX_WAITING", 3)
    path = tmp_path / "audit.jsonl"
    path.mkdir()
    for _ in range(4):
        trail.opened(CALLER)
    with pytest.raises(AuditError):
        await trail.begin()
    await trail.end()  # nobody is kept from closing
    path.rmdir()
    trail._waiting.pop()
    await trail.end()
    found = entries(tmp_path)
    assert [entry.event for entry in found[1:3]] == ["session_begun", "session_begun"]
    assert judged(tmp_path).findings == ()


def test_a_digest_tells_settings_apart_and_does_not_depend_on_their_order() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
