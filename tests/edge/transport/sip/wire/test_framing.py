"""A stream is cut into messages and pings wherever its bytes happen to be divided."""

from __future__ import annotations

import pytest

from edge.transport.sip.wire.errors import MessageError, StreamBroken
from edge.transport.sip.wire.framing import PING, PONG, StreamFramer
from edge.transport.sip.wire.message import MAX_MESSAGE, parse_message

HEAD = (
    b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\n"
    b"To: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
)
FIRST = HEAD + b"Content-Length: 5\r\n\r\n\r\n\r\nx"
SECOND = HEAD + b"l : 0\r\n\r\n"


def feed(framer: StreamFramer, *chunks: bytes) -> list[bytes]:
    return [frame for chunk in chunks for frame in framer.feed(chunk)]


def broken(data: bytes) -> StreamBroken:
    framer = StreamFramer()
    with pytest.raises(StreamBroken) as raised:
        feed(framer, data)
    assert feed(framer, SECOND) == []
    assert not framer.pending
    return raised.value


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 100_000])
def test_messages_are_found_however_the_bytes_are_divided(size: int) -> None:
    stream = FIRST + SECOND + FIRST
    chunks = [stream[i : i + size] for i in range(0, len(stream), size)]
    framer = StreamFramer()
    assert feed(framer, *chunks) == [FIRST, SECOND, FIRST]
    assert not framer.pending


def test_a_message_that_has_begun_is_pending() -> None:
    framer = StreamFramer()
    assert feed(framer, FIRST[:-1]) == []
    assert framer.pending
    assert feed(framer, FIRST[-1:]) == [FIRST]
    assert not framer.pending


def test_what_was_fed_stays_when_the_iterator_is_not_used_up() -> None:
    framer = StreamFramer()
    assert next(framer.feed(FIRST + SECOND)) == FIRST
    framer.feed(b"")
    assert feed(framer, b"") == [SECOND]


class TestPings:
    @pytest.mark.parametrize("size", [1, 2, 3, 4])
    def test_two_line_ends_between_messages_are_a_ping(self, size: int) -> None:
        stream = SECOND + PING + SECOND
        chunks = [stream[i : i + size] for i in range(0, len(stream), size)]
        assert feed(StreamFramer(), *chunks) == [SECOND, PING, SECOND]

    def test_a_single_line_end_before_a_message_is_nothing(self) -> None:
        framer = StreamFramer()
        assert feed(framer, b"\r\n" + SECOND, b"\r\n" + SECOND) == [SECOND, SECOND]
        assert feed(framer, b"\r\n", SECOND, b"\r\n") == [SECOND]

    def test_many_pings_at_once_are_one(self) -> None:
        assert feed(StreamFramer(), PING * 1000) == [PING]

    def test_a_single_line_end_answers_our_ping(self) -> None:
        framer = StreamFramer()
        assert framer.ping() == PING
        assert feed(framer, b"\r", b"\n") == [PONG]
        assert feed(framer, PONG) == []
        assert feed(framer, PONG) == [PING]

    def test_a_pong_and_a_ping_may_come_together(self) -> None:
        framer = StreamFramer()
        framer.ping()
        assert feed(framer, PONG + PING + SECOND) == [PONG, PING, SECOND]

    def test_line_ends_inside_a_message_are_no_pings(self) -> None:
        framer = StreamFramer()
        framer.ping()
        assert feed(framer, FIRST[:-1], FIRST[-1:]) == [FIRST]

    def test_other_line_ends_between_messages_are_skipped(self) -> None:
        assert feed(StreamFramer(), b"\n\n\r\r" + SECOND) == [SECOND]


class TestFaults:
    def test_a_malformed_message_of_known_length_is_passed_over(self) -> None:
        bad = b"what is this\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
        frames = feed(StreamFramer(), bad + SECOND)
        assert frames == [bad, SECOND]
        with pytest.raises(MessageError):
            parse_message(frames[0])

    def test_without_a_content_length_the_stream_is_broken(self) -> None:
        error = broken(HEAD + b"\r\n")
        assert error.status == 400
        assert error.headers is not None
        assert error.headers.get("call-id") == "1"

    @pytest.mark.parametrize("length", [b"x", b"-1", b"", b"1\r\nl: 2"])
    def test_a_content_length_that_says_nothing_breaks_the_stream(self, length: bytes) -> None:
        assert broken(HEAD + b"l: " + length + b"\r\n\r\n").headers is not None

    def test_messages_before_the_fault_are_delivered(self) -> None:
        frames = StreamFramer().feed(SECOND + HEAD + b"\r\n")
        assert next(frames) == SECOND
        with pytest.raises(StreamBroken):
            next(frames)

    def test_a_message_that_is_too_long_breaks_the_stream_at_once(self) -> None:
        room = MAX_MESSAGE - len(HEAD) - len(b"l: 65000\r\n\r\n")
        framer = StreamFramer()
        assert feed(framer, HEAD + b"l: %d\r\n\r\n" % room) == []
        assert framer.pending
        error = broken(HEAD + b"l: %d\r\n\r\n" % (room + 1))
        assert (error.status, error.headers is None) == (513, False)

    def test_a_header_that_does_not_end_breaks_the_stream(self) -> None:
        framer = StreamFramer()
        assert feed(framer, HEAD + b"x" * (MAX_MESSAGE - len(HEAD) - 1)) == []
        with pytest.raises(StreamBroken):
            feed(framer, b"x")
        assert not framer.pending

    def test_lines_that_end_with_lf_alone_are_refused_in_a_stream(self) -> None:
        broken(b"OPTIONS sip:h SIP/2.0\nl: 0\r\n\r\n")
