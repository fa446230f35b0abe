"""The shared port: who gets a datagram, and who does not."""

from __future__ import annotations

import random
import socket
import struct

import pytest
from aioice import stun
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.transport.webrtc.errors import PortInUse
from edge.transport.webrtc.udpmux import MAX_ADDRESSES, MAX_CHECKS, Address, UdpMux, local_ufrag

ALICE: Address = ("192.0.2.1", 1111)
BOB: Address = ("192.0.2.2", 2222)
MALLORY: Address = ("198.51.100.9", 666)
RTP = b"\x80\x6f" + bytes(30)


class FakeCall:
    """A call with passwords of its own, and a list of what reached it."""

    def __init__(self, name: str) -> None:
        self.ufrag = name
        self.local_password = f"local-{name}".encode()
        self.remote_password = f"remote-{name}".encode()
        self.stun: list[Address] = []
        self.packets: list[bytes] = []

    def accepts(self, request: stun.Message) -> bool:
        return request.check_message_integrity(self.local_password)

    def answers(self, answer: stun.Message) -> bool:
        return answer.check_message_integrity(self.remote_password)

    def stun_received(self, data: bytes, address: Address) -> None:
        self.stun.append(address)

    def packet_received(self, data: bytes) -> None:
        self.packets.append(data)


def request(call: FakeCall, password: bytes | None = None) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{call.ufrag}:far"
    message.attributes["PRIORITY"] = 1
    message.add_message_integrity(call.local_password if password is None else password)
    return bytes(message)


def check_and_answer(mux: UdpMux, call: FakeCall, password: bytes | None = None) -> bytes:
    """Send a check of ours; returns what the peer would answer."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.add_message_integrity(call.remote_password)
    mux.send_check(call, bytes(message), ALICE)
    answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id)
    answer.attributes["XOR-MAPPED-ADDRESS"] = ALICE
    answer.add_message_integrity(call.remote_password if password is None else password)
    return bytes(answer)


@pytest.fixture
def mux() -> UdpMux:
    return UdpMux()


def joined(mux: UdpMux, name: str) -> FakeCall:
    call = FakeCall(name)
    mux.add(call)
    return call


def test_media_follows_the_address_of_a_signed_request(mux: UdpMux) -> None:
    a, b = joined(mux, "aaaa"), joined(mux, "bbbb")
    mux.received(request(a), ALICE)
    mux.received(request(b), BOB)
    mux.received(RTP, ALICE)
    mux.received(RTP, BOB)
    mux.received(RTP, MALLORY)
    assert (len(a.packets), len(b.packets), mux.counts.dropped) == (1, 1, 1)
    assert (a.stun, b.stun) == ([ALICE], [BOB])


def test_a_known_ufrag_without_the_password_moves_nothing(mux: UdpMux) -> None:
    a = joined(mux, "aaaa")
    mux.received(request(a), ALICE)
    mux.received(request(a, b"guess"), MALLORY)
    mux.received(RTP, MALLORY)
    assert (a.packets, a.stun, mux.addresses) == ([], [ALICE], 1)


def test_another_caller_cannot_claim_an_address_that_is_in_use(mux: UdpMux) -> None:
    """Mallory is a caller, so her requests are signed, but she forges Alice's address."""
    a, mallory = joined(mux, "aaaa"), joined(mux, "mmmm")
    mux.received(request(a), ALICE)
    mux.received(request(mallory), ALICE)
    mux.received(RTP, ALICE)
    assert (len(a.packets), mallory.packets) == (1, [])


def test_a_claim_made_in_advance_ends_when_the_owner_proves_the_address(mux: UdpMux) -> None:
    a, mallory = joined(mux, "aaaa"), joined(mux, "mmmm")
    mux.received(request(mallory), ALICE)
    mux.received(request(a), ALICE)
    mux.received(check_and_answer(mux, a), ALICE)
    mux.received(RTP, ALICE)
    assert (len(a.packets), mallory.packets) == (1, [])
    mux.received(request(mallory), ALICE)
    mux.received(RTP, ALICE)
    assert len(a.packets) == 2


def test_an_answer_must_be_signed_by_the_peer_and_fit_a_check(mux: UdpMux) -> None:
    a = joined(mux, "aaaa")
    mux.received(check_and_answer(mux, a, b"guess"), MALLORY)
    stray = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)
    stray.add_message_integrity(a.remote_password)
    mux.received(bytes(stray), MALLORY)
    assert (a.stun, mux.addresses, mux.counts.dropped) == ([], 0, 2)


def test_an_answer_counts_once(mux: UdpMux) -> None:
    a = joined(mux, "aaaa")
    answer = check_and_answer(mux, a)
    mux.received(answer, ALICE)
    mux.received(answer, MALLORY)
    assert (a.stun, mux.addresses) == ([ALICE], 1)


def test_a_peer_is_found_again_at_a_new_address(mux: UdpMux) -> None:
    a = joined(mux, "aaaa")
    for port in (1, 2, 3):
        address = (ALICE[0], port)
        mux.received(request(a), address)
        mux.received(RTP, address)
    assert len(a.packets) == 3


def test_one_call_cannot_fill_the_address_table(mux: UdpMux) -> None:
    a = joined(mux, "aaaa")
    signed = request(a)
    for port in range(1, 1000):
        mux.received(signed, (MALLORY[0], port))
    assert mux.addresses == MAX_ADDRESSES
    assert len(a.stun) == MAX_ADDRESSES


def test_checks_without_an_answer_are_bounded_and_leave_with_the_call(mux: UdpMux) -> None:
    a = joined(mux, "aaaa")
    for _ in range(10 * MAX_CHECKS):
        check_and_answer(mux, a)
    assert len(mux._checks) == MAX_CHECKS
    mux.received(request(a), ALICE)
    mux.remove(a)
    mux.remove(a)
    assert (mux.calls, mux.addresses, len(mux._checks)) == (0, 0, 0)


def test_leaving_takes_no_address_that_moved_on(mux: UdpMux) -> None:
    a, b = joined(mux, "aaaa"), joined(mux, "bbbb")
    mux.received(request(a), ALICE)
    mux.received(check_and_answer(mux, b), ALICE)
    mux.remove(a)
    mux.received(RTP, ALICE)
    assert len(b.packets) == 1


def test_a_ufrag_is_taken_once(mux: UdpMux) -> None:
    joined(mux, "aaaa")
    with pytest.raises(ValueError, match="taken"):
        joined(mux, "aaaa")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _stun(body: bytes, kind: int = 1) -> bytes:
    return struct.pack("!HHI12s", kind, len(body), stun.COOKIE, bytes(12)) + body


GARBAGE = {
    "empty": b"",
    "one byte": b"\x00",
    "one byte of media": b"\x80",
    "truncated STUN": _stun(b"")[:12],
    "wrong length": _stun(b"")[:2] + b"\x00\x08" + _stun(b"")[4:],
    "no username": _stun(b""),
    "username cut off": _stun(b"\x00\x06\x00\xff"),
    "username not ASCII": _stun(_attribute(6, b"\xff\xfe:a")),
    "unknown ufrag": _stun(_attribute(6, b"zzzz:a")),
    "known ufrag, short priority": _stun(_attribute(6, b"aaaa:a") + _attribute(0x24, b"\x00")),
    "known ufrag, bad address": _stun(_attribute(6, b"aaaa:a") + _attribute(0x20, b"\x00\x07abcd")),
    "known ufrag, no integrity": _stun(_attribute(6, b"aaaa:a")),
    "known ufrag, not UTF-8": _stun(_attribute(6, b"aaaa:\xff\xfe") + _attribute(8, bytes(20))),
    "indication": _stun(b"", 0x11),
    "other method": _stun(_attribute(6, b"aaaa:a"), 0x3),
    "answer to nothing": _stun(b"", 0x101),
    "DTLS from nowhere": b"\x16\xfe\xfd" + bytes(40),
    "RTP from nowhere": RTP,
    "TURN channel": b"\x40\x00" + bytes(20),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_dropped_and_counted(mux: UdpMux, data: bytes) -> None:
    a = joined(mux, "aaaa")
    mux.received(data, MALLORY)
    assert (mux.counts.dropped, a.stun, a.packets, mux.addresses) == (1, [], [], 0)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.binary(max_size=80))
def test_any_bytes_are_dropped(data: bytes) -> None:
    mux = UdpMux()
    joined(mux, "aaaa")
    mux.received(data, MALLORY)
    mux.received(_stun(data[: len(data) // 4 * 4]), MALLORY)
    assert mux.counts.dropped == 2


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_a_signed_request_with_a_changed_bit_is_dropped(seed: int) -> None:
    """Anywhere but in the FINGERPRINT behind the signature, which is a checksum only."""
    rng, mux = random.Random(seed), UdpMux()
    call = joined(mux, "aaaa")
    data = bytearray(request(call))
    data[rng.randrange(len(data) - 8)] ^= 1 << rng.randrange(8)
    mux.received(bytes(data), MALLORY)
    assert (call.stun, mux.addresses) == ([], 0)


def test_a_fault_in_handling_is_logged_without_the_address_and_does_not_escape(
    mux: UdpMux, caplog: pytest.LogCaptureFixture
) -> None:
    a = joined(mux, "aaaa")
    mux.received(request(a), ALICE)

    def broken(data: bytes) -> None:
        raise RuntimeError("a bug")

    a.packet_received = broken  # type: ignore[method-assign]
    mux.received(RTP, ALICE)
    assert mux.counts.dropped == 1
    assert "a datagram was dropped" in caplog.text
    assert ALICE[0] not in caplog.text
    assert "a bug" not in caplog.text


def test_a_thousand_faults_are_ten_lines_in_the_log(
    mux: UdpMux, caplog: pytest.LogCaptureFixture
) -> None:
    a = joined(mux, "aaaa")
    mux.received(request(a), ALICE)

    def broken(data: bytes) -> None:
        raise RuntimeError("a bug")

    a.packet_received = broken  # type: ignore[method-assign]
    for _ in range(1000):
        mux.received(RTP, ALICE)
    assert mux.counts.faults == 1000
    assert [vars(record)["count"] for record in caplog.records] == [1 << n for n in range(10)]


def test_the_local_ufrag_is_the_first_half_of_the_username() -> None:
    assert local_ufrag(_stun(_attribute(0x24, bytes(4)) + _attribute(6, b"abcd:efgh"))) == "abcd"
    assert local_ufrag(_stun(_attribute(6, b"abcd"))) == "abcd"


async def test_a_busy_port_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            UdpMux().open("127.0.0.1", port)


async def test_sending_to_where_nobody_can_be_reached_is_a_loss() -> None:
    mux = UdpMux()
    mux.send(b"x", ALICE)
    mux.open("127.0.0.1", 0)
    mux.send(b"x" * 70_000, ("127.0.0.1", 9))
    assert mux.counts.unsent == 1
    mux.close()
    mux.close()
    with pytest.raises(RuntimeError):
        _ = mux.address
