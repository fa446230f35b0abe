"""Retry-After says when to come again."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.retry_after import RetryAfter


@pytest.mark.parametrize(
    ("text", "retry"),
    [
        ("18000;duration=3600", RetryAfter(18000, 3600)),
        ("120 (I'm in a (long) meeting; <really)", RetryAfter(120)),
        ("120 (late) ;duration=60", RetryAfter(120, 60)),
        ("9" * 100, RetryAfter(2**32 - 1)),
    ],
)
def test_a_retry_after_is_read_and_written_the_same(text: str, retry: RetryAfter) -> None:
    assert RetryAfter.parse(text) == retry
    assert RetryAfter.parse(str(retry)) == retry


@pytest.mark.parametrize("text", ["", "soon", "-1", "1 (open", "1;duration=x", "(1)"])
def test_a_malformed_retry_after_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        RetryAfter.parse(text)
