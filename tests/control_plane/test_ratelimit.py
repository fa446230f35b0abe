from __future__ import annotations

from control_plane.ratelimit import AddressHasher, Buckets, Rate
from tests.fakes.clock import FakeClock

RATE = Rate(per_second=2, burst=3)


def test_a_burst_passes_then_the_wait_is_told() -> None:
    buckets = Buckets(FakeClock())
    assert [buckets.take(b"a", RATE) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_the_wait_that_was_told_is_enough() -> None:
    clock = FakeClock()
    buckets = Buckets(clock)
    for _ in range(3):
        buckets.take(b"a", RATE)
    clock.advance(buckets.take(b"a", RATE))
    assert buckets.take(b"a", RATE) == 0.0


def test_asking_too_soon_does_not_push_the_next_token_away() -> None:
    clock = FakeClock()
    buckets = Buckets(clock)
    for _ in range(3):
        buckets.take(b"a", RATE)
    for _ in range(4):
        clock.advance(0.1)
        assert buckets.take(b"a", RATE) > 0
    clock.advance(0.125)
    assert buckets.take(b"a", RATE) == 0.0


def test_a_long_silence_saves_up_no_more_than_the_burst() -> None:
    clock = FakeClock()
    buckets = Buckets(clock)
    clock.advance(10_000)
    assert [buckets.take(b"a", RATE) > 0 for _ in range(4)] == [False, False, False, True]


def test_names_do_not_share_tokens() -> None:
    buckets = Buckets(FakeClock())
    for _ in range(4):
        buckets.take(b"a", RATE)
    assert buckets.take(b"b", RATE) == 0.0


def test_a_flood_of_names_does_not_grow_the_table() -> None:
    buckets = Buckets(FakeClock(), limit=100)
    for number in range(1000):
        buckets.take(str(number).encode(), RATE)
    assert len(buckets) == 100


def test_a_name_in_use_outlives_those_that_are_not() -> None:
    buckets = Buckets(FakeClock(), limit=2)
    for _ in range(3):
        buckets.take(b"busy", RATE)
    for number in range(10):
        buckets.take(str(number).encode(), RATE)
        assert buckets.take(b"busy", RATE) > 0


def test_an_ipv6_client_is_its_network_and_an_ipv4_client_its_address() -> None:
    hasher = AddressHasher()
    assert hasher.name(b"k", "2001:db8::1") == hasher.name(b"k", "2001:db8::2")
    assert hasher.name(b"k", "2001:db8:0:1::1") != hasher.name(b"k", "2001:db8::1")
    assert hasher.name(b"k", "192.0.2.1") != hasher.name(b"k", "192.0.2.2")
    assert hasher.name(b"k", "::ffff:192.0.2.1") == hasher.name(b"k", "192.0.2.1")


def test_a_name_means_nothing_in_another_process_or_for_another_key() -> None:
    hasher = AddressHasher()
    assert hasher.name(b"k", "192.0.2.1") != AddressHasher().name(b"k", "192.0.2.1")
    assert hasher.name(b"k", "192.0.2.1") != hasher.name(b"l", "192.0.2.1")


def test_an_address_that_is_none_is_still_limited() -> None:
    hasher = AddressHasher()
    assert hasher.name(b"k", "unix:") == hasher.name(b"k", "")
