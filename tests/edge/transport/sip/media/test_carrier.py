"""The sockets of one call, and who tries to get at them."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.transport.rtp import packet as rtp
from edge.transport.rtp.packet import RtpPacket
from edge.transport.sip.core.flow import Address
from edge.transport.sip.media.agreement import CryptoPair
from edge.transport.sip.media.carrier import (
    PER_STEP,
    RTCP_BURST,
    RTP_BURST,
    SILENT,
    UNANSWERED,
    UNPROVEN_BURST,
    Patience,
    RtpCarrier,
)
from edge.transport.sip.media.latch import PROBATION, WINDOW
from edge.transport.sip.media.poll import SocketPoll
from edge.transport.sip.media.ports import PortRange
from edge.transport.sip.media.srtp import Srtp
from tests.edge.transport.sip.media.parts import PORTS
from tests.fakes.clock import FakeClock

SUITE = "AES_CM_128_HMAC_SHA1_80"
OURS, THEIRS = secrets.token_bytes(30), secrets.token_bytes(30)
OUR_KEYS, THEIR_KEYS = CryptoPair(SUITE, OURS, THEIRS), CryptoPair(SUITE, THEIRS, OURS)
REPORT = bytes.fromhex("80c90001deadbeef")


@dataclass
class Ground:
    """A carrier, and sockets of others around it."""

    host: str
    clock: FakeClock
    poll: SocketPoll
    carrier: RtpCarrier
    port: int
    stack: ExitStack
    packets: list[RtpPacket] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)

    def other(self, host: str | None = None) -> socket.socket:
        """Somebody's socket; 127.0.0.0/8 has many hosts."""
        host = host or self.host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = self.stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        made.bind((host, 0))
        made.setblocking(False)
        return made

    def agree(
        self,
        remote: Address | socket.socket | None,
        *,
        rtcp: socket.socket | None = None,
        keys: CryptoPair | None = None,
        held: bool = False,
        muxed: bool = False,
        signalling: str | None = None,
    ) -> None:
        self.carrier.agree(
            remote.getsockname()[:2] if isinstance(remote, socket.socket) else remote,
            None if rtcp is None else rtcp.getsockname()[:2],
            keys,
            frozenset({0, 101}),
            muxed=muxed,
            held=held,
            signalling=signalling,
        )

    def arrives(self, source: socket.socket, *data: bytes, port: int = 0, steps: int = 2) -> None:
        """A second step takes what the first left behind its first packet."""
        for one in data:
            source.sendto(one, (self.host, self.port + port))
        for _ in range(steps):
            self.poll.poll()


@contextmanager
def ground(host: str = "127.0.0.1", *, loopback: bool = True) -> Iterator[Ground]:
    clock, poll = FakeClock(), SocketPoll()
    ports = PortRange(host, PORTS, clock)
    pair = ports.take()
    carrier = RtpCarrier(pair, poll, clock, Patience(), own=frozenset({host}), loopback=loopback)
    with ExitStack() as stack:
        made = Ground(host, clock, poll, carrier, pair.port, stack)
        carrier.on_rtp = made.packets.append
        carrier.on_rtcp = made.reports.append
        carrier.on_lost = lambda: made.lost.append(clock.monotonic())
        try:
            yield made
        finally:
            carrier.close()
            carrier.close()
            left = len(poll)
            ports.give_back(pair)
            poll.close()
    assert left == 0


def packets(count: int, *, start: int = 0, payload_type: int = 0, ssrc: int = 5) -> list[bytes]:
    return [
        rtp.pack(payload_type, n & 0xFFFF, 160 * n, ssrc, b"\xff" * 160, marker=False)
        for n in range(start, start + count)
    ]


def received(one: socket.socket) -> list[bytes]:
    found: list[bytes] = []
    while True:
        try:
            found.append(one.recv(2000))
        except BlockingIOError:
            return found


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_packets_go_both_ways_with_the_described_address(host: str) -> None:
    with ground(host) as net:
        far = net.other()
        net.agree(far)
        assert net.carrier.send_rtp(b"packet")
        assert received(far) == [b"packet"]
        net.arrives(far, *packets(3))
        assert [packet.sequence for packet in net.packets] == [0, 1, 2]
        assert net.carrier.latched == far.getsockname()[:2]
        counts = net.carrier.counts
        assert (counts.received, counts.sent, counts.foreign) == (3, 1, 0)


def test_before_an_agreement_nothing_is_sent_or_heard() -> None:
    with ground() as net:
        net.arrives(net.other(), *packets(10))
        assert net.packets == []
        assert not net.carrier.send_rtp(b"packet")
        net.carrier.send_rtcp(REPORT)
        assert net.carrier.counts.foreign == 10


def test_media_follows_a_far_end_behind_a_nat() -> None:
    with ground() as net:
        described, mapped = net.other(), net.other("127.0.0.2")
        net.agree(described)
        net.arrives(mapped, *packets(PROBATION + 2))
        assert len(net.packets) == 3
        net.carrier.send_rtp(b"packet")
        assert (received(mapped), received(described)) == ([b"packet"], [])


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_spray_from_elsewhere_does_not_move_the_media(encrypted: bool) -> None:
    with ground() as net:
        far, attacker = net.other(), net.other("127.0.0.2")
        far_srtp = Srtp(THEIR_KEYS)

        def wire(one: bytes) -> bytes:
            made = far_srtp.protect(one) if encrypted else one
            assert made is not None
            return made

        net.agree(far, keys=OUR_KEYS if encrypted else None)
        net.arrives(far, wire(packets(1)[0]))
        for n in range(1, 50):
            net.arrives(attacker, *packets(10, start=n * 10, ssrc=5))
            net.arrives(far, wire(packets(1, start=n)[0]))
            net.clock.advance(0.02)
            net.carrier.send_rtp(packets(1, start=n, ssrc=9)[0])
        assert [packet.sequence for packet in net.packets] == [*range(50)]
        assert len(received(far)) == 49
        assert received(attacker) == []
        assert net.carrier.counts.foreign == 490


def test_packets_of_another_payload_type_prove_nothing() -> None:
    with ground() as net:
        net.agree(net.other())
        net.arrives(net.other("127.0.0.2"), *packets(50, payload_type=96))
        assert net.carrier.latched is None


def test_an_encrypted_far_end_that_moves_is_followed_and_a_copy_of_its_packets_is_not() -> None:
    with ground() as net:
        far, moved, copier = net.other(), net.other("127.0.0.2"), net.other("127.0.0.3")
        srtp = Srtp(THEIR_KEYS)
        sent = [srtp.protect(one) or b"" for one in packets(20)]
        net.agree(far, keys=OUR_KEYS)
        net.arrives(far, *sent[:10])
        net.clock.advance(WINDOW + 1)
        net.arrives(copier, *sent[:10])
        net.arrives(moved, *packets(5, start=100))
        assert net.carrier.latched == far.getsockname()
        net.arrives(moved, *sent[10:])
        assert net.carrier.latched == moved.getsockname()
        assert len(net.packets) == 20
        net.carrier.send_rtp(packets(1, ssrc=9)[0])
        (encrypted,) = received(moved)
        assert srtp.unprotect(encrypted, 0.0) == packets(1, ssrc=9)[0]


def test_plain_packets_are_not_heard_where_encryption_was_agreed() -> None:
    with ground() as net:
        far = net.other()
        net.agree(far, keys=OUR_KEYS)
        net.arrives(far, *packets(10))
        assert (net.packets, net.carrier.latched) == ([], None)


def test_a_far_end_that_moves_is_followed_after_another_description() -> None:
    with ground() as net:
        far, moved = net.other(), net.other("127.0.0.2")
        net.agree(far)
        net.arrives(far, *packets(3))
        net.arrives(moved, *packets(10, start=3))
        assert len(net.packets) == 3
        net.agree(moved)
        net.arrives(far, *packets(1, start=13))
        net.arrives(moved, *packets(3, start=14))
        assert len(net.packets) == 6
        net.carrier.send_rtp(b"packet")
        assert (received(moved), received(far)) == ([b"packet"], [])


def test_the_same_description_again_keeps_what_was_latched() -> None:
    with ground() as net:
        described, mapped = net.other(), net.other("127.0.0.2")
        net.agree(described)
        net.arrives(mapped, *packets(PROBATION))
        net.clock.advance(SILENT - 1)
        net.agree(described)
        assert net.carrier.latched == mapped.getsockname()
        net.clock.advance(SILENT)
        net.agree(described)
        assert net.carrier.latched is None


def test_a_flood_is_read_in_bounds_and_the_far_end_is_heard_afterwards() -> None:
    with ground() as net:
        far, attacker = net.other(), net.other("127.0.0.2")
        net.agree(far)
        net.arrives(far, *packets(1))
        for one in [*packets(PER_STEP, start=500), *packets(1, start=1)]:
            (attacker if one != packets(1, start=1)[0] else far).sendto(
                one, ("127.0.0.1", net.port)
            )
        net.poll.poll()
        assert len(net.packets) == 1
        net.poll.poll()
        assert len(net.packets) == 2


def test_a_burst_after_a_stall_is_taken_within_two_steps() -> None:
    with ground() as net:
        far = net.other()
        net.agree(far)
        net.arrives(far, *packets(1))
        net.clock.advance(0.2)
        net.arrives(far, *packets(10, start=1), steps=1)
        assert len(net.packets) == 2
        net.clock.advance(0.005)
        net.poll.poll()
        assert len(net.packets) == 11


def test_what_is_looked_into_is_bounded_by_the_clock() -> None:
    with ground() as net:
        far, attacker = net.other(), net.other("127.0.0.2")
        net.agree(far, keys=OUR_KEYS)
        for _ in range(2 * UNPROVEN_BURST // 10):
            net.arrives(attacker, *packets(10))
        assert net.carrier._unproven.refused >= UNPROVEN_BURST - 20
        net.agree(far)
        net.clock.advance(5.0)
        for _ in range(RTP_BURST // 10 + 10):
            net.arrives(far, *packets(10))
        assert len(net.packets) == RTP_BURST + 1
        assert net.carrier.counts.refused > 0


@pytest.mark.parametrize("muxed", [False, True])
@pytest.mark.parametrize("keys", [None, OUR_KEYS])
def test_reports_go_both_ways(muxed: bool, keys: CryptoPair | None) -> None:
    with ground() as net:
        far, far_rtcp = net.other(), net.other()
        net.agree(far, rtcp=far_rtcp, keys=keys, muxed=muxed)
        place = far if muxed else far_rtcp
        srtp = Srtp(THEIR_KEYS)
        net.carrier.send_rtcp(REPORT)
        (sent,) = received(place)
        assert (srtp.unprotect_rtcp(sent, 0.0) if keys else sent) == REPORT
        wire = srtp.protect_rtcp(REPORT) if keys else REPORT
        assert wire is not None
        net.arrives(place, wire, port=0 if muxed else 1)
        assert net.reports == [REPORT]
        net.arrives(net.other("127.0.0.2"), wire, port=0 if muxed else 1)
        net.arrives(place, b"\x80\xc9", b"nonsense", port=1)
        assert net.reports == [REPORT]


def test_reports_follow_the_media_to_where_it_really_is() -> None:
    with ground() as net:
        described, mapped = net.other(), net.other("127.0.0.2")
        mapped_rtcp = net.other("127.0.0.2")
        net.agree(described, rtcp=described)
        net.arrives(mapped, *packets(PROBATION))
        net.arrives(mapped_rtcp, REPORT, port=1)
        net.carrier.send_rtcp(REPORT)
        assert received(mapped_rtcp) == [REPORT]
        assert received(described) == []


def test_before_its_own_reports_ours_go_to_the_port_above_its_media() -> None:
    with ground() as net:
        described = net.other()
        far = PortRange("127.0.0.2", PORTS, net.clock)
        pair = far.take()
        try:
            net.agree(described, rtcp=described)
            net.arrives(pair.rtp, *packets(PROBATION))
            net.carrier.send_rtcp(REPORT)
            assert received(pair.rtcp) == [REPORT]
        finally:
            far.give_back(pair)


def test_reports_are_bounded_by_the_clock() -> None:
    with ground() as net:
        far = net.other()
        net.agree(far)
        for _ in range(2 * RTCP_BURST // 10):
            net.arrives(far, *[REPORT] * 10, port=1)
        assert len(net.reports) == RTCP_BURST


def test_a_silent_far_end_is_lost_and_one_on_hold_much_later() -> None:
    with ground() as net:
        patience = Patience()
        far = net.other()
        net.agree(far)
        net.clock.advance(100.0)
        net.carrier.begin()
        net.clock.advance(patience.talking - 0.1)
        net.carrier.watch()
        net.arrives(far, REPORT, port=1)
        net.clock.advance(patience.talking - 0.1)
        net.carrier.watch()
        net.arrives(far, *packets(1))
        net.agree(far, held=True)
        net.clock.advance(patience.held - 0.1)
        net.carrier.watch()
        net.agree(far)
        net.clock.advance(patience.talking - 0.1)
        net.carrier.watch()
        assert net.lost == []
        net.clock.advance(0.1)
        net.carrier.watch()
        assert len(net.lost) == 1


def test_a_far_end_may_be_found_from_when_the_call_stands() -> None:
    with ground() as net:
        net.agree(net.other())
        net.clock.advance(60.0)
        net.carrier.begin()
        net.clock.advance(WINDOW - 1)
        net.arrives(net.other("127.0.0.2"), *packets(PROBATION))
        assert len(net.packets) == 1


def test_an_address_that_never_answers_is_not_sent_media_for_long() -> None:
    with ground() as at:
        victim = at.other()
        at.agree(victim)
        at.carrier.begin()
        at.clock.advance(UNANSWERED - 0.1)
        at.carrier.watch()
        assert at.carrier.send_rtp(packets(1)[0])
        at.clock.advance(0.1)
        at.carrier.watch()
        assert not at.carrier.send_rtp(packets(1)[0])
        at.carrier.send_rtcp(REPORT)
        assert len(victim.recv(1500)) == 172
        with pytest.raises(BlockingIOError):
            victim.recv(1500)

        at.agree(at.other())
        at.carrier.watch()
        assert at.carrier.send_rtp(packets(1)[0]), "another address, another chance"


@pytest.mark.parametrize("port", [0, 1])
def test_a_far_end_that_was_heard_once_is_sent_media_while_it_is_silent(port: int) -> None:
    with ground() as at:
        far = at.other()
        at.agree(far)
        at.clock.advance(UNANSWERED)
        at.carrier.watch()
        assert not at.carrier.send_rtp(packets(1)[0])
        at.arrives(far, REPORT if port else packets(1)[0], port=port)
        assert at.carrier.send_rtp(packets(1)[0])
        at.clock.advance(2 * UNANSWERED)
        at.carrier.watch()
        assert at.carrier.send_rtp(packets(1)[0])


def test_what_strangers_send_does_not_keep_a_call_alive() -> None:
    with ground() as net:
        net.agree(net.other())
        net.carrier.begin()
        attacker = net.other("127.0.0.2")
        for _ in range(40):
            net.arrives(attacker, *packets(1), REPORT)
            net.arrives(attacker, REPORT, port=1)
            net.clock.advance(1.0)
        net.carrier.watch()
        assert len(net.lost) == 1


@pytest.mark.parametrize(
    "remote", [("224.0.0.1", 5004), ("0.0.0.0", 5004), ("127.0.0.1", 53), ("a.example", 5004), None]
)
def test_nothing_is_sent_where_nothing_should_be(remote: Address | None) -> None:
    with ground() as net:
        net.agree(remote)
        assert not net.carrier.send_rtp(b"packet")
        assert net.carrier.counts.unsent == 0


def test_nothing_is_sent_to_ourselves_or_unasked_to_this_machine() -> None:
    with ground() as net:
        net.agree(("127.0.0.1", net.port))
        assert not net.carrier.send_rtp(b"packet")
    with ground(loopback=False) as net:
        net.agree(net.other())
        assert not net.carrier.send_rtp(b"packet")


def test_an_unreachable_far_end_raises_nothing() -> None:
    with ground() as net:
        gone = net.other()
        address = gone.getsockname()
        gone.close()
        net.agree(address)
        for _ in range(5):
            net.carrier.send_rtp(b"packet")
            net.carrier.send_rtcp(REPORT)
            net.poll.poll()


def test_a_call_that_ends_inside_a_packet_takes_no_other() -> None:
    with ground() as net:
        far = net.other()
        net.agree(far)

        def end(packet: RtpPacket) -> None:
            net.packets.append(packet)
            net.carrier.close()

        net.carrier.on_rtp = end
        net.arrives(far, *packets(3))
        assert len(net.packets) == 1
        assert not net.carrier.send_rtp(b"packet")


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(
            st.binary(max_size=60) | st.binary(min_size=1400, max_size=2500),
            st.sampled_from([None, 0x80, 0x90, 0xA0, 0xBF]),
            st.sampled_from([None, 0, 101, 200, 201, 210]),
            st.booleans(),
        ),
        max_size=30,
    ),
    st.booleans(),
)
def test_any_datagrams_are_taken_or_dropped(
    datagrams: list[tuple[bytes, int | None, int | None, bool]], encrypted: bool
) -> None:
    with ground() as net:
        far, stranger = net.other(), net.other("127.0.0.2")
        net.agree(far, keys=OUR_KEYS if encrypted else None)
        for data, first, second, ours in datagrams:
            head = bytes(b for b in (first, second) if b is not None)
            net.arrives(far if ours else stranger, head + data)
            net.arrives(far if ours else stranger, head + data, port=1)
        assert net.poll.faults == 0
        counts = net.carrier.counts
        seen = counts.received + counts.foreign + counts.refused + counts.malformed
        assert seen + len(net.reports) == 2 * len(datagrams)
        if encrypted:
            assert net.packets == [] and net.reports == []
