"""Which lines leave a machine, and how many at once."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from edge.logs import JsonFormatter
from inland.fleet.log_batches import (
    EVENT_OVERHEAD,
    MAX_BATCH_BYTES,
    MAX_EVENTS,
    MAX_SPAN_MS,
    Line,
    Waiting,
    is_ours,
    read_journal_line,
)

OURS = json.dumps({"at": 1.5, "level": "info", "logger": "edge.node", "message": "draining"})


def line(
    number: int, *, at: int | None = None, unit: str = "inland-edge", text: str = OURS
) -> Line:
    return Line(unit, number if at is None else at, f"c{number}", text)


def filled(*lines: Line, limit: int = 10**9) -> Waiting:
    waiting = Waiting(limit)
    for each in lines:
        waiting.add(each)
    return waiting


def formatted(logger: str, message: str, **extra: object) -> str:
    record = logging.LogRecord(logger, logging.INFO, "f.py", 1, message, (), None)
    vars(record).update(extra)
    return JsonFormatter(node="eu-central-1-a").format(record)


def test_what_our_formatter_writes_is_ours() -> None:
    assert is_ours(formatted("edge.node", "draining", count=3, call="abc"))
    assert is_ours(formatted("aiohttp.server", "Error handling request from 198.51.100.7"))


def test_an_error_with_the_errors_inside_it_is_ours() -> None:
    try:
        raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])
    except ExceptionGroup:
        record = logging.LogRecord("edge.call", 40, "f.py", 1, "broke", (), sys.exc_info())
    assert is_ours(JsonFormatter().format(record))


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last):",
        "{}",
        "[]",
        '"text"',
        "{" * 100_000,
        OURS[:-1] + ', "caller": "+4915112345678"}',
        OURS[:-1] + ', "reason": {"said": "my name is"}}',
        OURS[:-1] + ', "reason": ["my name is"]}',
        OURS[:-1] + ', "where": [{"said": "my name is"}]}',
        OURS[:-1] + ', "inside": [{"text": "my name is"}]}',
        OURS.replace("edge.node", "aiohttp.server"),
        OURS.replace('"draining"', "7"),
        OURS[:-1] + ', "reason": "' + "x" * 70_000 + '"}',
    ],
)
def test_anything_else_stays_on_the_machine_and_is_counted(text: str) -> None:
    waiting = filled(line(1, text=text), line(2))
    assert waiting.foreign == 1
    assert [each.cursor for each in waiting.batch()] == ["c2"]


def test_a_line_of_the_journal_is_read_with_its_unit_time_and_cursor() -> None:
    raw = {
        "_SYSTEMD_UNIT": "inland-edge.service",
        "__REALTIME_TIMESTAMP": "1790000000123456",
        "__CURSOR": "s=1;i=2",
        "MESSAGE": OURS,
    }
    assert read_journal_line(json.dumps(raw).encode()) == Line(
        "inland-edge", 1_790_000_000_123, "s=1;i=2", OURS
    )
    binary = raw | {"MESSAGE": [1, 2, 255]}
    found = read_journal_line(json.dumps(binary).encode())
    assert found is not None and not is_ours(found.text)
    assert read_journal_line(b"") is None
    assert read_journal_line(b"{}") is None


def test_a_batch_has_at_most_ten_thousand_events() -> None:
    waiting = filled(*(line(number) for number in range(MAX_EVENTS + 5)))
    assert waiting.full
    first = waiting.batch()
    assert len(first) == MAX_EVENTS
    waiting.sent(first)
    assert len(waiting.batch()) == 5


def test_a_batch_has_at_most_a_mebibyte_with_its_overhead() -> None:
    text = OURS[:-1] + ', "reason": "' + "ä" * 10_000 + '"}'
    waiting = filled(*(line(number, text=text) for number in range(100)))
    batch = waiting.batch()
    size = sum(len(each.text.encode()) + EVENT_OVERHEAD for each in batch)
    assert size <= MAX_BATCH_BYTES < size + batch[0].weight


def test_a_batch_spans_less_than_a_day() -> None:
    waiting = filled(line(1, at=0), line(2, at=MAX_SPAN_MS - 1), line(3, at=MAX_SPAN_MS))
    assert [each.cursor for each in waiting.batch()] == ["c1", "c2"]


def test_a_batch_is_in_order_of_time() -> None:
    waiting = filled(line(1, at=5), line(2, at=3), line(3, at=9))
    assert [each.at for each in waiting.batch()] == [3, 5, 9]


def test_a_batch_is_of_one_unit() -> None:
    waiting = filled(line(1), line(2, unit="inland-agent"), line(3))
    batch = waiting.batch()
    assert [each.cursor for each in batch] == ["c1", "c3"]
    waiting.sent(batch)
    assert [each.cursor for each in waiting.batch()] == ["c2"]


def test_the_oldest_lines_go_when_the_api_is_away_for_long() -> None:
    waiting = filled(*(line(number) for number in range(10)), limit=4 * line(0).weight)
    assert waiting.dropped == 6
    assert [each.cursor for each in waiting.batch()] == ["c6", "c7", "c8", "c9"]


def test_a_restart_begins_behind_the_last_line_that_nothing_older_waits_for() -> None:
    waiting = filled(line(1), line(2, unit="inland-agent"), line(3), line(4, text="foreign"))
    waiting.sent(waiting.batch())
    assert waiting.resume == "c1", "c2 still waits"
    waiting.sent(waiting.batch())
    assert waiting.resume == "c4", "nothing waits; the foreign line need not be read again"
