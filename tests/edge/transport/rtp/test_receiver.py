"""What arrives: several codecs, comfort noise, events, and anything else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media import comfort, reorder
from edge.media.frames import Samples
from edge.media.playout import Playout
from edge.transport.rtp import packet as rtp
from edge.transport.rtp.codec import Codec, make_encoder
from edge.transport.rtp.packet import RtpPacket
from edge.transport.rtp.plan import Plan, just
from edge.transport.rtp.receiver import BURST, PACE, AudioReceiver
from edge.transport.rtp.reports import Reporter
from edge.transport.rtp.sender import AudioSender
from tests.edge.media.tones import loudness, pitch, tone
from tests.edge.transport.rtp.ears import Ear

OPUS = Codec("opus", 111)
PCMU = Codec("pcmu", 0)
PCMA = Codec("pcma", 8)
G722 = Codec("g722", 9)
ALL = {codec.payload_type: codec for codec in (PCMU, PCMA, G722, OPUS)}
EVENT, NOISE = 101, 13
PLAN = Plan(PCMU, ALL, events=frozenset({EVENT}), comfort=NOISE)


class Line:
    """A sender of one stream, and the receiver."""

    def __init__(self, codec: Codec = PCMU, *, rate: int = 16_000) -> None:
        self.ear = Ear(rate)
        self.events: list[RtpPacket] = []
        self.receiver = AudioReceiver(codec, rate, self.ear)
        self.receiver.agree(PLAN)
        self.receiver.on_event = lambda packet, now: self.events.append(packet)
        self.sequence = 65_530
        self.timestamp = 2**32 - 1000
        self.now = 50.0
        self._encoders = {number: make_encoder(one) for number, one in ALL.items()}
        self._phase = 0.0

    def pass_time(self, seconds: float = 0.02) -> None:
        self.now += seconds
        self.receiver.tick(self.now)

    def say(self, codec: Codec, frames: int = 1, *, lost: bool = False, ssrc: int = 5) -> None:
        """Packets of 20 ms of a tone that is continuous over codecs."""
        for _ in range(frames):
            rate = codec.playout_rate
            at = self._phase + np.arange(rate // 50) / rate
            self._phase += 0.02
            pcm = (np.sin(2 * np.pi * 440 * at) * 9000).astype(np.int16)
            payload = self._encoders[codec.payload_type].encode(pcm)
            self.send(codec.payload_type, payload, lost=lost, ssrc=ssrc)
            self.timestamp = (self.timestamp + codec.clock_rate // 50) & 0xFFFFFFFF
            self.pass_time()

    def send(self, payload_type: int, payload: bytes, *, lost: bool = False, ssrc: int = 5) -> None:
        sequence = self.sequence & 0xFFFF
        self.sequence += 1
        if not lost:
            packet = RtpPacket(payload_type, sequence, self.timestamp, ssrc, payload)
            self.receiver.packet(packet, self.now)


@pytest.mark.parametrize("other", [PCMA, G722])
def test_the_far_end_may_change_codecs_at_any_packet(other: Codec) -> None:
    line = Line()
    line.say(PCMU, 20)
    for _ in range(5):
        line.say(other)
        line.say(PCMU)
    line.say(other, 20)
    assert len(line.ear.frames) == 50
    assert pitch(line.ear.heard, 16_000) == pytest.approx(440, abs=3)
    assert min(loudness(frame) for frame in line.ear.frames[2:]) > 3000
    assert line.receiver.counts.restarts == line.receiver.counts.lost == 0
    assert line.receiver.codec == other


def test_a_codec_of_another_clock_begins_a_stream_of_its_own() -> None:
    line = Line()
    line.say(PCMU, 20)
    line.say(OPUS, 20)
    line.say(PCMU, 20)
    assert len(line.ear.frames) == 60
    assert pitch(line.ear.heard, 16_000) == pytest.approx(440, abs=3)
    assert line.receiver.counts.received == 60


def test_silence_after_a_change_of_clock_is_as_long_as_time() -> None:
    line = Line()
    line.say(PCMU, 20)
    line.say(OPUS, 20)
    before = len(line.ear.frames)
    for _ in range(50):
        line.pass_time()
    assert 42 <= len(line.ear.frames) - before <= 50


def test_packets_that_waited_are_decoded_by_their_own_codec() -> None:
    line = Line()
    line.say(PCMU, 20)
    line.say(PCMU, lost=True)
    line.say(PCMA)
    line.say(G722)
    line.say(PCMU, 2)
    assert line.receiver.counts.lost == 1
    assert len(line.ear.frames) == 25
    assert max(loudness(frame) for frame in line.ear.frames) < 7500
    assert pitch(line.ear.heard, 16_000) == pytest.approx(440, abs=3)


def test_audio_faster_than_time_is_dropped_though_it_is_in_order() -> None:
    line = Line()
    for _ in range(500):
        line.send(0, b"\xff" * 160)
        line.timestamp += 160
    assert len(line.ear.frames) == pytest.approx(BURST * 50, abs=1)
    assert line.receiver.excess == 500 - len(line.ear.frames)


def test_a_pause_that_opus_announces_is_noticed_at_once() -> None:
    line = Line(OPUS)
    line.say(OPUS, 10)
    line.send(111, b"\x08")
    before = len(line.ear.frames)
    for _ in range(5):
        line.pass_time()
    assert len(line.ear.frames) > before


def test_a_payload_type_that_was_not_agreed_is_not_heard() -> None:
    line = Line()
    line.receiver.agree(just(PCMA))
    line.say(PCMU, 5)
    assert line.ear.frames == []


def test_a_number_that_means_another_codec_now_is_decoded_as_that() -> None:
    line = Line()
    line.say(PCMU, 10)
    line.say(PCMU, lost=True)
    line.say(PCMU, 2)
    line.receiver.agree(just(Codec("pcma", 0)))
    encoder = make_encoder(PCMA)
    before = len(line.ear.frames)
    for _ in range(10):
        line.send(0, encoder.encode(tone(440, 8000, 0.02)))
        line.timestamp += 160
        line.pass_time()
    assert pitch(np.concatenate(line.ear.frames[before:]), 16_000) == pytest.approx(440, abs=10)


def test_packets_that_waited_are_not_read_in_their_numbers_new_meaning() -> None:
    line = Line()
    line.say(PCMU, 3)
    line.say(PCMU, lost=True)
    line.say(PCMU, 1)
    heard = len(line.ear.frames)
    line.receiver.agree(just(Codec("pcma", 0)))
    line.pass_time(1.0)
    assert len(line.ear.frames) == heard
    assert line.receiver.refused == 0


def test_what_we_send_is_expected_back() -> None:
    line = Line(OPUS)
    line.receiver.agree(Plan(Codec("g722", 96), ALL))
    assert line.receiver.codec == G722


def test_events_cost_no_audio_and_count_as_no_loss() -> None:
    line = Line()
    line.say(PCMU, 10)
    for _ in range(8):
        line.send(EVENT, b"\x05\x0a\x03\x20")
        line.pass_time()
    line.timestamp += 8 * 160
    line.say(PCMU, 10)
    assert len(line.events) == 8
    assert len(line.ear.frames) == 28
    assert line.receiver.counts.lost == line.receiver.reception.lost == 0
    assert line.receiver.reception.jitter < 2


def test_events_of_another_source_do_not_disturb_the_speech() -> None:
    line = Line()
    line.say(PCMU, 10)
    line.receiver.packet(RtpPacket(EVENT, 9, 9, 77, b"\x05\x0a\x03\x20"), line.now)
    line.say(PCMU, 10)
    assert len(line.events) == 1
    assert line.receiver.ssrc == 5
    assert line.receiver.counts.restarts == 0


def test_after_comfort_noise_the_pause_is_noise_until_speech_returns() -> None:
    line = Line()
    line.say(PCMU, 10)
    line.send(NOISE, comfort.packet(50))
    for _ in range(50):
        line.pass_time()
    line.timestamp += 50 * 160
    line.say(PCMU, 10)
    hissing = np.concatenate(line.ear.frames[12:58])
    assert 20 * np.log10(loudness(hissing) / 32_124) == pytest.approx(-50, abs=1.5)
    assert len(line.ear.frames) == 70
    assert line.receiver.counts.lost == 0
    for _ in range(50):
        line.pass_time()
    assert loudness(np.concatenate(line.ear.frames[-20:])) == 0


@pytest.mark.parametrize("codec", [PCMU, PCMA, G722])
def test_a_lost_packet_is_heard_as_the_speech_around_it(codec: Codec) -> None:
    line = Line()
    line.say(codec, 20)
    line.say(codec, lost=True)
    line.say(codec, 20)
    assert len(line.ear.frames) == 41
    assert min(loudness(frame) for frame in line.ear.frames[2:]) > 4000
    assert line.receiver.counts.lost == 1


def test_a_long_loss_is_concealed_for_120_ms_at_most() -> None:
    line = Line()
    line.say(PCMU, 20)
    line.say(PCMU, 12, lost=True)
    made: list[int] = []
    line.receiver._decoder.conceal = lambda samples, following=None: (  # type: ignore[method-assign]
        made.append(samples) or np.zeros(samples, np.int16)  # type: ignore[func-returns-value]
    )
    line.say(PCMU, 5)
    assert 0 < sum(made) <= reorder.MAX_CONCEAL * 16_000


def test_after_an_interruption_the_gap_is_not_heard() -> None:
    line = Line()
    line.say(PCMU, 10)
    line.timestamp += 30 * 160
    line.sequence += 30
    line.now += 0.6
    line.receiver.forget()
    line.say(PCMU, 10)
    assert len(line.ear.frames) == 20
    assert line.receiver.counts.lost == 0


def test_silence_by_agreement_is_frames_of_nothing() -> None:
    line = Line()
    line.say(PCMU, 1)
    line.receiver.silence()
    assert len(line.ear.frames) == 2 and not line.ear.frames[1].any()


packets = st.builds(
    RtpPacket,
    st.sampled_from([0, 8, 9, 13, 101, 111, 96]),
    st.integers(0, 40) | st.integers(0, 65_535),
    st.integers(0, 4000) | st.integers(0, 2**32 - 1),
    st.integers(1, 3),
    st.binary(max_size=200) | st.binary(min_size=900, max_size=1200),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(packets, st.floats(0, 0.5), st.integers(0, 3)), max_size=40))
def test_any_packets_are_heard_at_the_pace_of_time_or_not_at_all(
    run: list[tuple[RtpPacket, float, int]],
) -> None:
    heard: list[Samples] = []
    receiver = AudioReceiver(PCMU, 16_000, heard.append)
    plans = [PLAN, just(Codec("opus", 0)), just(G722), just(PCMU)]
    now = 10.0
    for packet, passed, plan in run:
        now += passed
        receiver.agree(plans[plan] if passed > 0.3 else PLAN)
        receiver.packet(packet, now)
        receiver.tick(now)
    assert all(len(frame) == 320 for frame in heard)
    assert len(heard) * 0.02 <= (now - 10.0) * PACE + BURST + 0.02
    receiver.close()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=120), st.integers(0, 7), st.integers(0, 31), st.integers(190, 225))
def test_any_bytes_after_a_reports_header_are_taken_or_ignored(
    body: bytes, flags: int, count: int, kind: int
) -> None:
    receiver = AudioReceiver(PCMU, 16_000, lambda frame: None)
    reporter = Reporter(AudioSender(PCMU, Playout(8000)), receiver)
    size = len(body) // 4
    head = bytes([flags << 5 | count, kind]) + size.to_bytes(2)
    reporter.received(head + body, 1.0, 1_790_000_000.0)
    reporter.received(body, 1.0, 1_790_000_000.0)
    reporter.report(2.0, 1_790_000_001.0)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.integers(0, 255))
def test_any_datagram_that_parses_can_be_received(data: bytes, first: int) -> None:
    receiver = AudioReceiver(PCMU, 16_000, lambda frame: None)
    receiver.agree(PLAN)
    packet = rtp.parse(bytes([first]) + data)
    if packet is not None:
        receiver.packet(packet, 1.0)
