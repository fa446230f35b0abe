"""A phone call as people and programs read it."""

from __future__ import annotations

import json

from inland.caller.records import Note, Said, Wire
from inland.phone.records import (
    KINDS,
    Dialled,
    EarlyMedia,
    Held,
    KeyHeard,
    Moved,
    PhoneAnswered,
    PhoneEnded,
    PhoneRecord,
    Redirected,
    Ringing,
    Transferred,
    to_json,
)
from inland.phone.terminal import PhoneTerminal

ENDED = PhoneEnded(
    t=9.0, reason="hangup", exit_status=0, why="the caller hung up", status=None,
    script_finished=True, lines_left=0, answers=2, wire_p50_ms=400.0, wire_p95_ms=500.0,
    wire_ms=(400.0, 500.0), packets=1234, lost=1, gap_p50_ms=20.0, gap_p99_ms=25.0, gap_max_ms=31.0,
)  # fmt: skip
CALL: list[tuple[PhoneRecord, str]] = [
    (Dialled(0.0, "sip:a@b", "udp", ("pcmu",), "off"), "dialled    sip:a@b by UDP"),
    (Ringing(0.1, 180, "Ringing"), "ringing    180 Ringing"),
    (
        EarlyMedia(0.2, 183, "pcmu", ""),
        "early      media before the answer: 183, PCMU, not encrypted",
    ),
    (
        PhoneAnswered(0.3, 212.4, "g722", "AES_X", "h:1"),
        "answered   after 212 ms, G.722, SRTP AES_X",
    ),
    (Said(1.0, "hello", "speech", "next line"), "caller     hello"),
    (Said(1.0, "hello", "barge", "barge-in"), "caller     interrupts: hello"),
    (Said(1.0, "12#", "keyed", "next line"), "caller     presses 12#"),
    (Wire(1.0, "answer", 412.0), "answer on the wire after 412 ms"),
    (KeyHeard(1.0, "5"), "agent      presses 5"),
    (Held(1.0, "caller", True), "hold       by the caller"),
    (Held(1.0, "agent", False), "resumed    by the agent"),
    (Redirected(1.0, 302, "Moved", "sip:c@d"), "redirected 302 Moved: try sip:c@d"),
    (Transferred(1.0, "sip:c@d", None, ""), "transfer   to sip:c@d"),
    (Transferred(1.0, "sip:c@d", 200, "OK"), "transfer   sip:c@d has answered"),
    (
        Transferred(1.0, "sip:c@d", 486, "Busy"),
        "transfer   sip:c@d did not take the call: 486 Busy",
    ),
    (Note(1.0, "look"), "note       look"),
    (ENDED, "ended      hangup: the caller hung up"),
]


def lines_of(record: PhoneRecord) -> list[str]:
    lines: list[str] = []
    PhoneTerminal(lines.append, colour=False).show(record)
    return lines


def test_each_thing_that_happens_is_a_line() -> None:
    for record, line in CALL:
        assert line in lines_of(record)[0]


def test_a_move_says_from_where_to_where_and_how_long_nothing_came() -> None:
    text = " ".join(" ".join(lines_of(Moved(1.0, "h:1", "h:2", 1204.4))).split())
    assert "from h:2, no longer from h:1; 1204 ms without a packet" in text


def test_the_end_sums_up_what_was_measured() -> None:
    text = "\n".join(lines_of(ENDED))
    assert "p50 400 ms, p95 500 ms (2 measured)" in text
    assert "1,234 packets received, 1 lost, gap p99 25 ms, longest 31 ms" in text


def test_words_of_the_far_end_do_not_steer_the_terminal() -> None:
    (line,) = lines_of(Ringing(0.0, 180, "\x1b[2Jgone"))
    assert "\x1b" not in line


def test_every_record_has_a_name_for_programs() -> None:
    for record, _ in CALL:
        assert json.loads(to_json(record))["record"] == KINDS[type(record)]
