"""The search that finds nothing on an uplink finds what is there, and only that."""

from __future__ import annotations

import base64
import gzip
import json
import random
import zlib

import numpy as np
import pytest

from edge.media.frames import Samples
from edge.media.g711 import ulaw_encode
from edge.transport.rtp import packet as rtp
from tests.system.wire.audio import RATE, SAME, Voices, sounds_in
from tests.system.wire.flows import Flow, flows
from tests.system.wire.packets import datagrams, frame, segments, tcp
from tests.system.wire.pcap import TCP, Frame, Packet
from tests.system.wire.plant import leaks
from tests.system.wire.search import INFLATED, Search, views

SAID = {"typed word": "Quarzfenster", "typed code": "73816490", "tool's result": "60481735"}
SECONDS = 3
MSS = 1_460


def babble(seed: int, rate: int = RATE) -> Samples:
    """What sounds like nobody else: a voice of three formants that wander, 16-bit mono."""
    chance = np.random.default_rng(seed)
    times = np.arange(SECONDS * rate) / rate
    knots = np.linspace(0, SECONDS, 12)
    sound = np.zeros(len(times))
    for low, high in ((90, 250), (300, 900), (900, 2_400)):
        pitch = np.interp(times, knots, chance.uniform(low, high, len(knots)))
        loud = np.interp(times, knots, chance.uniform(0.3, 1.0, len(knots)))
        sound += loud * np.sin(2 * np.pi * np.cumsum(pitch) / rate)
    return np.asarray(sound * 3_000, np.int16)


CALLER, AGENT = babble(1), babble(2)


@pytest.fixture(scope="module")
def search() -> Search:
    return Search(SAID, {"caller": CALLER, "agent": AGENT})


def found(search: Search, sent: list[Packet], frames: list[Frame] | None = None) -> set[str]:
    """What it says is there, and how it was written."""
    return {f"{one.what}: {one.written}" for one in search.findings(flows(sent), frames or [])}


def test_every_kind_of_leak_is_found_and_called_by_its_name() -> None:
    caller, agent = babble(1, 24_000), babble(2, 24_000)
    search = Search(SAID, {"caller": caller[::3], "agent": agent[::3]})
    for leak in leaks(SAID, caller, agent, 24_000):
        send = stream if leak.transport == "tcp" else datagrams
        told = found(search, send(*leak.pieces))
        assert any(one.startswith(leak.what) and leak.written in one for one in told), leak.name


def stream(*pieces: bytes) -> list[Packet]:
    """Each piece in segments of its own."""
    sent, at = [], 1
    for piece in pieces:
        for part in (piece[start : start + MSS] for start in range(0, len(piece), MSS)):
            sent.append(tcp(part, at))
            at += len(part)
    return segments(*sent)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_where_nothing_is(search: Search, seed: int) -> None:
    noise = random.Random(seed).randbytes(30_000)
    beats = json.dumps({"node": "eu-central-1", "sequence": seed}).encode() * 200
    others = ulaw_encode(babble(seed + 10))
    for data in (noise, beats, others, base64.b64encode(noise)):
        assert found(search, stream(data)) == set()
        assert found(search, datagrams(*(data[at : at + 160] for at in range(0, 8_000, 160)))) == (
            set()
        )


@pytest.mark.parametrize("start", [0.0, 0.37, 1.1])
@pytest.mark.parametrize("gain", [0.1, 1.0, -0.5])
def test_three_quarters_of_a_second_are_found_wherever_they_begin(
    search: Search, start: float, gain: float
) -> None:
    begin = round(start * RATE)
    piece = (CALLER[begin : begin + RATE * 3 // 4] * gain).astype("<i2").tobytes()
    around = random.Random(1).randbytes(5_001)
    assert "voice of caller: s16le 8000 Hz" in found(search, stream(around + piece))


def test_packets_are_in_order_of_their_timestamps_over_the_turn_of_32_bits(search: Search) -> None:
    # A second without a whole stretch of those looked for on either side of the turn.
    codes = ulaw_encode(CALLER[1_000:9_000])
    sent = [
        rtp.pack(0, at // 160, (at - 4_000) & 0xFFFFFFFF, 7, codes[at : at + 160], marker=False)
        for at in range(0, 8_000, 160)
    ]
    first, *others = sent
    random.Random(1).shuffle(others)
    assert "voice of caller: PCMU in RTP" in found(search, datagrams(first, *others))


def test_another_voice_is_told_from_those_of_the_call() -> None:
    voices = Voices({"caller": CALLER, "agent": AGENT})
    others = [voices.likeness(babble(seed)).correlation for seed in range(20, 40)]
    assert max(others) < SAME - 0.1
    assert voices.likeness(AGENT).whose == "agent"
    with pytest.raises(ValueError, match="nothing to be heard of silence"):
        Voices({"silence": np.zeros(RATE, np.int16)})


def test_a_word_in_a_frame_that_is_no_packet_is_found(search: Search) -> None:
    odd = Frame(0.0, bytes(12) + b"\x88\xcc" + SAID["typed word"].encode())
    assert "typed word: utf-8" in found(search, [], [odd])


def test_a_word_is_reported_once_where_the_flow_is_known(search: Search) -> None:
    data = tcp(SAID["typed word"].encode(), 1)
    told = search.findings(flows(segments(data)), [frame(data, TCP)])
    assert told and all(one.way is not None for one in told)


def test_what_is_written_in_one_another_is_opened_twice() -> None:
    inner = b"Quarzfenster" * 100
    shown = [
        view for _, view in views(base64.b64encode(gzip.compress(random.randbytes(2_000) + inner)))
    ]
    assert any(inner in view for view in shown)
    broken = zlib.compress(inner)[:-6] + b"??????"
    assert any(inner[:50] in view for _, view in views(b"head" + broken))


def test_a_bomb_is_opened_only_so_far() -> None:
    bomb = zlib.compress(bytes(20 * INFLATED), 9)
    assert max(len(view) for _, view in views(bomb)) <= INFLATED


def test_noise_is_no_sound_at_any_rate() -> None:
    voices = Voices({"caller": CALLER})
    noise = random.Random(3).randbytes(40_000)
    assert max(voices.likeness(sound).correlation for _, sound in sounds_in(noise)) < 0.4


def test_a_flow_without_payload_is_nothing(search: Search) -> None:
    empty = Flow(flows(segments(tcp(b"", 1)))[0].way)
    assert search.findings([empty], []) == []
