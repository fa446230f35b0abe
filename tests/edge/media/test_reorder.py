"""Order, loss and time of one RTP stream."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media import reorder
from edge.media.reorder import Conceal, Item, Packet, Play, ReorderBuffer, Restart, Silence

FRAME = 960
RATE = 48_000


def packet(number: int, *, timestamp: int | None = None, ssrc: int = 1, size: int = 40) -> Packet:
    """The ``number``-th packet of a stream that starts near both wraps."""
    return Packet(
        ssrc=ssrc,
        sequence=(65_530 + number) & 0xFFFF,
        timestamp=(0xFFFFF000 + (number * FRAME if timestamp is None else timestamp)) & 0xFFFFFFFF,
        payload=number.to_bytes(4) + bytes(max(0, size - 4)),
        duration=FRAME,
    )


def feed(buffer: ReorderBuffer, packets: list[Packet], start: float = 10.0) -> list[Item]:
    """Push one packet per 20 ms."""
    items: list[Item] = []
    for step, one in enumerate(packets):
        items += buffer.push(one, start + step * 0.02)
    return items


def played(items: list[Item]) -> list[int]:
    return [int.from_bytes(item.payload[:4]) for item in items if isinstance(item, Play)]


def length(items: list[Item]) -> int:
    """Units of the RTP clock that the items last."""
    total = 0
    for item in items:
        match item:
            case Play():
                total += FRAME
            case Conceal(units, _) | Silence(units):
                total += units
            case Restart():
                pass
    return total


def test_packets_in_order_are_played_at_once_across_both_wraps() -> None:
    buffer = ReorderBuffer(RATE)
    for number in range(20):
        assert played(buffer.push(packet(number), number * 0.02)) == [number]


def test_two_swapped_packets_are_played_in_order_without_concealment() -> None:
    items = feed(ReorderBuffer(RATE), [packet(n) for n in (0, 2, 1, 3)])
    assert played(items) == [0, 1, 2, 3]
    assert length(items) == 4 * FRAME


def test_a_lost_packet_is_concealed_with_the_next_when_three_are_held() -> None:
    buffer = ReorderBuffer(RATE)
    assert played(feed(buffer, [packet(n) for n in (0, 2, 3)])) == [0]
    items = buffer.push(packet(4), 10.1)
    assert items[0] == Conceal(FRAME, packet(2).payload)
    assert played(items) == [2, 3, 4]
    assert buffer.counts.lost == 1


def test_a_loss_before_a_pause_is_given_up_after_the_hold_time() -> None:
    buffer = ReorderBuffer(RATE)
    feed(buffer, [packet(0), packet(2)])
    assert buffer.poll(10.02 + reorder.HOLD / 2) == []
    items = buffer.poll(10.02 + reorder.HOLD + 0.001)
    assert played(items) == [2]
    assert length(items) == 2 * FRAME


def test_concealment_is_capped_and_the_rest_is_silence() -> None:
    lost = 30
    packets = [packet(0), *(packet(n) for n in range(1 + lost, 4 + lost))]
    items = feed(ReorderBuffer(RATE), packets)
    concealed = sum(item.units for item in items if isinstance(item, Conceal))
    assert concealed == int(reorder.MAX_CONCEAL * RATE)
    assert length(items) == (4 + lost) * FRAME
    last = [item for item in items if isinstance(item, Conceal)][-1]
    assert last.following == packet(1 + lost).payload


def test_a_pause_of_the_sender_becomes_silence_of_the_same_length() -> None:
    items = feed(ReorderBuffer(RATE), [packet(0), packet(1, timestamp=21 * FRAME)])
    assert items[1] == Silence(20 * FRAME)
    assert played(items) == [0, 1]


def test_a_jump_in_time_beyond_the_bound_is_not_filled() -> None:
    far = packet(1, timestamp=FRAME + int(reorder.MAX_FILL * RATE) + 1)
    items = feed(ReorderBuffer(RATE), [packet(0), far, packet(2, timestamp=0)])
    assert length(items) == 3 * FRAME


def test_silence_is_made_while_nothing_arrives_and_counted_against_the_pause() -> None:
    buffer = ReorderBuffer(RATE)
    items = buffer.push(packet(0, size=1), 0.0)
    for step in range(1, 51):
        items += buffer.poll(step * 0.02)
    waited = length(items)
    assert waited >= (1.0 - reorder.GRACE_DTX - 0.03) * RATE
    items += buffer.push(packet(1, timestamp=50 * FRAME), 1.0)
    assert length(items) == 51 * FRAME


def test_an_announced_pause_is_noticed_sooner_than_a_stall() -> None:
    def first_silence(size: int) -> float:
        buffer = ReorderBuffer(RATE)
        buffer.push(packet(0, size=max(size, 4)), 0.0)
        if size < 4:
            buffer.push(replace(packet(1), payload=b"\x08"), 0.0)
        return next(step * 0.005 for step in range(100) if buffer.poll(step * 0.005))

    assert first_silence(1) < 0.08
    assert 0.12 < first_silence(40) < 0.16


def test_speech_that_comes_after_a_stall_is_played_whole() -> None:
    buffer = ReorderBuffer(RATE)
    items = buffer.push(packet(0), 0.0)
    for step in range(1, 16):
        items += buffer.poll(step * 0.02)
    for number in range(1, 16):
        items += buffer.push(packet(number), 0.3)
    assert played(items) == list(range(16))


def test_nothing_is_made_before_the_first_packet() -> None:
    assert ReorderBuffer(RATE).poll(1000.0) == []


def test_a_long_stop_of_the_process_is_caught_up_in_bounded_steps() -> None:
    buffer = ReorderBuffer(RATE)
    buffer.push(packet(0), 0.0)
    steps = [buffer.poll(60.0 + step * 0.02) for step in range(200)]
    assert all(length(items) <= 5 * FRAME for items in steps)
    assert length(steps[-1]) <= FRAME


def test_late_and_duplicate_packets_are_dropped_and_counted() -> None:
    buffer = ReorderBuffer(RATE)
    order = (0, 2, 2, 3, 4, 1, 0)
    assert played(feed(buffer, [packet(n) for n in order])) == [0, 2, 3, 4]
    assert (buffer.counts.duplicate, buffer.counts.late, buffer.counts.lost) == (1, 2, 1)


def test_another_source_restarts_the_stream() -> None:
    buffer = ReorderBuffer(RATE)
    feed(buffer, [packet(0), packet(2)])
    items = buffer.push(packet(500, ssrc=2, timestamp=0), 10.1)
    assert [type(item) for item in items] == [Conceal, Play, Restart, Play]
    assert buffer.counts.restarts == 1


def test_one_odd_sequence_number_is_ignored_and_two_in_a_row_are_a_restart() -> None:
    buffer = ReorderBuffer(RATE)
    feed(buffer, [packet(n) for n in range(3)])
    assert buffer.push(packet(20_000), 11.0) == []
    assert played(buffer.push(packet(3), 11.02)) == [3]
    assert buffer.push(packet(20_000), 11.04) == []
    assert played(buffer.push(packet(20_001), 11.06)) == [20_001]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.floats(0, 0.3), st.integers(0, 2), st.floats(0, 0.2))
def test_any_network_yields_each_packet_once_in_order_on_a_true_timeline(
    seed: int, loss: float, shift: int, duplicates: float
) -> None:
    """Packets move by less than the depth, so that only lost ones may be missing."""
    rng = random.Random(seed)
    sent = list(range(100))
    kept = [n for n in sent if n in (0, 99) or rng.random() >= loss]
    arrived = sorted(kept[1:-1], key=lambda n: kept.index(n) + rng.uniform(0, shift))
    network = [kept[0], *arrived, kept[-1]]
    network += [] if not duplicates else [99]
    for number in list(network):
        if rng.random() < duplicates:
            network.insert(network.index(number) + 1, number)
    buffer = ReorderBuffer(RATE)
    items = feed(buffer, [packet(n) for n in network])
    items += buffer.poll(1e6)
    heard = played(items)
    assert heard == sorted(set(heard))
    assert set(heard) == set(kept)
    assert length(items) - _made_at_the_end(items) == 100 * FRAME


def _made_at_the_end(items: list[Item]) -> int:
    last = items[-1]
    return last.units if isinstance(last, Silence) else 0


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, 2**32 - 1)), max_size=60))
def test_hostile_numbers_never_fill_more_than_the_bound_per_packet(
    numbers: list[tuple[int, int]],
) -> None:
    buffer = ReorderBuffer(RATE)
    for step, (sequence, timestamp) in enumerate(numbers):
        items = buffer.push(Packet(1, sequence, timestamp, b"1234", FRAME), step * 0.02)
        assert length(items) <= 4 * (RATE + FRAME)
        assert len(buffer._held) < reorder.DEPTH


def test_a_packet_of_60_ms_counts_as_60_ms() -> None:
    buffer = ReorderBuffer(RATE)
    long = replace(packet(0), duration=3 * FRAME)
    items = feed(buffer, [long, packet(1, timestamp=3 * FRAME)])
    assert not any(isinstance(item, Silence) for item in items)


@pytest.mark.parametrize("depth", [1, 5])
def test_the_depth_is_how_many_wait_for_a_missing_one(depth: int) -> None:
    buffer = ReorderBuffer(RATE, depth=depth)
    items = feed(buffer, [packet(0), *(packet(n) for n in range(2, 2 + depth))])
    assert played(items)[-1] == 1 + depth


def event(number: int) -> Packet:
    """A telephone event in the place of the ``number``-th packet, far off in its timestamp."""
    return replace(packet(number, timestamp=0), duration=0, payload_type=101, timed=False)


def test_events_take_a_place_in_the_sequence_and_none_in_time() -> None:
    buffer = ReorderBuffer(RATE)
    first = feed(buffer, [packet(0), packet(1), event(2), event(3)])
    after = buffer.push(packet(4, timestamp=8 * FRAME), 10.16)
    assert played(first) == [0, 1]
    assert [item for item in after if isinstance(item, Silence)] == [Silence(6 * FRAME)]
    assert played(after) == [4]
    assert (buffer.counts.lost, buffer.counts.received) == (0, 5)


def test_a_lost_event_is_counted_and_not_concealed() -> None:
    buffer = ReorderBuffer(RATE)
    items = feed(buffer, [packet(0), event(1), event(3), packet(4, timestamp=FRAME)])
    items += buffer.push(packet(5, timestamp=2 * FRAME), 10.1)
    assert played(items) == [0, 4, 5]
    assert buffer.counts.lost == 1
    assert not any(isinstance(item, Conceal) for item in items)


def test_comfort_noise_begins_a_pause_of_any_length() -> None:
    buffer = ReorderBuffer(RATE)
    noise = replace(packet(1), duration=0, payload=b"0123456789", payload_type=13)
    items = feed(buffer, [packet(0), noise])
    assert items[-1] == Play(noise.payload, 13)
    made = [item for step in range(10) for item in buffer.poll(10.02 + step * 0.02)]
    assert 5 * FRAME <= length(made) <= 9 * FRAME
    assert length(
        [*items, *made, *buffer.push(packet(2, timestamp=11 * FRAME), 10.24)]
    ) - FRAME == (12 * FRAME)


def test_a_loss_right_before_comfort_noise_is_not_recovered_from_it() -> None:
    buffer = ReorderBuffer(RATE)
    noise = replace(packet(2), duration=0, payload_type=13)
    feed(buffer, [packet(0), noise])
    items = buffer.poll(11.0)
    assert items[0] == Conceal(FRAME, None)


def test_what_comes_after_an_interruption_is_a_first_packet() -> None:
    buffer = ReorderBuffer(RATE)
    feed(buffer, [packet(0), packet(2)])
    buffer.forget()
    assert buffer.poll(100.0) == []
    assert buffer.push(packet(40), 100.0) == [Play(packet(40).payload)]
    assert (buffer.counts.lost, buffer.counts.restarts) == (0, 0)


def waits(buffer: ReorderBuffer, now: float) -> float:
    """Seconds until silence is made."""
    return next(step * 0.005 for step in range(100) if buffer.poll(now + step * 0.005))


def test_after_an_event_and_after_comfort_noise_a_pause_is_expected() -> None:
    noise = replace(packet(1), duration=0, payload=b"0123456789", payload_type=13)
    for last in (event(1), noise):
        buffer = ReorderBuffer(RATE)
        feed(buffer, [packet(0), last])
        assert waits(buffer, 10.02) < 0.08
    buffer = ReorderBuffer(RATE)
    feed(buffer, [packet(0), packet(1)])
    assert waits(buffer, 10.02) > 0.12


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2, -1, 5000, 5001]),
            st.sampled_from([0, 0, 0, 0, 0, 0, 1, -1, 60, -60]),
            st.sampled_from([0.02, 0.02, 0.02, 0.0, 0.07, 0.3]),
            st.sampled_from([1, 1, 1, 1, 1, 1, 1, 2]),
        ),
        max_size=60,
    )
)
def test_the_short_cut_is_heard_as_the_long_way(
    moves: list[tuple[int, int, float, int]],
) -> None:
    short, long = ReorderBuffer(RATE), ReorderBuffer(RATE)
    number, now = 100, 10.0
    for step, ahead, passed, ssrc in moves:
        now += passed
        one = packet(number + step, timestamp=(number + ahead) * FRAME, ssrc=ssrc)
        number += step in (0, 1)
        taken = short.in_order(one.ssrc, one.sequence, one.timestamp, one.duration, now)
        items = [Play(one.payload)] if taken else short.push(one, now)
        assert items == long.push(one, now)
        assert short.poll(now) == long.poll(now)
        assert short.counts == long.counts
