"""Reason (RFC 3326) says why."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.reason import Reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('SIP ;cause=200 ;text="a; \\"b\\""', Reason("SIP", 200, 'a; "b"')),
        ("Q.850;cause=16", Reason("Q.850", 16)),
        ("preemption", Reason("preemption")),
        ("Q.850;text=word", Reason("Q.850", None, "word")),
    ],
)
def test_a_reason_is_read_and_written_the_same(text: str, reason: Reason) -> None:
    assert Reason.parse(text) == reason
    assert Reason.parse(str(reason)) == reason


@pytest.mark.parametrize("text", ["", ";cause=1", "SIP;cause=x", "SIP;cause=999999", 'SIP;text="'])
def test_a_malformed_reason_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        Reason.parse(text)
