"""Ports from a range, in pairs."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.transport.sip.media.ports import (
    LEAST_REST,
    REST,
    PortPair,
    PortRange,
    PortsExhausted,
    share,
)
from tests.edge.transport.sip.media.parts import PORTS
from tests.fakes.clock import FakeClock


def some_free(pairs: int, host: str = "127.0.0.1") -> range:
    """A range of ``pairs`` whose ports nobody has at the moment."""
    source = PortRange(host, PORTS, FakeClock())
    while True:
        first = source.take()
        source.give_back(first)
        ports = range(first.port, first.port + 2 * pairs)
        trial = PortRange(host, ports, FakeClock())
        taken: list[PortPair] = []
        try:
            taken += [trial.take() for _ in range(pairs)]
        except PortsExhausted:
            continue
        finally:
            for pair in taken:
                trial.give_back(pair)
        return ports


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_pair_is_an_even_port_and_the_next(host: str) -> None:
    ports = PortRange(host, PORTS, FakeClock())
    pair = ports.take()
    try:
        assert pair.port % 2 == 0
        assert pair.rtp.getsockname()[:2] == (host, pair.port)
        assert pair.rtcp.getsockname()[:2] == (host, pair.port + 1)
        assert pair.rtp.getblocking() is False
        assert ports.used == 1
    finally:
        ports.give_back(pair)


def test_a_range_that_is_used_up_is_full_and_free_again_after_the_least_rest() -> None:
    clock = FakeClock()
    ports = PortRange("127.0.0.1", some_free(3), clock)
    pairs = [ports.take() for _ in range(3)]
    assert len({pair.port for pair in pairs}) == ports.pairs == 3
    with pytest.raises(PortsExhausted) as refused:
        ports.take()
    assert refused.value.code == "full"
    ports.give_back(pairs[0])
    assert pairs[0].rtp.fileno() == pairs[0].rtcp.fileno() == -1
    clock.advance(LEAST_REST - 0.1)
    with pytest.raises(PortsExhausted):
        ports.take()
    clock.advance(0.1)
    again = ports.take()
    assert again.port == pairs[0].port
    for pair in (again, *pairs[1:]):
        ports.give_back(pair)
    assert ports.used == 0


def test_a_pair_rests_for_longer_while_there_are_others() -> None:
    clock = FakeClock()
    ports = PortRange("127.0.0.1", some_free(3), clock)
    pairs = [ports.take() for _ in range(2)]
    for pair in pairs:
        ports.give_back(pair)
        clock.advance(1.0)
    clock.advance(REST - 2.1)
    third, oldest = ports.take(), ports.take()
    assert third.port not in {pair.port for pair in pairs}
    assert oldest.port == pairs[0].port
    ports.give_back(third)
    ports.give_back(oldest)


def test_a_port_of_another_program_is_passed_over_and_tried_again_later() -> None:
    numbers = some_free(2)
    ports = PortRange("127.0.0.1", numbers, FakeClock())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", numbers[1]))
        pair = ports.take()
        assert pair.port == numbers[2]
        with pytest.raises(PortsExhausted):
            ports.take()
    later = ports.take()
    assert later.port == numbers[0]
    ports.give_back(pair)
    ports.give_back(later)


def test_pairs_are_taken_at_random() -> None:
    """That two ranges begin with the same three of 20,000 pairs would be a wonder."""

    def first_three() -> list[int]:
        ports = PortRange("127.0.0.1", PORTS, FakeClock())
        pairs = [ports.take() for _ in range(3)]
        for pair in pairs:
            ports.give_back(pair)
        return [pair.port for pair in pairs]

    assert first_three() != first_three()


@pytest.mark.parametrize(
    "odd", [range(10_001, 10_004), range(10_001, 10_005), range(10_000, 10_003)]
)
def test_a_half_pair_at_an_end_of_the_range_is_not_used(odd: range) -> None:
    assert PortRange("127.0.0.1", odd, FakeClock()).pairs == 1


@given(st.integers(1024, 65_000), st.integers(0, 500), st.integers(1, 9))
def test_workers_share_a_range_without_a_port_in_common(
    start: int, size: int, workers: int
) -> None:
    whole = range(start, start + size)
    shares = [share(whole, worker, workers) for worker in range(workers)]
    pairs = [PortRange("127.0.0.1", one, FakeClock()).pairs for one in shares]
    taken = [port for one in shares for port in one]
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(whole)
    assert sum(pairs) == PortRange("127.0.0.1", whole, FakeClock()).pairs
    assert max(pairs) - min(pairs) <= 1
