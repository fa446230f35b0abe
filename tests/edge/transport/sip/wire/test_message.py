"""What the parser takes, what it bounds, and what the writer can never be made to write."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError, MessageTooLarge
from edge.transport.sip.wire.message import (
    MAX_HEADER,
    MAX_HEADERS,
    MAX_LINES,
    MAX_MESSAGE,
    Headers,
    Request,
    Response,
    parse_message,
)
from edge.transport.sip.wire.uri import MAX_URI

NEEDED = (
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    b"From: <sip:alice@example.com>;tag=1\r\n"
    b"To: <sip:bob@example.com>\r\n"
    b"Call-ID: 1@example.com\r\n"
    b"CSeq: 1 INVITE\r\n"
)
START = b"INVITE sip:bob@example.com SIP/2.0\r\n"


def invite(extra: bytes = b"", body: bytes = b"") -> bytes:
    return START + NEEDED + extra + b"\r\n" + body


def refusal(data: bytes) -> MessageError:
    with pytest.raises(MessageError) as raised:
        parse_message(data)
    return raised.value


def test_without_a_content_length_the_body_of_a_datagram_reaches_to_its_end() -> None:
    assert parse_message(invite(body=b"v=0\r\n")).body == b"v=0\r\n"


def test_bytes_behind_the_content_length_of_a_datagram_are_ignored() -> None:
    assert parse_message(invite(b"l: 3\r\n", b"v=0\r\n")).body == b"v=0"


def test_a_body_that_lacks_one_byte_is_refused() -> None:
    assert refusal(invite(b"l: 6\r\n", b"v=0\r\n")).status == 400


@pytest.mark.parametrize("length", [b"", b"x", b"-1", b"+1", b"1 1", "٣".encode(), b"0x1"])
def test_a_content_length_that_is_no_number_is_refused(length: bytes) -> None:
    error = refusal(invite(b"Content-Length: " + length + b"\r\n"))
    assert (error.status, error.headers is None) == (400, False)


def test_the_same_content_length_twice_is_read_once() -> None:
    assert parse_message(invite(b"l: 1\r\nContent-Length: 1\r\n", b"abc")).body == b"a"


def test_lines_may_all_end_with_lf() -> None:
    message = parse_message(invite(b"Subject: a\r\n b\r\n", b"").replace(b"\r\n", b"\n"))
    assert message.headers.get("subject") == "a b"


def test_a_body_with_crlf_may_follow_lines_that_end_with_lf() -> None:
    head = invite().replace(b"\r\n", b"\n")
    assert parse_message(head + b"v=0\r\n\r\n").body == b"v=0\r\n\r\n"


@pytest.mark.parametrize("stray", [b"\n", b"\r", b"\r\r", b"\n\n", b"\n\r"])
def test_a_mixture_of_line_ends_is_refused(stray: bytes) -> None:
    # A proxy that ends lines at CRLF alone has seen one header here, and checked one.
    data = invite(b"Subject: a" + stray + b"P-Asserted-Identity: <sip:boss@example.com>\r\n")
    refusal(data)


def test_line_ends_before_a_message_are_skipped() -> None:
    assert parse_message(b"\r\n\r\n" + invite()) == parse_message(invite())


def test_versions_and_header_names_may_be_in_any_case() -> None:
    data = invite().replace(b"SIP/2.0", b"sip/2.0").replace(b"Call-ID", b"cALL-iD")
    assert parse_message(data).call_id == "1@example.com"


@pytest.mark.parametrize("line", [b"Subject\r\n", b": a\r\n", b"Sub ject: a\r\n", b"S\xe9: a\r\n"])
def test_a_malformed_header_line_is_refused_and_answered(line: bytes) -> None:
    error = refusal(invite(line))
    assert (error.status, error.headers is None) == (400, False)


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_header_that_everybody_needs_is_missed(name: str) -> None:
    lines = [line for line in invite().split(b"\r\n") if not line.startswith(name.encode() + b":")]
    error = refusal(b"\r\n".join(lines))
    assert name in error.detail
    assert (error.headers is None) == (name == "Via")


def test_an_ack_is_never_answered() -> None:
    assert refusal(invite(b"x\r\n").replace(b"INVITE", b"ACK")).headers is None


def test_a_response_is_never_answered() -> None:
    assert refusal(b"SIP/2.0 200 OK\r\n" + NEEDED + b"x\r\n\r\n").headers is None


def test_a_nul_is_read_as_a_space() -> None:
    message = parse_message(b"SIP/2.0 200 O\0K\r\n" + NEEDED + b"Subject: a\0b\r\n\r\n")
    assert isinstance(message, Response)
    assert (message.reason, message.headers.get("subject")) == ("O K", "a b")


@pytest.mark.parametrize("status", [b"99", b"099", b"700", b"999", b"2000", b"-20", b"", b"2OO"])
def test_a_status_outside_its_six_classes_is_refused(status: bytes) -> None:
    refusal(b"SIP/2.0 " + status + b" OK\r\n" + NEEDED + b"\r\n")


@pytest.mark.parametrize(
    "header",
    [b"Route: <sip:a", b'Record-Route: "', b"Route: <sip:a>, <>", b"Record-Route: <sip:a b>"],
)
def test_a_route_that_cannot_be_followed_is_refused(header: bytes) -> None:
    error = refusal(invite(header + b"\r\n"))
    assert (error.status, error.headers is None) == (400, False)


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", START, START + NEEDED])
def test_what_is_no_message_is_dropped(data: bytes) -> None:
    assert refusal(data).headers is None


class TestBounds:
    def test_a_message_of_the_greatest_length_is_read(self) -> None:
        data = invite(body=b"x" * (MAX_MESSAGE - len(invite())))
        assert len(parse_message(data).body) > 65_000
        with pytest.raises(MessageTooLarge):
            parse_message(data + b"x")

    def test_a_content_length_beyond_any_message_is_too_large(self) -> None:
        assert refusal(invite(b"l: 65536\r\n")).status == 513
        assert refusal(invite(b"l: " + b"9" * 5000 + b"\r\n")).status == 513

    def test_headers_are_counted(self) -> None:
        room = MAX_HEADERS - 5
        assert len(parse_message(invite(b"X: 1\r\n" * room)).headers) == MAX_HEADERS
        with pytest.raises(MessageTooLarge):
            parse_message(invite(b"X: 1\r\n" * (room + 1)))

    def test_folded_lines_are_counted(self) -> None:
        parse_message(invite(b"X: 1\r\n" + b" 2\r\n" * (MAX_LINES - 7)))
        with pytest.raises(MessageTooLarge):
            parse_message(invite(b"X: 1\r\n" + b" 2\r\n" * (MAX_LINES - 6)))

    def test_a_header_is_measured_unfolded(self) -> None:
        half = b"x" * (MAX_HEADER // 2 - 3)
        parse_message(invite(b"X: " + half + b"\r\n " + half + b"\r\n"))
        with pytest.raises(MessageTooLarge):
            parse_message(invite(b"X: " + half + b"\r\n xxxx" + half + b"\r\n"))

    def test_a_long_uri_is_414(self) -> None:
        uri = b"sip:" + b"b" * (MAX_URI - 4)
        assert parse_message(invite().replace(b"sip:bob@example.com", uri, 1))
        error = refusal(invite().replace(b"sip:bob@example.com", uri + b"b", 1))
        assert error.status == 414
        assert error.headers is not None

    def test_vias_are_counted(self) -> None:
        via = b"Via: " + b",".join([b"SIP/2.0/UDP a"] * 127) + b"\r\n"
        assert len(parse_message(invite(via)).headers.all("via")) == 128
        refusal(invite(via + b"Via: SIP/2.0/UDP a\r\n"))

    def test_parameters_are_counted(self) -> None:
        contact = b"Contact: <sip:a>" + b";a" * 128 + b"\r\n"
        message = parse_message(invite(contact))
        with pytest.raises(MessageTooLarge):
            message.contact  # noqa: B018


class TestWriting:
    def test_what_was_read_is_written_as_it_was(self) -> None:
        data = invite(b"Subject: caf\xe9 \xff\xfe \xe2\x82\r\nContent-Length: 2\r\n", b"\0\xff")
        assert parse_message(data).encode() == data

    def test_a_response_says_how_long_its_body_is(self) -> None:
        response = Response(200, "OK", headers=Headers([("Content-Length", "9")]), body=b"abc")
        assert response.encode() == b"SIP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"

    @pytest.mark.parametrize("end", ["\r\n", "\r", "\n", "\0", "\r\n\r\n"])
    def test_no_value_brings_in_a_line(self, end: str) -> None:
        evil = f"a{end}Evil: 1"
        request = Request("INVITE", f"sip:{evil}", headers=Headers([("Subject", evil)]))
        request.headers.add("x", evil)
        request.headers.set("y", evil)
        request.headers.replace_first("via", evil)
        for data in (request.encode(), Response(200, evil, headers=request.headers).encode()):
            lines = data.split(b"\r\n")
            assert [line for line in lines if line.startswith(b"Evil")] == []
            assert b"\n" not in b"".join(lines) and b"\r" not in b"".join(lines)
            assert b"\0" not in data
            assert len(lines) == 8

    @pytest.mark.parametrize("name", ["a b", "a\r\nEvil", "", "a:", "é", "a\n"])
    def test_a_name_that_is_no_token_is_refused(self, name: str) -> None:
        for put in (Headers().add, Headers().set, Headers().replace_first):
            with pytest.raises(MessageError):
                put(name, "1")
        with pytest.raises(MessageError):
            Headers([(name, "1")])

    def test_a_surrogate_that_is_no_byte_is_written_as_a_question_mark(self) -> None:
        assert b"Subject: ?\r\n" in Response(200, "", headers=Headers([("s", "\ud800")])).encode()
