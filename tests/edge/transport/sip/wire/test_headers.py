"""Names, lists and order of header fields."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError, MessageTooLarge
from edge.transport.sip.wire.headers import COMPACT, Headers, canonical, pretty


def test_a_compact_name_is_the_long_one() -> None:
    headers = Headers([("v", "1"), ("VIA", "2")])
    assert headers.all("Via") == ("1", "2")
    assert all(canonical(name.upper()) == full for name, full in COMPACT.items())


def test_names_are_written_as_the_rfc_does() -> None:
    assert [pretty(name) for name in ("call-id", "cseq", "www-authenticate", "p-x-y")] == [
        "Call-ID",
        "CSeq",
        "WWW-Authenticate",
        "P-X-Y",
    ]


def test_lists_are_split_and_others_are_not() -> None:
    headers = Headers([("Supported", "100rel , timer"), ("k", ",,x"), ("Date", "a, b")])
    assert headers.all("supported") == ("100rel", "timer", "x")
    assert headers.tokens("Supported") == {"100rel", "timer", "x"}
    assert headers.all("date") == ("a, b",)
    assert headers.lines("k") == ("100rel , timer", ",,x")


def test_a_comma_in_quotes_or_brackets_separates_nothing() -> None:
    headers = Headers([("Contact", '"a, \\"b" <sip:x,y@z>;p="1,2", <sip:c>')])
    assert headers.all("contact") == ('"a, \\"b" <sip:x,y@z>;p="1,2"', "<sip:c>")


@pytest.mark.parametrize("value", ['"', "<", '"\\"', 'a, "b', "<a, b"])
def test_an_open_quote_or_bracket_is_refused(value: str) -> None:
    with pytest.raises(MessageError):
        Headers([("contact", value)]).all("contact")


def test_values_of_many_lines_are_counted_together() -> None:
    headers = Headers([("contact", "a,b")] * 65)
    with pytest.raises(MessageTooLarge):
        headers.all("contact")


def test_set_leaves_one_field() -> None:
    headers = Headers([("a", "1"), ("Accept-Contact", "2"), ("b", "3")])
    headers.set("A", "4")
    assert list(headers) == [("referred-by", "3"), ("accept-contact", "4")]


def test_a_refused_name_leaves_the_headers_as_they_were() -> None:
    headers = Headers([("a b".replace(" ", "-"), "1")])
    with pytest.raises(MessageError):
        headers.set("a b", "2")
    assert list(headers) == [("a-b", "1")]


def test_the_first_value_of_a_list_is_replaced_where_it_stands() -> None:
    headers = Headers([("to", "x"), ("via", "1, 2"), ("from", "y"), ("via", "3")])
    headers.replace_first("v", "9")
    assert list(headers) == [("to", "x"), ("via", "9"), ("via", "2"), ("via", "3"), ("from", "y")]


def test_a_copy_is_independent() -> None:
    headers = Headers([("to", "x")])
    copy = headers.copy()
    copy.add("from", "y")
    assert "from" in copy
    assert "from" not in headers
    assert headers != copy
