"""What one caller can make a worker do is bounded by the clock, and a flood ends its call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from aioice import Candidate, stun
from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import (
    Chunk,
    DataChunk,
    HeartbeatChunk,
    SackChunk,
    serialize_packet,
    tsn_plus_one,
)

from edge.media.frames import Samples
from edge.media.opus import MAX_PACKET_MS
from edge.media.ticker import Ticker
from edge.transport.rtp import packet as rtp
from edge.transport.rtp.codec import Codec, make_decoder
from edge.transport.rtp.packet import RtpPacket
from edge.transport.rtp.receiver import BURST, PACE, AudioReceiver
from edge.transport.webrtc import association, peer
from edge.transport.webrtc.endpoint import WebRtcEndpoint
from edge.transport.webrtc.ice import MuxConnection
from edge.transport.webrtc.udpmux import MAX_ADDRESSES, UdpMux
from tests.edge.transport.rtp.ears import PATIENCE
from tests.edge.transport.webrtc.conftest import LOOPBACK, Call, call
from tests.fakes.clock import FakeClock

OPUS = Codec("opus", 111)
PCMU = Codec("pcmu", 0)


class CountingDecoder:
    """A decoder that counts what it was given to do, in seconds."""

    def __init__(self, codec: Codec, rate: int) -> None:
        self.seconds = 0.0
        self._rate = rate
        self._inner = make_decoder(codec, rate)

    def decode(self, payload: bytes) -> Samples:
        return self._counted(self._inner.decode(payload))

    def conceal(self, samples: int, following: bytes | None = None) -> Samples:
        return self._counted(self._inner.conceal(samples, following))

    def reset(self) -> None:
        self._inner.reset()

    def close(self) -> None:
        self._inner.close()

    def _counted(self, pcm: Samples) -> Samples:
        self.seconds += len(pcm) / self._rate
        return pcm


class Listening:
    """A receiver with a counting decoder, and the seconds that were heard."""

    def __init__(self, codec: Codec) -> None:
        self.frames = 0
        self.receiver = AudioReceiver(codec, 16_000, self._heard)
        self.decoder = CountingDecoder(codec, 16_000)
        self.receiver._decoder = self.decoder

    @property
    def seconds(self) -> float:
        return self.frames * 0.02

    def _heard(self, frame: Samples) -> None:
        self.frames += 1


def test_audio_faster_than_time_is_dropped_before_it_is_decoded_and_found_out() -> None:
    one = Listening(PCMU)
    flooded_at = None
    for number in range(2000):  # 24 seconds of audio per second, for ten seconds
        now = number / 200
        one.receiver.packet(RtpPacket(0, number & 0xFFFF, number * 960, 5, bytes(960)), now)
        if one.receiver.flooded and flooded_at is None:
            flooded_at = now
    assert one.decoder.seconds <= 10 * PACE + BURST
    assert one.seconds <= 10 * PACE + BURST
    assert one.receiver.excess > 1500
    assert flooded_at is not None and 5 <= flooded_at < 7


def test_gaps_claimed_by_timestamps_are_paid_as_audio() -> None:
    one = Listening(PCMU)
    for number in range(500):  # fifty packets a second, each 0.9 s after the one before
        one.receiver.packet(RtpPacket(0, number, number * 7200, 5, bytes(160)), number / 50)
    assert one.seconds <= 10 * PACE + BURST
    assert one.receiver.flooded


def test_silence_made_while_nothing_arrives_is_paid_as_audio() -> None:
    one = Listening(PCMU)
    for tick in range(500):
        if tick % 10 == 0:
            one.receiver.packet(
                RtpPacket(0, tick // 10, tick // 10 * 960, 5, bytes(960)), tick / 50
            )
        one.receiver.tick(tick / 50)
    assert one.seconds <= 10 * PACE + BURST


def test_almost_two_seconds_held_back_by_the_network_are_heard_whole() -> None:
    one = Listening(PCMU)
    for number in range(500):
        # From 5.1 s to 7 s nothing arrives, and then all of it.
        now = 7.0 if 255 <= number < 350 else number / 50
        one.receiver.packet(RtpPacket(0, number, number * 160, 5, bytes(160)), now)
    assert (one.frames, one.receiver.excess, one.receiver.flooded) == (500, 0, False)


@pytest.mark.parametrize(
    ("codec", "longest", "longer"),
    [
        (PCMU, bytes(8 * MAX_PACKET_MS), bytes(8 * 137)),
        # Code 3 of RFC 6716 section 3.2.5: six and seven frames of 20 ms, each of one byte.
        (OPUS, bytes([0x0B, 6]) + bytes(6), bytes([0x0B, 7]) + bytes(7)),
    ],
)
def test_a_packet_lasts_at_most_120_ms(codec: Codec, longest: bytes, longer: bytes) -> None:
    one = Listening(codec)
    one.receiver.packet(RtpPacket(codec.payload_type, 0, 0, 5, longer), 0.0)
    assert (one.frames, one.receiver.refused) == (0, 1)
    one.receiver.packet(RtpPacket(codec.payload_type, 1, 0, 5, longest), 0.0)
    assert (one.frames, one.receiver.refused) == (6, 1)


# --- whole calls -----------------------------------------------------------------------------


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def one(ticker: Ticker, clock: FakeClock) -> AsyncIterator[Call]:
    """A connected call without audio of its own, whose edge lives by ``clock``."""
    endpoint = WebRtcEndpoint(host=LOOPBACK, port=0, ticker=ticker, clock=clock)
    await endpoint.start()
    async with call(endpoint, ticker, codec="pcmu", send_audio=False) as connected:
        connected.leg.media.receives = True
        connected.leg.send({"type": "hello"})
        await connected.caller_inbox.take(1)
        yield connected
    await endpoint.close()


async def end_of(one: Call) -> str:
    async with asyncio.timeout(PATIENCE):
        return await one.leg.closed()


def ended(one: Call) -> bool:
    return one.leg._ended.done()


async def test_a_call_whose_audio_keeps_coming_too_fast_fails(one: Call, clock: FakeClock) -> None:
    for number in range(1600):
        one.leg._peer.on_rtp(RtpPacket(0, number, number * 960, 5, bytes(960)))
        clock.advance(0.005)
    assert await end_of(one) == "failed"
    assert len(one.edge_hears.frames) * 0.02 <= 8 * PACE + BURST


class CountingSrtp:
    """Counts what it decrypts."""

    def __init__(self, inner: Any) -> None:
        self.count = 0
        self._inner = inner

    def unprotect(self, data: bytes) -> bytes:
        self.count += 1
        return bytes(self._inner.unprotect(data))

    def unprotect_rtcp(self, data: bytes) -> bytes:
        self.count += 1
        return bytes(self._inner.unprotect_rtcp(data))


def counting(one: Call) -> CountingSrtp:
    edge = one.leg._peer
    counter = edge._srtp_in = CountingSrtp(edge._srtp_in)
    return counter


async def test_three_thousand_packets_a_second_are_not_decrypted_and_end_the_call(
    one: Call, clock: FakeClock
) -> None:
    srtp = counting(one)
    protect = one.caller._open()[0]._srtp_out.protect
    for number in range(30_000):
        # Of a payload type that is not listened to: no audio is too much here.
        packet = rtp.pack(13, number & 0xFFFF, number * 8, 5, bytes(8), marker=False)
        one.leg._peer._packet(protect(packet))
        clock.advance(1 / 3000)
        if ended(one):
            break
    assert await end_of(one) == "failed"
    assert 5 <= (number + 1) / 3000 < 7
    assert srtp.count <= 7 * peer.UNPROVEN_PER_SECOND + peer.UNPROVEN_BURST
    count = srtp.count
    clock.advance(60.0)
    packet = rtp.pack(13, (number + 1) & 0xFFFF, 8, 5, bytes(8), marker=False)
    one.leg._peer._packet(protect(packet))
    assert srtp.count == count  # heard no more


async def test_forged_packets_cannot_end_a_call_and_cost_little(
    one: Call, clock: FakeClock
) -> None:
    srtp = counting(one)
    for number in range(20_000):
        one.leg._peer._packet(rtp.pack(0, number & 0xFFFF, number, 5, bytes(20), marker=False))
        clock.advance(0.0005)
    assert not ended(one)
    assert srtp.count <= 10 * peer.UNPROVEN_PER_SECOND + peer.UNPROVEN_BURST


async def test_a_flood_of_reports_is_not_decrypted(one: Call, clock: FakeClock) -> None:
    srtp = counting(one)
    protect = one.caller._open()[0]._srtp_out.protect_rtcp
    report = one.caller._open()[1].reporter.report(0.0, 0.0)
    for _ in range(5000):
        one.leg._peer._packet(protect(report))
        clock.advance(0.001)
    assert srtp.count <= 5 * peer.RTCP_PER_SECOND + peer.RTCP_BURST + 1


async def test_a_flood_of_dtls_records_waits_in_no_queue(one: Call, clock: FakeClock) -> None:
    queued: list[bytes] = []
    connection: Any = one.leg._peer._connection
    connection.queue_packet = queued.append
    for _ in range(10_000):
        one.leg._peer._packet(b"\x17" + bytes(30))
        clock.advance(0.0005)
    assert len(queued) <= 5 * peer.UNPROVEN_PER_SECOND + peer.UNPROVEN_BURST + 1
    assert not ended(one)


async def test_every_record_of_a_datagram_is_read_at_once(one: Call) -> None:
    dtls = one.caller._open()[0]._dtls
    sctp = one.caller._open()[0].sctp
    heard: list[bytes] = []
    all_heard = asyncio.Event()
    edge: Any = one.leg._peer.sctp

    async def handle(data: bytes) -> None:
        heard.append(data)
        if len(heard) == 11:
            all_heard.set()

    edge._handle_data = handle
    assert dtls._ssl is not None
    for number in range(10):
        dtls._ssl.send(b"record %d" % number)
    await dtls._write_ssl()  # one datagram
    await sctp._send_chunk(HeartbeatChunk())  # the eleventh comes after all of them
    async with asyncio.timeout(PATIENCE):
        await all_heard.wait()
    assert heard[:10] == [b"record %d" % number for number in range(10)]


async def test_a_flood_of_events_ends_the_call(one: Call) -> None:
    channel: Any = one.caller._events._channel
    for _ in range(1000):
        channel.send("x")
    assert await end_of(one) == "failed"


# --- SCTP ------------------------------------------------------------------------------------


async def deliver(one: Call, *chunks: Chunk) -> None:
    """One SCTP packet with each chunk, or with all of them, as the edge would decrypt it."""
    sctp = one.leg._peer.sctp
    joined = HeartbeatChunk()
    if len(chunks) == 1:
        (joined,) = chunks  # type: ignore[assignment]
    else:

        class Several(Chunk):
            def __bytes__(self) -> bytes:
                return b"".join(bytes(chunk) for chunk in chunks)

        joined = Several()  # type: ignore[assignment]
    await sctp._handle_data(serialize_packet(5000, 5000, sctp._local_verification_tag, joined))


def data(tsn: int, stream: int = 1, text: bytes = b"x", flags: int = 0) -> DataChunk:
    chunk = DataChunk(flags=flags)
    chunk.tsn, chunk.stream_id, chunk.user_data = tsn % (1 << 32), stream, text
    return chunk


async def test_a_flood_of_chunks_is_not_answered_and_ends_the_call(
    one: Call, clock: FakeClock
) -> None:
    sctp: Any = one.leg._peer.sctp
    answered: list[Chunk] = []

    async def send(chunk: Chunk) -> None:
        answered.append(chunk)

    sctp._send_chunk = send
    for _ in range(700):
        await deliver(one, *[HeartbeatChunk()] * 20)
        clock.advance(0.01)
    assert await end_of(one) == "failed"
    assert len(answered) <= 7 * association.CHUNKS_PER_SECOND + association.CHUNK_BURST


async def test_gap_blocks_that_claim_millions_are_ignored(one: Call) -> None:
    sctp: Any = one.leg._peer.sctp
    seen: list[int] = []

    inner = RTCSctpTransport._receive_sack_chunk

    async def receive(self: Any, chunk: SackChunk) -> None:
        seen.append(len(chunk.gaps))
        await inner(self, chunk)

    chunk = SackChunk()
    chunk.cumulative_tsn = sctp._last_sacked_tsn
    chunk.advertised_rwnd = 100_000
    for gaps in ([(2, 60_000)] * 200, [(2, 9)]):
        chunk.gaps = gaps
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RTCSctpTransport, "_receive_sack_chunk", receive)
            await deliver(one, chunk)
    assert seen == [0, 1]
    assert not ended(one)


async def test_chunks_that_wait_for_an_earlier_one_are_bounded(one: Call) -> None:
    sctp = one.leg._peer.sctp
    assert sctp._last_received_tsn is not None
    first = sctp._last_received_tsn + 2
    for number in range(association.MAX_HELD_CHUNKS):
        await deliver(one, data(first + number))
    assert not ended(one)
    await deliver(one, data(first + association.MAX_HELD_CHUNKS))
    assert await end_of(one) == "failed"


async def test_empty_fragments_without_an_end_are_bounded(one: Call) -> None:
    sctp = one.leg._peer.sctp
    assert sctp._last_received_tsn is not None
    first = tsn_plus_one(sctp._last_received_tsn)
    for number in range(association.MAX_HELD_CHUNKS + 1):
        await deliver(one, data(first + number, text=b"", flags=2 if number == 0 else 0))
    assert await end_of(one) == "failed"


async def test_repeats_that_are_never_acknowledged_are_forgotten(one: Call) -> None:
    sctp = one.leg._peer.sctp
    assert sctp._last_received_tsn is not None
    repeated = data(sctp._last_received_tsn + 9)
    await deliver(one, repeated)
    # A chunk of a message that aiortc refuses: its SACK is not sent.
    open_again = data(sctp._last_received_tsn + 1, flags=3, text=bytes([3]) + bytes(11))
    open_again.protocol = 50
    open_again.stream_id = next(iter(sctp._data_channels))
    await deliver(one, repeated, repeated, open_again)
    assert sctp._sack_duplicates == []
    assert not ended(one)


async def test_channels_opened_and_closed_over_and_over_end_the_call(one: Call) -> None:
    sctp = one.leg._peer.sctp
    opening = bytes([3]) + bytes(11)
    for number in range(association.MAX_OPENED + 1):
        await sctp._data_channel_receive(100 + number, 50, opening)
        sctp._data_channels.pop(100 + number)
    await deliver(one, HeartbeatChunk())
    assert await end_of(one) == "failed"


# --- ICE -------------------------------------------------------------------------------------


async def test_checks_from_ever_new_addresses_and_too_many_of_them_are_not_followed(
    clock: FakeClock,
) -> None:
    connection = MuxConnection(UdpMux(), (LOOPBACK, 9), controlling=False)
    handled: list[tuple[str, int]] = []

    class Protocol:
        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            handled.append(address)

    connection._protocol = Protocol()  # type: ignore[assignment]
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    for number in range(MAX_ADDRESSES):
        connection.stun_received(bytes(message), ("192.0.2.1", number))
        await connection.add_remote_candidate(_candidate("192.0.2.1", number))
    connection.stun_received(bytes(message), ("192.0.2.9", 9))
    assert len(handled) == MAX_ADDRESSES
    connection.stun_received(bytes(message), ("192.0.2.1", 3))
    assert handled[-1] == ("192.0.2.1", 3)
    connection.admits_check = lambda: False
    connection.stun_received(bytes(message), ("192.0.2.1", 3))
    assert len(handled) == MAX_ADDRESSES + 1


async def test_a_flood_of_signed_checks_is_not_answered(one: Call, clock: FakeClock) -> None:
    edge = one.leg._peer
    handled: list[bytes] = []

    class Protocol:
        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            handled.append(data)

    protocol, edge._connection._protocol = edge._connection._protocol, Protocol()  # type: ignore[assignment]
    message = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))
    address = edge._connection.remote_address
    assert address is not None
    for _ in range(5000):
        edge._connection.stun_received(message, address)
        clock.advance(0.001)
    edge._connection._protocol = protocol
    assert len(handled) <= 5 * peer.CHECKS_PER_SECOND + peer.CHECKS_BURST


def _candidate(host: str, port: int) -> Candidate:
    return Candidate("1", 1, "udp", 1, host, port, "host")


async def test_an_ordinary_call_is_refused_nothing(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    async with call(endpoint, ticker) as ordinary:
        ordinary.leg.playout.push(np.zeros(24_000, np.int16))
        await ordinary.edge_hears.hear(1.0)
        for side in (ordinary.leg._peer, ordinary.caller._open()[0]):
            assert side.refused == 0
        assert ordinary.leg.media.receiver.excess == 0
