"""What was captured is put together as the receiver would have it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.system.wire import packets as made
from tests.system.wire.flows import flows
from tests.system.wire.packets import OWN, frame, segments, tcp, udp, write_pcap
from tests.system.wire.pcap import UDP, NotACapture, packets, read_frames

TEXT = b"what a caller said, in a few words"


@pytest.mark.parametrize("order", ["<", ">"])
def test_frames_are_read_in_either_byte_order(tmp_path: Path, order: str) -> None:
    frames = [frame(udp(TEXT), UDP, at=at) for at in (1, 2)]
    write_pcap(tmp_path / "a.pcap", frames, order=order)
    assert read_frames(tmp_path / "a.pcap") == frames


def test_a_frame_that_is_being_written_is_not_read_yet(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    write_pcap(path, [frame(udp(TEXT), UDP)] * 2)
    whole = path.read_bytes()
    for missing in (1, 40, len(whole) - 24):
        path.write_bytes(whole[:-missing])
        assert len(read_frames(path)) == (0 if missing > 100 else 1)


def test_a_frame_that_was_cut_is_refused(tmp_path: Path) -> None:
    write_pcap(tmp_path / "a.pcap", [frame(udp(TEXT), UDP)], kept=30)
    with pytest.raises(NotACapture, match="cut to 30"):
        read_frames(tmp_path / "a.pcap")
    (tmp_path / "b.pcap").write_bytes(bytes(100))
    with pytest.raises(NotACapture, match="not a pcap"):
        read_frames(tmp_path / "b.pcap")


@pytest.mark.parametrize("seed", range(5))
def test_fragments_are_one_datagram_in_whatever_order_they_come(seed: int) -> None:
    whole = udp(TEXT * 100)
    cuts = [(start, whole[start : start + 800]) for start in range(0, len(whole), 800)]
    parts = [frame(body, UDP, offset=start, more=start + 800 < len(whole)) for start, body in cuts]
    random.Random(seed).shuffle(parts)
    (packet,) = packets(parts, OWN)
    assert packet.payload == whole
    assert packet.size == len(whole) + 20 * len(parts)
    (flow,) = flows([packet])
    assert flow.datagrams == [TEXT * 100]


def test_a_fragment_whose_others_are_missing_is_not_passed_over() -> None:
    (packet,) = packets([frame(TEXT, UDP, offset=800, more=True)], OWN)
    assert TEXT in packet.payload


@pytest.mark.parametrize("begin", [1, 0xFFFFFFF0])
@pytest.mark.parametrize("seed", range(5))
def test_a_stream_is_whole_with_segments_late_twice_and_overlapping(begin: int, seed: int) -> None:
    sent = [tcp(TEXT[at : at + 7], begin + at) for at in range(0, len(TEXT), 5)]
    chance = random.Random(seed)
    later = sent[1:] + chance.sample(sent, 3)
    chance.shuffle(later)
    (flow,) = flows(segments(sent[0], *later))
    assert flow.streams == [TEXT]


def test_what_came_before_the_first_segment_seen_is_kept() -> None:
    (flow,) = flows(segments(tcp(TEXT[10:], 110), tcp(TEXT[:10], 100)))
    assert flow.streams == [TEXT]


def test_a_hole_parts_a_stream_and_loses_nothing_else() -> None:
    (flow,) = flows(segments(tcp(b"before", 100), tcp(b"after", 200)))
    assert flow.streams == [b"before", b"after"]


def test_ports_that_are_used_again_are_another_stream() -> None:
    syn = 0x02
    first = (tcp(b"", 99, flags=syn), tcp(b"one", 100))
    again = (tcp(b"", 100, flags=syn), tcp(b"two", 101))
    (flow,) = flows(segments(*first, *again))
    assert flow.streams == [b"one", b"two"]
    (repeated,) = flows(segments(first[0], *first))
    assert repeated.streams == [b"one"], "a SYN that is sent again begins nothing"


def test_each_direction_and_each_port_is_a_flow_of_its_own() -> None:
    found = flows(segments(tcp(b"a", 1), tcp(b"b", 1, ports=(40_001, 9_000))))
    assert [flow.way.source_port for flow in found] == [40_000, 40_001]
    assert all(flow.way.leaving for flow in found)
    (incoming,) = packets([frame(udp(b"x"), UDP)], made.OTHER)
    assert not incoming.leaving
