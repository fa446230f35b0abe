"""Refer-To (RFC 3515) names a target, and what the new INVITE is to carry."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.refer_to import ReferTo
from edge.transport.sip.wire.extras.replaces import Replaces


def test_a_blind_transfer_names_a_target() -> None:
    found = ReferTo.parse('"Bob" <sip:bob@h;method=INVITE>;x=y')
    assert found == ReferTo("sip:bob@h;method=INVITE")
    assert found.replaces is None
    assert ReferTo.parse("sip:bob@h").uri == "sip:bob@h"


def test_an_attended_transfer_carries_an_escaped_replaces() -> None:
    replaces = Replaces("1@h", "a", "b")
    refer = ReferTo("sip:bob@h", (("Replaces", str(replaces)), ("User-to-User", "0&?a=")))
    assert str(refer) == (
        "<sip:bob@h?Replaces=1%40h%3Bto-tag%3Da%3Bfrom-tag%3Db&User-to-User=0%26%3Fa%3D>"
    )
    assert ReferTo.parse(str(refer)) == refer
    assert refer.replaces == replaces


def test_a_header_is_added_to_those_that_a_target_has() -> None:
    refer = ReferTo.parse("<sip:bob@h;lr?a=b>").with_header("User-to-User", "00;encoding=hex")
    assert refer.target == "sip:bob@h;lr?a=b&User-to-User=00%3Bencoding%3Dhex"
    assert str(refer) == f"<{refer.target}>"


def test_a_replaces_that_was_not_escaped_throughout_is_read() -> None:
    found = ReferTo.parse("<sip:bob@h?replaces=1@x%3Bto-tag%3Da%3Bfrom-tag%3Db>")
    assert (found.uri, found.replaces) == ("sip:bob@h", Replaces("1@x", "a", "b"))


def test_an_empty_header_part_is_none() -> None:
    assert ReferTo.parse("<sip:bob@h?>") == ReferTo("sip:bob@h")


@pytest.mark.parametrize("text", ["", "<sip:bob@h", "<sip:>", "<sip:bob@h?" + "a=b&" * 200 + ">"])
def test_a_malformed_refer_to_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        ReferTo.parse(text)


def test_another_scheme_is_416() -> None:
    with pytest.raises(MessageError) as raised:
        ReferTo.parse("<http://h>")
    assert raised.value.status == 416
