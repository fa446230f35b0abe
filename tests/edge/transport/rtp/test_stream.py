"""Sender, receiver and reports, without a network."""

from __future__ import annotations

import numpy as np
import pytest
from aiortc.rtp import RtcpByePacket, RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket

from edge.media.frames import Samples
from edge.media.playout import Playout
from edge.transport.rtp import packet as rtp
from edge.transport.rtp.codec import Codec, make_encoder
from edge.transport.rtp.packet import RtpPacket
from edge.transport.rtp.receiver import AudioReceiver
from edge.transport.rtp.reports import Reporter, ntp
from edge.transport.rtp.sender import TRAILING_FRAMES, AudioSender
from tests.edge.media.tones import loudness, pitch, tone
from tests.edge.transport.rtp.ears import Ear

OPUS = Codec("opus", 111)
PCMU = Codec("pcmu", 0)
PCMA = Codec("pcma", 8)
G722 = Codec("g722", 9)


def sent(sender: AudioSender, ticks: int) -> list[RtpPacket | None]:
    ticked = [sender.tick() for _ in range(ticks)]
    assert all(len(packets) <= 1 for packets in ticked)
    return [rtp.parse(packets[0]) if packets else None for packets in ticked]


@pytest.mark.parametrize("codec", [OPUS, PCMU])
def test_five_trailing_frames_then_nothing_while_time_goes_on(codec: Codec) -> None:
    playout = Playout(codec.playout_rate)
    sender = AudioSender(codec, playout)
    step = codec.clock_rate // 50
    assert sent(sender, 3) == [None] * 3
    start = sender.timestamp
    playout.push(tone(400, codec.playout_rate, 0.04))
    packets = sent(sender, 20)
    spoken = packets[: 2 + TRAILING_FRAMES]
    assert all(packet is not None for packet in spoken)
    assert packets[len(spoken) :] == [None] * (20 - len(spoken))
    playout.push(tone(400, codec.playout_rate, 0.02))
    (again,) = sent(sender, 1)
    assert again is not None and spoken[-1] is not None
    assert (again.timestamp - start) & 0xFFFFFFFF == 20 * step
    assert again.sequence == (spoken[-1].sequence + 1) & 0xFFFF


def test_the_marker_is_on_the_first_packet_of_each_talk_spurt() -> None:
    playout = Playout(24_000)
    sender = AudioSender(OPUS, playout)
    marked = []
    for _ in range(2):
        playout.push(tone(400, 24_000, 0.06))
        packets = [packet for _ in range(12) for packet in sender.tick()]
        marked.append([bool(packet[1] & 0x80) for packet in packets])
    assert marked == [[True] + [False] * (2 + TRAILING_FRAMES)] * 2


def test_a_pause_shorter_than_the_trail_begins_no_new_spurt() -> None:
    playout = Playout(24_000)
    sender = AudioSender(OPUS, playout)
    playout.push(tone(400, 24_000, 0.02))
    for _ in range(3):
        sender.tick()
    playout.push(tone(400, 24_000, 0.02))
    (packet,) = sender.tick()
    assert not packet[1] & 0x80


def test_a_continuous_sender_sends_silence_too() -> None:
    sender = AudioSender(PCMU, Playout(8_000), continuous=True)
    packets = sent(sender, 20)
    assert all(packet is not None and packet.payload == b"\xff" * 160 for packet in packets)
    assert (sender.packets, sender.octets) == (20, 3200)


def payloads(codec: Codec, seconds: float, milliseconds: int) -> list[bytes]:
    """A 440 Hz tone in packets of 20 ms, or PCMU of any length."""
    pcm = tone(440, codec.playout_rate, seconds)
    size = codec.playout_rate * milliseconds // 1000
    encoder = make_encoder(codec)
    return [encoder.encode(pcm[i : i + size]) for i in range(0, len(pcm) - size + 1, size)]


def receive(receiver: AudioReceiver, codec: Codec, packets: list[bytes], step: int) -> None:
    for number, payload in enumerate(packets):
        packet = RtpPacket(codec.payload_type, number, number * step, 5, payload)
        receiver.packet(packet, number * step / codec.clock_rate)


@pytest.mark.parametrize("codec", [PCMU, PCMA, G722])
@pytest.mark.parametrize("milliseconds", [10, 20, 30, 40, 60])
def test_frames_are_20_ms_whatever_the_packets_are(milliseconds: int, codec: Codec) -> None:
    ear = Ear(16_000)
    receiver = AudioReceiver(codec, 16_000, ear)
    receive(receiver, codec, payloads(codec, 1.2, milliseconds), 8 * milliseconds)
    assert len(ear.frames) == 60
    assert pitch(ear.heard[1600:], 16_000) == pytest.approx(440, abs=2)


def test_opus_packets_of_60_ms_are_three_frames() -> None:
    ear = Ear(16_000)
    receiver = AudioReceiver(OPUS, 16_000, ear)
    singles = payloads(OPUS, 0.6, 20)
    # Code 3 of RFC 6716 section 3.2.5: several frames of one configuration in one packet.
    triples = []
    for i in range(0, 30, 3):
        frames = [one[1:] for one in singles[i : i + 3]]
        lengths = b"".join(_length(one) for one in frames[:2])
        triples.append(bytes([singles[0][0] | 3, 0x83]) + lengths + b"".join(frames))
    receive(receiver, OPUS, triples, 2880)
    assert len(ear.frames) == 30
    assert receiver.refused == 0


def _length(frame: bytes) -> bytes:
    size = len(frame)
    return bytes([size]) if size < 252 else bytes([252 + (size & 3), (size - 252) >> 2])


@pytest.mark.parametrize(
    ("codec", "rate"),
    [
        *((codec, 16_000) for codec in (OPUS, G722, PCMU, PCMA)),
        *((codec, 24_000) for codec in (OPUS, PCMU, PCMA)),
    ],
)
def test_every_codec_decodes_to_the_rates_it_is_used_at(codec: Codec, rate: int) -> None:
    ear = Ear(rate)
    receiver = AudioReceiver(codec, rate, ear)
    receive(receiver, codec, payloads(codec, 1.0, 20), codec.clock_rate // 50)
    assert len(ear.frames) == 50
    assert pitch(ear.heard[rate // 10 :], rate) == pytest.approx(440, abs=3)


def test_other_payload_types_empty_packets_and_noise_are_not_played() -> None:
    ear = Ear(16_000)
    receiver = AudioReceiver(OPUS, 16_000, ear)
    receiver.packet(RtpPacket(13, 0, 0, 5, b"x"), 0.0)
    receiver.packet(RtpPacket(111, 0, 0, 5, b""), 0.0)
    receiver.packet(RtpPacket(111, 0, 0, 5, b"\xff"), 0.0)
    assert ear.frames == []
    assert receiver.refused == 1


def test_a_packet_that_the_codec_refuses_is_concealed() -> None:
    ear = Ear(16_000)
    receiver = AudioReceiver(OPUS, 16_000, ear)
    packets = payloads(OPUS, 0.4, 20)

    class Refusing:
        """Decodes all but one payload."""

        def __init__(self) -> None:
            self.inner = receiver._decoder

        def decode(self, payload: bytes) -> Samples:
            from edge.media.opus import OpusFault

            if payload == packets[10]:
                raise OpusFault("decode", -4)
            return self.inner.decode(payload)

        def conceal(self, samples: int, following: bytes | None = None) -> Samples:
            return self.inner.conceal(samples, following)

        def reset(self) -> None:
            self.inner.reset()

        def close(self) -> None:
            self.inner.close()

    receiver._decoder = Refusing()
    receive(receiver, OPUS, packets, 960)
    assert len(ear.frames) == 20
    assert receiver.refused == 1
    assert loudness(ear.frames[10]) > 100


def test_a_new_source_is_heard_with_fresh_statistics() -> None:
    ear = Ear(16_000)
    receiver = AudioReceiver(OPUS, 16_000, ear)
    packets = payloads(OPUS, 0.2, 20)
    receive(receiver, OPUS, packets, 960)
    receiver.packet(RtpPacket(111, 40_000, 9, 77, packets[0]), 1.0)
    assert (receiver.ssrc, receiver.reception.received, receiver.reception.lost) == (77, 1, 0)
    assert len(ear.frames) == 11


def pair() -> tuple[Reporter, AudioSender, AudioReceiver, Playout]:
    playout = Playout(24_000)
    sender = AudioSender(OPUS, playout)
    receiver = AudioReceiver(OPUS, 16_000, lambda frame: None)
    return Reporter(sender, receiver), sender, receiver, playout


def test_a_sender_reports_what_it_sent_and_a_silent_one_only_what_it_heard() -> None:
    reporter, sender, receiver, playout = pair()
    playout.push(np.zeros(960, np.int16))
    sent(sender, 2)
    receive(receiver, OPUS, payloads(OPUS, 0.1, 20), 960)
    first, name = RtcpPacket.parse(reporter.report(1.0, 1_790_000_000.0))
    assert isinstance(first, RtcpSrPacket) and isinstance(name, RtcpSdesPacket)
    assert (first.ssrc, first.sender_info.packet_count) == (sender.ssrc, 2)
    assert first.sender_info.rtp_timestamp == sender.timestamp
    assert first.sender_info.ntp_timestamp == ntp(1_790_000_000.0)
    assert [block.ssrc for block in first.reports] == [5]
    second, _ = RtcpPacket.parse(reporter.report(2.0, 1_790_000_001.0))
    assert isinstance(second, RtcpRrPacket)
    assert second.reports[0].highest_sequence == 4


def test_the_round_trip_is_measured_from_the_far_ends_report() -> None:
    ours, sender, _, playout = pair()
    theirs, _, their_receiver, _ = pair()
    playout.push(np.zeros(480, np.int16))
    (packet,) = sent(sender, 1)
    assert packet is not None
    their_receiver.packet(packet, 0.0)
    wall = 1_790_000_000.0
    report = ours.report(0.0, wall)
    theirs.received(report, 10.0, wall + 0.02)
    answer = theirs.report(10.5, wall + 0.52)
    ours.received(answer, 0.54, wall + 0.54)
    assert ours.round_trip == pytest.approx(0.04, abs=0.001)


def test_the_last_report_says_goodbye() -> None:
    reporter, sender, _, _ = pair()
    *_, last = RtcpPacket.parse(reporter.goodbye(0.0))
    assert isinstance(last, RtcpByePacket)
    assert last.sources == [sender.ssrc]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\xc8\x00",
        b"\x81\xc9\x00\x07" + bytes(8),
        bytes(64),
        b"\x9f\xc8\x00\x01" + bytes(4),
    ],
)
def test_a_report_that_does_not_parse_is_ignored(data: bytes) -> None:
    reporter, *_ = pair()
    reporter.received(data, 0.0, 0.0)
    assert reporter.round_trip is None
