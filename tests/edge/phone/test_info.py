"""Keys in the body of an INFO."""

from __future__ import annotations

import pytest

from edge.phone.info import MAX_BODY, digit_of_info

RELAY = "application/dtmf-relay"


@pytest.mark.parametrize(
    ("content_type", "body", "key"),
    [
        (RELAY, b"Signal=5\r\nDuration=160\r\n", "5"),
        (RELAY, b"signal = #\nduration=100", "#"),
        (RELAY, b"Duration=160\r\nSignal=10\r\n", "*"),
        (RELAY, b"Signal=b", "B"),
        ("application/dtmf", b"7\r\n", "7"),
        ("application/dtmf", b" 11 ", "#"),
    ],
)
def test_a_key_is_read_in_every_usual_spelling(content_type: str, body: bytes, key: str) -> None:
    assert digit_of_info(content_type, body) == key


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (RELAY, b""),
        (RELAY, b"Signal=\r\n"),
        (RELAY, b"Signal=55"),
        (RELAY, b"\xff\xfe=\xff"),
        (RELAY, b"Duration=100\r\n" * MAX_BODY + b"Signal=5"),
        ("application/dtmf", b""),
        ("application/dtmf", b"E"),
        ("application/sdp", b"Signal=5"),
    ],
)
def test_anything_else_is_no_key(content_type: str, body: bytes) -> None:
    assert digit_of_info(content_type, body) is None
