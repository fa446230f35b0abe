"""What leaves when a plan was agreed: packet lengths, comfort noise, events, another codec."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge.media import comfort, g711
from edge.media.playout import Playout
from edge.transport.rtp import packet as rtp
from edge.transport.rtp.codec import Codec, make_decoder
from edge.transport.rtp.packet import RtpPacket
from edge.transport.rtp.plan import Plan, just
from edge.transport.rtp.sender import COMFORT_TICKS, TRAILING_FRAMES, AudioSender, EventPacket
from tests.edge.media.tones import pitch, tone

OPUS = Codec("opus", 111)
PCMU = Codec("pcmu", 0)
G722 = Codec("g722", 9)


def sent(sender: AudioSender, ticks: int) -> list[list[RtpPacket]]:
    """The packets of each tick."""
    made = [[rtp.parse(packet) for packet in sender.tick()] for _ in range(ticks)]
    return [[packet for packet in packets if packet is not None] for packets in made]


def speaking(codec: Codec, plan: Plan, seconds: float = 1.2) -> AudioSender:
    playout = Playout(codec.playout_rate)
    playout.push(tone(440, codec.playout_rate, seconds))
    sender = AudioSender(codec, playout, continuous=True)
    sender.agree(plan)
    return sender


@pytest.mark.parametrize("codec", [PCMU, G722])
@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 50, 60])
def test_packets_hold_as_much_as_the_far_end_likes(codec: Codec, ptime: int) -> None:
    sender = speaking(codec, Plan(codec, {}, ptime=ptime))
    ticks = sent(sender, 60)
    packets = [packet for tick in ticks for packet in tick]
    assert {len(packet.payload) for packet in packets} == {8 * ptime}
    assert len(packets) == 1200 // ptime
    for before, after in itertools.pairwise(packets):
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 8 * ptime
        assert (after.sequence - before.sequence) & 0xFFFF == 1
    decoder = make_decoder(codec, 16_000)
    heard = np.concatenate([decoder.decode(packet.payload) for packet in packets])
    assert pitch(heard, 16_000) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(("codec", "ptime"), [(PCMU, 25), (PCMU, 200), (PCMU, 0), (OPUS, 60)])
def test_a_length_that_is_not_made_is_20_ms(codec: Codec, ptime: int) -> None:
    sender = speaking(codec, Plan(codec, {}, ptime=ptime))
    assert all(len(packets) == 1 for packets in sent(sender, 50))


def test_a_talk_spurt_that_ends_inside_a_packet_is_sent_to_its_end() -> None:
    playout = Playout(8_000)
    sender = AudioSender(PCMU, playout)
    sender.agree(Plan(PCMU, {}, ptime=60))
    start = sender.timestamp
    playout.push(tone(440, 8_000, 0.04))
    packets = [packet for tick in sent(sender, 20) for packet in tick]
    frames = 2 + TRAILING_FRAMES
    assert sum(len(packet.payload) for packet in packets) == 160 * frames
    assert [len(packet.payload) for packet in packets] == [480, 480, 160]
    assert [(p.timestamp - start) & 0xFFFFFFFF for p in packets] == [0, 480, 960]


def test_silence_is_sent_as_comfort_noise_when_that_was_agreed() -> None:
    playout = Playout(8_000)
    sender = AudioSender(PCMU, playout, continuous=True)
    sender.agree(Plan(PCMU, {}, comfort_out=13))
    playout.push(tone(440, 8_000, 0.02))
    ticks = sent(sender, 1 + TRAILING_FRAMES + 2 * COMFORT_TICKS)
    silent = ticks[1 + TRAILING_FRAMES :]
    noise = [packet for packets in silent for packet in packets]
    assert [packet.payload for packet in noise] == [comfort.packet()] * 2
    assert {packet.payload_type for packet in noise} == {13}
    assert silent[0] and silent[COMFORT_TICKS]
    sent(sender, 10)
    playout.push(tone(440, 8_000, 0.02))
    (raw,) = sender.tick()
    assert raw[1] == 0x80 | PCMU.payload_type  # the marker says that a talk spurt begins
    sent(sender, TRAILING_FRAMES)
    ((noise_again,),) = sent(sender, 1)
    assert noise_again.payload_type == 13


class Key:
    """Three packets of one event, then a pause of two ticks."""

    def __init__(self) -> None:
        self.left = 0
        self.start = 0

    @property
    def active(self) -> bool:
        return self.left > 0

    def tick(self, timestamp: int) -> EventPacket | None:
        if self.left == 5:
            self.start = timestamp
        self.left -= 1
        if self.left < 2:
            return None
        return EventPacket(101, self.start, b"even", self.left == 4)


@pytest.mark.parametrize("ptime", [20, 60])
def test_an_event_takes_the_place_of_audio_which_waits(ptime: int) -> None:
    playout = Playout(8_000)
    sender = AudioSender(PCMU, playout, continuous=True)
    sender.agree(Plan(PCMU, {}, ptime=ptime))
    key = Key()
    sender.events = key
    speech = tone(440, 8_000, 0.4)
    playout.push(speech)
    before = sent(sender, 4)
    began = sender.timestamp
    key.left = 5
    packets = [p for tick in [*before, *sent(sender, 5 + 18)] for p in tick]
    assert [(p.sequence - packets[0].sequence) & 0xFFFF for p in packets] == [*range(len(packets))]
    events = [packet for packet in packets if packet.payload_type == 101]
    assert [packet.timestamp for packet in events] == [began] * 3
    audio = [packet for packet in packets if packet.payload_type == 0]
    heard = b"".join(packet.payload for packet in audio)
    assert heard[: len(speech)] == g711.ulaw_encode(speech)
    at = {packet.timestamp for packet in audio}
    assert not any((began + 160 * n) & 0xFFFFFFFF in at for n in range(5))
    assert (began + 160 * 5) & 0xFFFFFFFF in at


def test_another_codec_goes_on_in_the_same_sequence_and_time() -> None:
    sender = speaking(PCMU, just(PCMU))
    (first,) = sent(sender, 1)[0]
    sender.agree(just(G722))
    (second,) = sent(sender, 1)[0]
    assert (second.payload_type, len(second.payload)) == (9, 160)
    assert (second.sequence - first.sequence) & 0xFFFF == 1
    assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == 160
    assert second.ssrc == first.ssrc


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
@pytest.mark.parametrize("codec", [OPUS, G722, PCMU])
def test_a_playout_of_another_rate_is_heard_in_pitch(codec: Codec, rate: int) -> None:
    playout = Playout(rate)
    playout.push(tone(440, rate, 1.0))
    sender = AudioSender(PCMU, playout)
    sender.agree(just(codec))
    decoder = make_decoder(codec, 16_000)
    packets = [packet for tick in sent(sender, 50) for packet in tick]
    heard = np.concatenate([decoder.decode(packet.payload) for packet in packets])
    assert pitch(heard[1600:], 16_000) == pytest.approx(440, abs=3)


def test_while_nothing_may_be_sent_time_goes_on_and_the_playout_waits() -> None:
    playout = Playout(8_000)
    playout.push(tone(440, 8_000, 0.06))
    sender = AudioSender(PCMU, playout)
    sent(sender, 1)
    start = sender.timestamp
    for _ in range(10):
        sender.skip()
    assert playout.queued == 320
    (raw,) = sender.tick()
    again = rtp.parse(raw)
    assert again is not None and raw[1] & 0x80
    assert (again.timestamp - start) & 0xFFFFFFFF == 10 * 160
