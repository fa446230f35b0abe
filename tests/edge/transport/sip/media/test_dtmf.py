"""Keys in RTP, both ways."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.transport.rtp.packet import RtpPacket
from edge.transport.rtp.sender import EventPacket
from edge.transport.sip.media.dtmf import (
    DIGITS,
    DIGITS_BURST,
    MAX_QUEUED,
    MISSING_END,
    DigitReceiver,
    DigitSender,
)


class Keys:
    """A receiver, its clock, and the keys it reported."""

    def __init__(self) -> None:
        self.pressed: list[tuple[str, float]] = []
        self.receiver = DigitReceiver(lambda digit, seconds: self.pressed.append((digit, seconds)))
        self.now = 10.0

    @property
    def digits(self) -> str:
        return "".join(digit for digit, _ in self.pressed)

    def packet(
        self, code: int, timestamp: int, duration: int, *, end: bool = False, ssrc: int = 5
    ) -> None:
        payload = struct.pack("!BBH", code, 0x8A if end else 0x0A, duration)
        self.receiver.packet(RtpPacket(101, 0, timestamp, ssrc, payload), self.now)

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            self.receiver.tick(self.now)


def test_a_key_is_reported_once_when_it_is_released() -> None:
    keys = Keys()
    for step in range(1, 6):
        keys.packet(5, 800, 160 * step)
        keys.wait(0.02)
        assert keys.pressed == []
    for _ in range(3):
        keys.packet(5, 800, 960, end=True)
        keys.wait(0.02)
    keys.wait(1.0)
    assert keys.pressed == [("5", 0.12)]


@pytest.mark.parametrize("code", range(16))
def test_each_event_code_has_its_key(code: int) -> None:
    keys = Keys()
    keys.packet(code, 0, 800, end=True)
    assert keys.digits == "0123456789*#ABCD"[code]


def test_a_key_whose_start_was_lost_is_known_by_its_end() -> None:
    keys = Keys()
    keys.packet(3, 0, 960, end=True)
    assert keys.pressed == [("3", 0.12)]


def test_a_key_whose_end_was_lost_is_reported_after_a_while() -> None:
    keys = Keys()
    keys.packet(3, 0, 160)
    keys.wait(MISSING_END - 0.04)
    assert keys.pressed == []
    keys.wait(0.08)
    assert keys.pressed == [("3", 0.02)]
    keys.packet(3, 0, 960, end=True)
    assert len(keys.pressed) == 1


def test_a_key_whose_end_was_lost_is_reported_when_the_next_is_pressed() -> None:
    keys = Keys()
    keys.packet(3, 0, 160)
    keys.packet(3, 4000, 160)
    assert keys.digits == "3"
    keys.packet(3, 4000, 320, end=True)
    assert keys.digits == "33"


def test_ends_that_come_late_among_the_next_key_do_not_repeat_it() -> None:
    keys = Keys()
    keys.packet(1, 0, 800, end=True)
    keys.packet(2, 4000, 160)
    keys.packet(1, 0, 800, end=True)
    keys.packet(2, 4000, 800, end=True)
    keys.packet(1, 0, 640)
    keys.packet(2, 4000, 800, end=True)
    keys.wait(1.0)
    assert keys.digits == "12"


def test_a_straggler_of_an_earlier_key_does_not_cut_the_one_that_is_held() -> None:
    keys = Keys()
    keys.packet(2, 4000, 160)
    keys.packet(1, 0, 160)
    keys.packet(2, 4000, 800, end=True)
    keys.wait(1.0)
    assert keys.pressed == [("2", 0.1)]


def test_a_key_held_for_ten_seconds_is_one_key() -> None:
    keys = Keys()
    for timestamp, last in ((1000, 0xFFFF), (1000 + 0xFFFF, 80_000 - 0xFFFF)):
        for duration in (160, last // 2, last):
            keys.packet(7, timestamp, duration)
    keys.packet(7, 1000 + 0xFFFF, 80_000 - 0xFFFF, end=True)
    assert keys.pressed == [("7", 10.0)]


def test_a_timestamp_that_wraps_is_a_new_key() -> None:
    keys = Keys()
    keys.packet(1, 2**32 - 500, 160)
    keys.packet(2, 500, 160)
    keys.packet(1, 2**32 - 500, 320)
    keys.wait(1.0)
    assert keys.digits == "12"


def test_a_flash_and_the_tones_of_machines_are_no_keys() -> None:
    keys = Keys()
    for code in (16, 32, 36, 255):
        keys.packet(code, code * 1000, 800, end=True)
    keys.receiver.packet(RtpPacket(101, 0, 0, 5, b"\x05\x8a\x00"), keys.now)
    keys.wait(1.0)
    assert keys.pressed == []
    assert keys.receiver.refused == 5


def test_seconds_are_counted_by_the_agreed_clock() -> None:
    keys = Keys()
    keys.receiver.agree(48_000)
    keys.packet(3, 0, 4800, end=True)
    assert keys.pressed == [("3", 0.1)]


def test_keys_faster_than_any_dialler_are_dropped() -> None:
    keys = Keys()
    for number in range(1000):
        keys.packet(number % 10, number * 1000, 160, end=True)
    assert len(keys.pressed) == DIGITS_BURST
    keys.wait(1.0)
    keys.packet(1, 2_000_000, 160, end=True)
    assert len(keys.pressed) == DIGITS_BURST + 1


def run(sender: DigitSender, ticks: int, start: int = 1000) -> list[EventPacket | None]:
    """What is sent in each tick; an inactive one is None as well."""
    return [sender.tick(start + 160 * tick) if sender.active else None for tick in range(ticks)]


def made(payload_type: int = 101, clock_rate: int = 8000) -> DigitSender:
    sender = DigitSender()
    sender.agree(payload_type, clock_rate)
    return sender


def test_a_key_is_five_updates_and_three_ends_of_one_timestamp() -> None:
    sender = made()
    sender.press("9")
    packets = [packet for packet in run(sender, 40) if packet is not None]
    assert {packet.timestamp for packet in packets} == {1000}
    assert {packet.payload_type for packet in packets} == {101}
    assert [packet.marker for packet in packets] == [True] + [False] * 7
    bodies = [struct.unpack("!BBH", packet.payload) for packet in packets]
    assert {code for code, _, _ in bodies} == {9}
    assert [bool(flags & 0x80) for _, flags, _ in bodies] == [False] * 5 + [True] * 3
    assert [duration for _, _, duration in bodies] == [160, 320, 480, 640, *[800] * 4]
    assert not sender.active


def test_keys_follow_one_another_with_a_pause() -> None:
    sender = made(96, 48_000)
    sender.press("1a")
    sent = run(sender, 60)
    starts = [tick for tick, packet in enumerate(sent) if packet is not None and packet.marker]
    assert starts == [0, 11]
    assert sent[8:11] == [None] * 3
    second = sent[11]
    assert second is not None
    assert struct.unpack("!BBH", second.payload) == (12, 0x0A, 960)
    assert second.timestamp == 1000 + 11 * 160


def test_what_cannot_be_sent_is_refused_whole() -> None:
    sender = made()
    for wrong in ("12x", "1 2", "+49", "1" * (MAX_QUEUED + 1), "\u0661"):
        with pytest.raises(ValueError):
            sender.press(wrong)
    assert not sender.active
    sender.press("1" * MAX_QUEUED)
    with pytest.raises(ValueError):
        sender.press("1")


def test_a_far_end_that_takes_no_keys_gets_none() -> None:
    sender = made()
    sender.press("123")
    sender.agree(None, 8000)
    assert not sender.agreed and not sender.active
    with pytest.raises(ValueError):
        sender.press("1")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.text(DIGITS, max_size=20),
    st.integers(0, 2**32 - 1),
    st.floats(0, 0.35),
    st.integers(0, 2**32),
)
def test_keys_arrive_once_each_in_order_through_any_network_that_lets_one_packet_pass(
    digits: str, start: int, loss: float, seed: int
) -> None:
    chance = random.Random(seed)
    sender, keys = made(), Keys()
    sender.press(digits)
    survivors: list[tuple[int, EventPacket]] = []
    tick, kept = 0, 0
    while sender.active:
        packet = sender.tick((start + 160 * tick) & 0xFFFFFFFF)
        if packet is not None:
            kept = 0 if packet.marker else kept
            ending = bool(packet.payload[1] & 0x80)
            copies = 0 if chance.random() < loss else chance.choice([1, 1, 2])
            kept += copies
            if ending and not kept:
                copies = kept = 1
            # Jitter of up to two packets.
            survivors += [(tick + chance.randint(0, 2), packet)] * copies
        tick += 1
    for at in range(tick + 30):
        for due, packet in survivors:
            if due == at:
                received = RtpPacket(101, 0, packet.timestamp, 5, packet.payload)
                keys.receiver.packet(received, keys.now)
        keys.wait(0.02)
    assert keys.digits == digits


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.binary(max_size=8),
            st.integers(0, 3) | st.sampled_from([0xFFFF, 2**32 - 1, 2**31]),
            st.integers(1, 2),
            st.floats(0, 0.3),
        ),
        max_size=60,
    )
)
def test_any_payloads_make_at_most_a_key_per_packet(
    packets: list[tuple[bytes, int, int, float]],
) -> None:
    keys = Keys()
    for payload, timestamp, ssrc, passed in packets:
        keys.receiver.packet(RtpPacket(101, 0, timestamp, ssrc, payload), keys.now)
        keys.wait(passed)
    keys.wait(1.0)
    assert len(keys.pressed) <= len(packets)
    assert all(digit in DIGITS and seconds >= 0 for digit, seconds in keys.pressed)
