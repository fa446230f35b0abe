"""User-to-User (RFC 7433) carries bytes or text."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.user_to_user import UserToUser


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("48656C6c6f;encoding=hex", UserToUser(b"Hello")),
        ("00ff;encoding=HEX;purpose=x;content=y", UserToUser(b"\0\xff", "hex", "x", "y")),
        ("0a0b", UserToUser(b"\n\x0b")),
        ("hello", UserToUser(b"hello", "text")),
        ('"h;i, \\"j\\"";encoding=text', UserToUser(b'h;i, "j"', "text")),
        ('"caf\udce9";encoding=ascii', UserToUser(b"caf\xe9", "ascii")),
    ],
)
def test_a_user_to_user_is_read_and_written_the_same(text: str, data: UserToUser) -> None:
    assert UserToUser.parse(text) == data
    assert UserToUser.parse(str(data)) == data


@pytest.mark.parametrize(
    "text", ["", ";encoding=hex", "0;encoding=hex", "0g;encoding=hex", 'a;encoding="b"', '"a']
)
def test_a_malformed_user_to_user_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        UserToUser.parse(text)
