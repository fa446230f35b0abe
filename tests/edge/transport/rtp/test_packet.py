"""RTP headers, and loss and jitter as RFC 3550 counts them."""

from __future__ import annotations

import pytest
from aiortc.rtp import HeaderExtensionsMap
from aiortc.rtp import RtpPacket as StockPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.transport.rtp import packet as rtp
from edge.transport.rtp.packet import Reception, RtpPacket


def test_a_packed_packet_is_read_by_another_implementation() -> None:
    data = rtp.pack(111, 65_535, 2**32 - 1, 7, b"payload", marker=True)
    other = StockPacket.parse(data, HeaderExtensionsMap())
    assert (other.payload_type, other.marker, other.sequence_number) == (111, 1, 65_535)
    assert (other.timestamp, other.ssrc, other.payload) == (2**32 - 1, 7, b"payload")
    assert rtp.parse(data) == RtpPacket(111, 65_535, 2**32 - 1, 7, b"payload")


def test_contributors_extensions_and_padding_are_skipped() -> None:
    fixed = b"\xb2\x6f\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03"
    contributors, extension = bytes(8), b"\xbe\xde\x00\x01\x10\xff\x00\x00"
    packet = rtp.parse(fixed + contributors + extension + b"voice" + b"\x00\x00\x03")
    assert packet == RtpPacket(111, 1, 2, 3, b"voice")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80" * 11,
        b"\x40" + bytes(20),
        b"\x8f" + bytes(20),
        b"\x90" + bytes(11),
        b"\x90" + bytes(13) + b"\xff\xff",
        b"\xa0" + bytes(11) + b"\xff",
    ],
)
def test_lengths_that_do_not_add_up_are_no_packet(data: bytes) -> None:
    assert rtp.parse(data) is None


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=64))
def test_any_bytes_parse_or_not(data: bytes) -> None:
    packet = rtp.parse(data)
    assert packet is None or len(packet.payload) <= len(data) - 12


def test_loss_is_counted_across_the_wrap() -> None:
    reception = Reception(48_000)
    for number in (65_533, 65_534, 0, 1, 5):
        reception.add(number, 0, 0.0)
    assert reception.highest == 65_536 + 5
    assert reception.lost == 4
    assert reception.fraction_lost() == (4 << 8) // 9
    reception.add(6, 0, 0.0)
    assert reception.fraction_lost() == 0


def test_reordering_is_no_loss() -> None:
    reception = Reception(48_000)
    for number in (1, 3, 2, 4):
        reception.add(number, 0, 0.0)
    assert (reception.lost, reception.highest) == (0, 4)


def test_jitter_of_a_steady_stream_is_zero_and_of_a_shaking_one_is_not() -> None:
    steady, shaking = Reception(48_000), Reception(48_000)
    for number in range(100):
        steady.add(number, number * 960, number * 0.02)
        shaking.add(number, number * 960, number * 0.02 + (number % 2) * 0.01)
    assert steady.jitter == 0
    assert shaking.jitter == pytest.approx(480, rel=0.02)


def test_jitter_does_not_jump_when_the_timestamp_wraps() -> None:
    reception = Reception(48_000)
    for number in range(100):
        reception.add(number, (2**32 - 960 * 50 + number * 960) % 2**32, number * 0.02)
    assert reception.jitter == 0
