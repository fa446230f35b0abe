"""SRTP with keys from a description."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.transport.rtp import packet as rtp
from edge.transport.sip.media.agreement import CryptoPair
from edge.transport.sip.media.crypto_attribute import KEY_LENGTHS
from edge.transport.sip.media.srtp import MAX_SOURCES, OVERLAP, Srtp, UnknownSuite

SUITES = sorted(KEY_LENGTHS)
REPORT = bytes.fromhex("80c90001deadbeef")


def keys(suite: str) -> tuple[CryptoPair, CryptoPair]:
    """For both ends."""
    one, other = (secrets.token_bytes(KEY_LENGTHS[suite]) for _ in range(2))
    return CryptoPair(suite, one, other), CryptoPair(suite, other, one)


def pair(suite: str = SUITES[0]) -> tuple[Srtp, Srtp]:
    ours, theirs = keys(suite)
    return Srtp(ours), Srtp(theirs)


def packet(sequence: int, ssrc: int = 1) -> bytes:
    return rtp.pack(0, sequence & 0xFFFF, 160 * sequence, ssrc, b"speech" * 20, marker=False)


def protected(one: Srtp, plain: bytes) -> bytes:
    encrypted = one.protect(plain)
    assert encrypted is not None
    return encrypted


@pytest.mark.parametrize("suite", SUITES)
def test_what_one_end_encrypts_the_other_reads(suite: str) -> None:
    one, other = pair(suite)
    for sequence in range(65_500, 65_600):
        encrypted = protected(one, packet(sequence))
        assert b"speech" not in encrypted
        assert other.unprotect(encrypted, 0.0) == packet(sequence)
    report = one.protect_rtcp(REPORT)
    assert report is not None and other.unprotect_rtcp(report, 0.0) == REPORT


@pytest.mark.parametrize("suite", SUITES)
def test_a_changed_replayed_or_foreign_packet_is_none(suite: str) -> None:
    one, other = pair(suite)
    stranger, _ = pair(suite)
    encrypted = protected(one, packet(1))
    changed = encrypted[:20] + bytes([encrypted[20] ^ 1]) + encrypted[21:]
    assert other.unprotect(changed, 0.0) is None
    assert other.unprotect(protected(stranger, packet(1)), 0.0) is None
    assert other.unprotect(packet(1), 0.0) is None
    assert other.unprotect(encrypted, 0.0) is not None
    assert other.unprotect(encrypted, 0.0) is None


def test_late_packets_are_read_once() -> None:
    one, other = pair()
    late = [protected(one, packet(n)) for n in range(300)]
    assert other.unprotect(late[-1], 0.0) is not None
    assert all(other.unprotect(one_late, 0.0) is not None for one_late in late[:-1])
    assert all(other.unprotect(one_late, 0.0) is None for one_late in late)


def test_sources_under_one_key_are_bounded() -> None:
    one, other = pair()
    read = [other.unprotect(protected(one, packet(1, ssrc)), 0.0) for ssrc in range(20)]
    assert sum(plain is not None for plain in read) == MAX_SOURCES
    assert other.unprotect(protected(one, packet(2, 0)), 0.0) is not None


def test_forged_sources_take_no_place() -> None:
    one, other = pair()
    stranger, _ = pair()
    for ssrc in range(20):
        other.unprotect(protected(stranger, packet(1, ssrc)), 0.0)
    assert other.unprotect(protected(one, packet(1, 99)), 0.0) is not None


@pytest.mark.parametrize("suite", SUITES)
def test_a_new_key_is_used_at_once_and_the_old_one_read_for_a_while(suite: str) -> None:
    first_ours, first_theirs = keys(suite)
    second_ours, second_theirs = keys(suite)
    one, other = Srtp(first_ours), Srtp(first_theirs)
    on_its_way = [protected(one, packet(n)) for n in range(3)]
    other.rekey(second_theirs, 10.0)
    assert other.unprotect(on_its_way[0], 10.1) is not None
    one.rekey(second_ours, 10.2)
    assert other.unprotect(protected(one, packet(4)), 10.3) is not None
    assert other.unprotect(on_its_way[1], 10.0 + OVERLAP - 0.1) is not None
    assert other.unprotect(on_its_way[2], 10.0 + OVERLAP) is None
    assert one.unprotect(protected(other, packet(1)), 10.4) is not None


def test_the_same_keys_again_keep_the_state() -> None:
    """Across a wrap of the sequence numbers the roll-over counter must live on."""
    ours, theirs = keys(SUITES[0])
    one, other = Srtp(ours), Srtp(theirs)
    for sequence in range(65_530, 65_545):
        assert other.unprotect(protected(one, packet(sequence)), 0.0) is not None
    replay = protected(one, packet(65_545))
    assert other.unprotect(replay, 0.0) is not None
    one.rekey(ours, 1.0)
    other.rekey(theirs, 1.0)
    assert other.unprotect(replay, 1.0) is None
    assert other.unprotect(protected(one, packet(65_546)), 1.0) is not None


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(UnknownSuite):
        Srtp(CryptoPair("F8_128_HMAC_SHA1_80", bytes(30), bytes(30)))


def test_a_packet_that_is_too_long_is_not_sent() -> None:
    one, _ = pair()
    assert one.protect(packet(1) + bytes(1500)) is None
    assert one.protect_rtcp(REPORT + bytes(1500)) is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(min_size=8, max_size=1600), st.integers(0, 255))
def test_any_bytes_are_refused_without_an_exception(data: bytes, first: int) -> None:
    _, other = pair()
    assert other.unprotect(bytes([first]) + data + bytes(3), 0.0) is None
    assert other.unprotect_rtcp(bytes([first]) + data, 0.0) is None
