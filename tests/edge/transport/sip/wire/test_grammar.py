"""Splitting, quoting and numbers."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError, MessageTooLarge
from edge.transport.sip.wire.grammar import (
    MAX_DELTA,
    MAX_PARTS,
    format_parameters,
    one_line,
    parse_delta,
    parse_number,
    parse_parameters,
    quote,
    quoted_length,
    split_outside,
    to_bytes,
    to_text,
    unquote,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [""]),
        (";", ["", ""]),
        (" a ; b", ["a", "b"]),
        ('";";a', ['";"', "a"]),
        ('"\\";";a', ['"\\";"', "a"]),
        ('"\\\\";"a;"', ['"\\\\"', '"a;"']),
        ("<;>;a>", ["<;>", "a>"]),
        ('<">;a;"<"', ['<">', "a", '"<"']),
        ("a\u00a0;\u2028b", ["a\u00a0", "\u2028b"]),
    ],
)
def test_text_is_cut_outside_of_quotes_and_brackets(text: str, parts: list[str]) -> None:
    assert split_outside(text, ";") == parts


@pytest.mark.parametrize("text", ['"', 'a;"b', '"\\"', "<", "a;<b", '<"', '"<'])
def test_an_open_quote_or_bracket_is_an_error(text: str) -> None:
    with pytest.raises(MessageError):
        split_outside(text, ";")


@pytest.mark.parametrize("end", ["", '""'])
def test_parts_are_counted_with_and_without_quotes(end: str) -> None:
    assert len(split_outside(";" * (MAX_PARTS - 1) + end, ";")) == MAX_PARTS
    with pytest.raises(MessageTooLarge):
        split_outside(";" * MAX_PARTS + end, ";")


def test_what_was_quoted_is_unquoted() -> None:
    assert quote('a"\\b') == '"a\\"\\\\b"'
    assert unquote(quote('a"\\b\n')) == 'a"\\b\n'
    assert [unquote(text) for text in ("a", '"', '"a', '""', '"\\"')] == ["a", '"', '"a', "", ""]
    assert [quoted_length(text) for text in ('"a\\"" b', 'b "a"', '"a')] == [5, 0, 0]


def test_the_first_of_two_parameters_counts() -> None:
    found = parse_parameters(["A = 1", "", "a=2", "b", "c=", "=x", 'd="e=f"'])
    assert found == {"a": "1", "b": None, "c": "", "d": '"e=f"'}
    assert format_parameters(found) == ';a=1;b;c=;d="e=f"'
    with pytest.raises(MessageTooLarge):
        parse_parameters(["a"] * (MAX_PARTS + 1))


def test_an_interval_that_is_too_long_is_the_longest() -> None:
    assert [parse_delta(text) for text in ("0", " 60 ", "4294967296", "9" * 5000)] == [
        0,
        60,
        MAX_DELTA,
        MAX_DELTA,
    ]


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "٣", "1 2"])
def test_what_is_no_number_is_an_error(text: str) -> None:
    for read in (parse_delta, parse_number):
        with pytest.raises(MessageError):
            read(text)


def test_a_number_may_not_have_more_digits_than_asked_for() -> None:
    assert parse_number("0123", digits=4) == 123
    with pytest.raises(MessageError):
        parse_number("01234", digits=4)


def test_a_line_stays_one_line() -> None:
    assert one_line("a\r\nb\0c") == "a  b c"


def test_any_bytes_become_text_and_bytes_again() -> None:
    data = bytes(range(256)) + "é\u2028".encode()
    assert to_bytes(to_text(data)) == data
    assert to_bytes("\ud800é\udcff") == "?é?".encode()
