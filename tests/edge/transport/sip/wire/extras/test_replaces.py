"""Replaces (RFC 3891) names a session by its Call-ID and both tags."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.replaces import Replaces


@pytest.mark.parametrize(
    ("text", "replaces"),
    [
        ("1@h;to-tag=a;from-tag=b", Replaces("1@h", "a", "b")),
        (" 1@h ; From-Tag=b ; to-tag = 0 ; early-only", Replaces("1@h", "0", "b", True)),
        ('a"<b>@h;to-tag=a;from-tag=b', Replaces('a"<b>@h', "a", "b")),
    ],
)
def test_a_replaces_is_read_and_written_the_same(text: str, replaces: Replaces) -> None:
    assert Replaces.parse(text) == replaces
    assert Replaces.parse(str(replaces)) == replaces


@pytest.mark.parametrize(
    "text",
    ["", "1@h", "1@h;to-tag=a", "1@h;from-tag", ";to-tag=a;from-tag=b", "1;to-tag;from-tag=b"],
)
def test_a_replaces_needs_a_call_and_both_tags(text: str) -> None:
    with pytest.raises(MessageError):
        Replaces.parse(text)


def test_parameters_of_a_replaces_are_bounded() -> None:
    with pytest.raises(MessageError):
        Replaces.parse("1@h;to-tag=a;from-tag=b" + ";x" * 1000)
