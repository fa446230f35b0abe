"""Which source of media is believed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.transport.sip.core.flow import Address
from edge.transport.sip.media.latch import MAX_STRANGERS, PROBATION, WINDOW, Latch

DESCRIBED: Address = ("192.0.2.1", 5004)
MAPPED: Address = ("203.0.113.9", 40_000)
STRANGER: Address = ("198.51.100.7", 1234)


def latch(*, signalling: str | None = None) -> Latch:
    made = Latch()
    made.describe(DESCRIBED, signalling, 0.0, silent=False)
    return made


def row(made: Latch, source: Address, count: int, at: float = 1.0, start: int = 65_534) -> bool:
    """Whether the last of ``count`` packets in sequence was admitted."""
    return [made.admits(source, 7, (start + n) & 0xFFFF, at) for n in range(count)][-1]


def test_the_described_address_is_taken_at_its_first_packet() -> None:
    made = latch()
    assert made.admits(DESCRIBED, 7, 1, 0.0)
    assert made.source == DESCRIBED


def test_another_port_of_the_described_or_signalling_host_is_taken_at_once() -> None:
    for source in ((DESCRIBED[0], 6000), ("203.0.113.9", 40_000)):
        made = latch(signalling="203.0.113.9")
        assert made.admits(source, 7, 1, 0.0)
        assert made.source == source


def test_a_stranger_is_taken_after_a_row_of_packets() -> None:
    made = latch()
    assert not row(made, MAPPED, PROBATION - 1)
    assert made.source is None
    assert made.admits(MAPPED, 7, (65_534 + PROBATION - 1) & 0xFFFF, 1.0)
    assert made.source == MAPPED


def test_a_spray_of_unrelated_packets_is_never_taken() -> None:
    made = latch()
    assert not any(made.admits(STRANGER, 7, n * 3, 1.0) for n in range(1000))
    assert not any(made.admits(STRANGER, n, n, 1.0) for n in range(1000))


def test_once_a_stranger_was_taken_another_is_not() -> None:
    made = latch()
    assert row(made, MAPPED, PROBATION)
    assert not row(made, STRANGER, 100)
    assert made.source == MAPPED


def test_the_described_host_replaces_a_stranger_while_the_window_is_open() -> None:
    made = latch()
    assert row(made, STRANGER, PROBATION)
    assert made.admits(DESCRIBED, 7, 1, WINDOW - 0.1)
    assert made.source == DESCRIBED
    assert not row(made, STRANGER, 100)


def test_after_the_window_what_was_taken_stays() -> None:
    made = latch()
    assert row(made, MAPPED, PROBATION)
    assert not made.admits(DESCRIBED, 7, 1, WINDOW)
    assert made.source == MAPPED


def test_after_the_window_only_an_expected_host_may_begin() -> None:
    made = latch()
    assert not row(made, STRANGER, 100, at=WINDOW)
    assert made.admits(DESCRIBED, 7, 1, WINDOW + 100)


def test_the_described_port_replaces_another_of_its_host_and_not_the_other_way() -> None:
    made = latch()
    other = (DESCRIBED[0], 6000)
    assert made.admits(other, 7, 1, 1.0)
    assert made.admits(DESCRIBED, 8, 1, 1.0)
    assert not made.admits(other, 7, 2, 1.0)
    assert made.source == DESCRIBED


def test_a_repeated_description_changes_nothing() -> None:
    made = latch()
    assert row(made, MAPPED, PROBATION)
    made.describe(DESCRIBED, None, 100.0, silent=False)
    made.describe(None, None, 100.0, silent=False)
    assert made.source == MAPPED
    assert not row(made, STRANGER, 100, at=100.0)


def test_another_description_opens_the_window_again() -> None:
    made = latch()
    assert row(made, MAPPED, PROBATION)
    made.describe(("192.0.2.2", 5004), None, 100.0, silent=False)
    assert made.source is None
    assert row(made, STRANGER, PROBATION, at=101.0)


def test_a_repeated_description_opens_it_when_the_far_end_has_fallen_silent() -> None:
    made = latch()
    assert row(made, MAPPED, PROBATION)
    made.describe(DESCRIBED, None, 100.0, silent=True)
    assert made.source is None
    assert row(made, ("203.0.113.9", 40_002), PROBATION, at=101.0)


def test_the_window_counts_from_when_the_call_stands_if_nothing_came_before() -> None:
    made = latch()
    made.extend(60.0)
    assert row(made, MAPPED, PROBATION, at=60.0 + WINDOW - 0.1)
    made.extend(200.0)
    assert not made.admits(DESCRIBED, 7, 1, 201.0)


def test_proof_is_taken_at_any_time() -> None:
    made = latch()
    assert made.admits(DESCRIBED, 7, 1, 0.0)
    made.proven(MAPPED)
    assert made.source == MAPPED


def test_before_any_description_nobody_is_taken() -> None:
    assert not row(Latch(), STRANGER, 100, at=0.0)


def test_the_far_end_is_found_among_many_strangers() -> None:
    made = latch()
    for sequence in range(PROBATION):
        for other in range(MAX_STRANGERS - 1):
            made.admits(("198.51.100.7", other), other, sequence * 9, 1.0)
        taken = made.admits(MAPPED, 7, sequence, 1.0)
    assert taken


@given(
    st.lists(
        st.tuples(
            st.sampled_from([DESCRIBED, MAPPED, STRANGER]),
            st.integers(0, 3),
            st.integers(0, 6),
            st.floats(0, 3),
        ),
        max_size=80,
    )
)
def test_nobody_but_the_described_host_is_ever_taken_away_from(
    packets: list[tuple[Address, int, int, float]],
) -> None:
    made = latch()
    now = 0.0
    for source, ssrc, sequence, passed in packets:
        now += passed
        before = made.source
        if source == before:
            continue
        taken = made.admits(source, ssrc, sequence, now)
        assert taken == (made.source == source)
        assert len(made._strangers) <= MAX_STRANGERS
        if before is not None and taken:
            assert source == DESCRIBED and now < WINDOW
