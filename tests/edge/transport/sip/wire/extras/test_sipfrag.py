"""The body of a NOTIFY (RFC 3420) says how a transfer goes."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.sipfrag import format_sipfrag, parse_sipfrag


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"SIP/2.0 100 Trying", (100, "Trying")),
        (b"SIP/2.0 486 Busy Here\r\nTo: <sip:a>\r\n", (486, "Busy Here")),
        (b"\r\nsip/2.0 200\n", (200, "")),
        (b"SIP/2.0 200 \xff", (200, "\udcff")),
    ],
)
def test_the_status_is_read_and_written_the_same(body: bytes, status: tuple[int, str]) -> None:
    assert parse_sipfrag(body) == status
    assert parse_sipfrag(format_sipfrag(*status)) == status


@pytest.mark.parametrize("body", [b"", b"INVITE sip:h SIP/2.0\r\n", b"SIP/2.0 20 OK", b"\0"])
def test_another_fragment_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        parse_sipfrag(body)


def test_a_reason_brings_in_no_line() -> None:
    assert format_sipfrag(200, "a\r\nb") == b"SIP/2.0 200 a  b\r\n"
