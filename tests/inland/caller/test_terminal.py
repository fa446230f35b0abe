"""What a person reads, and the JSON a program reads."""

from __future__ import annotations

import json
import re

import pytest

from control_plane.contract import RegionVerdict
from inland.caller.errors import RefusedError
from inland.caller.outcome import outcome
from inland.caller.records import (
    KINDS,
    AgentSaid,
    CallerHeard,
    Connected,
    Ended,
    HandedOver,
    Note,
    PartialHeard,
    Placed,
    Reconnected,
    Record,
    Said,
    Timings,
    Tool,
    Wire,
    to_json,
)
from inland.caller.terminal import WIDTH, Terminal

LONG = "a rather long sentence that goes on " * 8
EVERY: tuple[Record, ...] = (
    Placed(
        0.1,
        "s_1",
        "1#ab",
        ("eea",),
        (
            {"region": "eu-central-1", "node": "a", "url": "http://a", "reason": "nearest"},
            {"region": "eu-west-1", "node": "b", "url": "http://b", "reason": "sibling"},
        ),
        ({"region": "ap-south-1", "allowed": False, "reason": LONG},),
    ),
    Connected(0.2, "s_1", "c_1", "eu-central-1", "a", "http://a", "opus", False, 81.2),
    AgentSaid(1.0, LONG, False),
    Said(1.5, "half past nine", "speech", "next line"),
    PartialHeard(1.6, "half"),
    CallerHeard(2.0, "half past five", True),
    Tool(2.1, "book", {"day": LONG, "at": "09:30"}, True, {"id": 7}),
    Timings(2.2, 3, 300, 4, 2, 30, 20, 356),
    Wire(2.2, "answer", 371.0),
    Reconnected(3.0, "the edge went silent", "a", "b", 2, 3120.0, 4),
    Note(3.1, "something"),
    HandedOver(3.2, "the caller asked"),
    Ended(
        4.0, "completed", 0, "the agent ended the call", "s_1", "eu-central-1", "a", True, 0, 1, 2,
        1, 0, 1, 371.0, 371.0, (371.0,), 1204, 3, 20.0, 24.0, 41.0,
    ),
)  # fmt: skip


def shown(*records: Record, colour: bool = False) -> list[str]:
    lines: list[str] = []
    terminal = Terminal(lines.append, colour=colour)
    for record in records:
        terminal.show(record)
    return lines


def test_no_line_is_wider_than_a_hundred_columns() -> None:
    lines = shown(*EVERY)
    assert len(lines) > 20
    assert all(len(line) <= WIDTH for line in lines)


def test_without_colour_there_is_no_escape_sequence() -> None:
    assert not any("\x1b" in line for line in shown(*EVERY))
    assert any("\x1b[" in line for line in shown(*EVERY, colour=True))


def test_partials_are_collapsed_into_the_final_words() -> None:
    assert shown(PartialHeard(1.0, "half past")) == []


def test_what_was_said_is_shown_only_where_it_was_heard_otherwise() -> None:
    same = shown(Said(1.0, "Half past nine.", "speech", ""), CallerHeard(2, "half past nine", True))
    other = shown(Said(1.0, "half past nine", "speech", ""), CallerHeard(2, "half past five", True))
    assert not any("said:" in line for line in same)
    assert any("said: half past nine" in line for line in other)


def test_a_refusal_names_every_region_within_a_hundred_columns() -> None:
    lines: list[str] = []
    verdicts = tuple(
        RegionVerdict(region=region, allowed=allowed, reason=LONG)
        for region, allowed in (("ap-south-1", False), ("me-central-1", True))
    )
    Terminal(lines.append, colour=False).refused(
        RefusedError("no_region_available", LONG, verdicts)
    )
    assert all(len(line) <= WIDTH for line in lines)
    text = "\n".join(lines)
    assert "(no_region_available)" in text
    assert re.search(r"not +ap-south-1", text)
    assert re.search(r"may serve +me-central-1", text)


def test_an_edge_cannot_steer_the_terminal() -> None:
    lines = shown(AgentSaid(1.0, "hello\x1b[2J\x07\rbye", False))
    assert all(line.isprintable() for line in lines)


def test_every_record_is_one_line_of_json_with_its_name() -> None:
    for record in EVERY:
        line = to_json(record)
        assert "\n" not in line
        assert json.loads(line)["record"] == KINDS[type(record)]
    assert set(KINDS) == {type(record) for record in EVERY}


@pytest.mark.parametrize(
    ("reason", "left", "status"),
    [
        ("completed", 0, 0),
        ("handover", 0, 0),
        ("hangup", 0, 0),
        ("interrupted", 0, 0),
        ("interrupted", 1, 5),
        ("completed", 2, 5),
        ("handover", 1, 5),
        ("timeout", 0, 5),
        ("idle", 0, 5),
        ("lost", 0, 4),
        ("error", 0, 4),
        ("draining", 1, 4),
        ("taken_over", 0, 4),
        ("something new", 0, 0),
    ],
)
def test_the_exit_status_tells_how_it_went(reason: str, left: int, status: int) -> None:
    result = outcome(reason, lines_left=left)
    assert result.exit_status == status
    assert result.why
    if left and status == 5:
        assert f"{left} line" in result.why
