"""A segment is both sides, aligned, lossless, and opens at its own place only."""

from __future__ import annotations

import numpy as np
import pytest

from edge.media.frames import LISTEN_FRAME, LISTEN_RATE
from edge.recording.errors import Altered
from edge.recording.segment import Header, Press, SegmentSeal, decode, encode
from edge.recording.tap import Stretch
from edge.session.seal import ClassKey
from regions.models import DataClass
from tests.edge.recording.parts import KEY, LEG, frame
from tests.edge.session.parts import IN, NOW, OTHER, tag_for

HEADER = Header(number=3, began=NOW, begin=0, end=2, name=LEG.text)
AUDIO = np.random.default_rng(5).integers(-9000, 9000, (2 * LISTEN_FRAME, 2)).astype(np.int16)
SEAL = SegmentSeal(KEY, "reception", LEG.text)


def sealed() -> bytes:
    return SEAL.seal(HEADER, encode(AUDIO))


def test_what_is_opened_is_what_was_sealed_to_the_bit() -> None:
    header, flac = SEAL.open(3, sealed())
    assert header == HEADER
    assert np.array_equal(decode(flac, 2), AUDIO)


def test_no_audio_at_all_is_a_segment_too() -> None:
    assert encode(AUDIO[:0]) == b""
    assert len(decode(b"", 0)) == 0


def test_a_segment_does_not_open_as_another_number() -> None:
    with pytest.raises(Altered, match="segment 4"):
        SEAL.open(4, sealed())


@pytest.mark.parametrize(
    "other",
    [
        SegmentSeal(KEY, "reception", "0002-004000003600-00000002"),
        SegmentSeal(KEY, "another", LEG.text),
        SegmentSeal(ClassKey(b"s" * 32, KEY.tag), "reception", LEG.text),
        SegmentSeal(
            ClassKey(KEY.key, tag_for(OTHER).for_class(DataClass.RECORDING)), "reception", LEG.text
        ),
        SegmentSeal(
            ClassKey(KEY.key, tag_for().for_class(DataClass.TRANSCRIPT)), "reception", LEG.text
        ),
        SegmentSeal(
            ClassKey(KEY.key, tag_for(regions=(IN,)).for_class(DataClass.RECORDING)),
            "reception",
            LEG.text,
        ),
    ],
    ids=["another leg", "another agent", "another key", "another session", "class", "region"],
)
def test_a_foreign_segment_does_not_open(other: SegmentSeal) -> None:
    with pytest.raises(Altered):
        other.open(3, sealed())


@pytest.mark.parametrize("keep", [0, 1, 12, 13, 40, -1])
def test_a_segment_that_was_cut_does_not_open(keep: int) -> None:
    with pytest.raises(Altered):
        SEAL.open(3, sealed()[:keep])


def test_a_changed_bit_is_found() -> None:
    body = bytearray(sealed())
    body[len(body) // 2] ^= 1
    with pytest.raises(Altered):
        SEAL.open(3, bytes(body))


def test_a_segment_that_says_another_number_than_its_place_is_refused() -> None:
    lying = SEAL._sealer.seal(
        DataClass.RECORDING,
        "recording",
        f"{LEG.text}/3",
        HEADER.model_copy(update={"number": 4}).model_dump_json().encode() + b"\n",
    )
    with pytest.raises(Altered, match="says that it is another"):
        SEAL.open(3, lying)


def test_audio_of_another_length_than_it_says_is_refused() -> None:
    with pytest.raises(Altered):
        decode(encode(AUDIO), 3)
    with pytest.raises(Altered):
        decode(b"fLaC but not really", 2)


def test_the_caller_is_left_and_the_agent_right() -> None:
    heard = [(0, frame(100)), (1, frame(101))]
    out = Press().lay(Stretch(0, 2, heard, [(1, frame(-7))], LISTEN_RATE))
    assert [int(value) for value in out[::LISTEN_FRAME, 0]] == [100, 101]
    assert [int(value) for value in out[::LISTEN_FRAME, 1]] == [0, -7]


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_the_agents_voice_is_in_its_place_whatever_its_rate(rate: int) -> None:
    """A tone burst from 1.0 s to 1.5 s, over the border of two segments."""
    per_frame = rate // 50
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate)).astype(np.int16)
    frames = [(50 + n, tone[n * per_frame : (n + 1) * per_frame]) for n in range(25)]
    press = Press()
    first = press.lay(Stretch(0, 60, [], frames[:20], rate))
    second = press.lay(Stretch(60, 120, [], frames[20:], rate))
    agent = np.concatenate((first, second))[:, 1].astype(np.float64)
    at_16 = 8000 * np.sin(2 * np.pi * 440 * np.arange(LISTEN_RATE // 2) / LISTEN_RATE)
    wanted = np.zeros(120 * LISTEN_FRAME)
    wanted[LISTEN_RATE : LISTEN_RATE * 3 // 2] = at_16
    best = max(range(-64, 65), key=lambda shift: float(np.dot(np.roll(wanted, shift), agent)))
    assert abs(best) <= LISTEN_RATE * 3 // 1000
    moved = np.roll(wanted, best)
    likeness = np.dot(moved, agent) / (np.linalg.norm(moved) * np.linalg.norm(agent))
    assert likeness > 0.99


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_no_seam_is_heard_between_two_segments(rate: int) -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)).astype(np.int16)
    size = rate // 50
    frames = [(n, tone[n * size : (n + 1) * size]) for n in range(100)]
    whole = Press().lay(Stretch(0, 100, [], frames, rate))
    press = Press()
    parts = [press.lay(Stretch(0, 50, [], frames[:50], rate))]
    parts += [press.lay(Stretch(50, 100, [], frames[50:], rate))]
    assert np.array_equal(np.concatenate(parts), whole)


def test_a_short_pause_of_the_agent_is_as_long_as_it_was() -> None:
    played = [(0, frame(-500)), (6, frame(-600))]
    out = Press().lay(Stretch(0, 8, [], played, LISTEN_RATE))
    assert [int(value) for value in out[::LISTEN_FRAME, 1]] == [-500, 0, 0, 0, 0, 0, -600, 0]
