"""Two legs that talk to each other over loopback."""

from __future__ import annotations

import asyncio
import random
import re

import numpy as np
import pytest

from edge.leg import Leg, LegError, TransferRequest, TransferResult
from edge.transport.rtp.codec import CodecName
from edge.transport.sip.core.flow import Address
from edge.transport.sip.media import leg as leg_module
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.media.carrier import Patience
from edge.transport.sip.media.crypto_attribute import KEY_LENGTHS
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.leg import SipLeg
from edge.transport.sip.media.legs import SipMedia
from edge.transport.sip.media.ports import PortsExhausted
from tests.edge.media.tones import loudness, pitch
from tests.edge.transport.sip.media.parts import PORTS, HandTicker, Phone, World, seconds, world
from tests.fakes.clock import FakeClock

CODECS: tuple[CodecName, ...] = ("pcmu", "pcma", "g722", "opus")
SUITES = [None, *sorted(KEY_LENGTHS)]
PLAIN = MediaPolicy(codecs=("pcmu",), srtp="off")


def only(offer: bytes, suite: str) -> bytes:
    """An offer with the key lines of one suite."""
    lines = offer.split(b"\r\n")
    return b"\r\n".join(
        line for line in lines if not line.startswith(b"a=crypto:") or suite.encode() in line
    )


def connect(net: World, policy: MediaPolicy, *, suite: str | None = None) -> tuple[Phone, Phone]:
    """Called and caller, established."""
    caller, offer = net.theirs.offer(policy)
    called, answer = net.ours.answer(only(offer, suite) if suite else offer, policy)
    caller.accept(answer)
    for one in (called, caller):
        one.establish()
    return Phone(called), Phone(caller)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("codec", CODECS)
async def test_each_side_hears_what_the_other_says(
    codec: CodecName, suite: str | None, host: str
) -> None:
    async with world(host) as net:
        policy = MediaPolicy(codecs=(codec,), srtp="required" if suite else "off")
        called, caller = connect(net, policy, suite=suite)
        called.say(440, 1.0)
        caller.say(700, 1.0)
        net.run(1.0)
        assert called.leg.encrypted == (suite is not None)
        assert len(called.frames) >= 48 and len(caller.frames) >= 48
        assert pitch(called.heard(0.8), 16_000) == pytest.approx(700, abs=3)
        assert pitch(caller.heard(0.8), 16_000) == pytest.approx(440, abs=3)
        assert loudness(called.heard(0.8)) == pytest.approx(9000 / 2**0.5, rel=0.15)
        counts = called.leg.counts
        assert counts.lost == counts.refused == counts.foreign == 0
        assert counts.received >= 49
        assert called.leg.band == ("narrow" if codec in ("pcmu", "pcma") else "wide")


async def test_reports_tell_the_round_trip_and_keep_it_quiet_under_encryption() -> None:
    async with world() as net:
        called, caller = connect(net, MediaPolicy(codecs=("pcmu",), srtp="required"))
        called.say(440, 4.0)
        net.run(4.0)
        assert called.leg.media.reporter.round_trip == pytest.approx(0.0, abs=0.02)
        assert caller.leg.counts.refused == 0


@pytest.mark.parametrize("codec", CODECS)
async def test_speech_survives_loss_reordering_and_duplicates(codec: CodecName) -> None:
    async with world() as net:
        policy = MediaPolicy(codecs=(codec,), srtp="required")
        called, caller = connect(net, policy)
        net.run(0.1)
        chance = random.Random(7)
        send, late = caller.leg._carrier._send, list[tuple[bytes, Address]]()

        def network(packet: bytes, to: Address) -> None:
            late.append((packet, to))
            if chance.random() < 0.2 and len(late) < 3:
                return
            for one, place in reversed(late):
                if chance.random() > 0.05:
                    for _ in range(chance.choice([1, 1, 1, 2])):
                        send(one, place)
            late.clear()

        caller.leg._carrier._send = network  # type: ignore[assignment]
        caller.say(440, 4.0)
        before = len(called.frames)
        net.run(4.2)
        frames = called.frames[before:]
        assert 3.9 <= seconds(np.concatenate(frames)) <= 4.5
        voiced = [loudness(frame) > 1000 for frame in frames]
        assert sum(voiced) > 0.93 * 200
        assert pitch(np.concatenate(frames), 16_000) == pytest.approx(440, abs=5)
        counts = called.leg.counts
        assert counts.lost > 0
        assert counts.refused + counts.duplicate + counts.late > 0


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("codec", CODECS)
async def test_packets_are_as_long_as_the_far_end_asks(codec: CodecName, ptime: int) -> None:
    async with world() as net:
        policy = MediaPolicy(codecs=(codec,), srtp="off")
        caller_leg, offer = net.theirs.offer(policy)
        called_leg, answer = net.ours.answer(
            offer.replace(b"ptime:20", b"ptime:%d" % ptime), policy
        )
        caller_leg.accept(answer)
        called, caller = Phone(called_leg), Phone(caller_leg)
        called_leg.establish()
        caller_leg.establish()
        called.say(440, 2.0)
        net.run(1.2)
        expected = 1200 / (20 if codec == "opus" else ptime)
        assert caller_leg.counts.received == pytest.approx(expected, abs=4)
        assert pitch(caller.heard(0.8), 16_000) == pytest.approx(440, abs=3)
        assert caller_leg.counts.lost == 0


async def test_on_hold_nothing_is_sent_and_the_listener_hears_silence_until_resumed() -> None:
    async with world() as net:
        called, caller = connect(net, PLAIN)
        caller.say(700, 10.0)
        called.say(440, 10.0)
        net.run(0.5)
        caller.leg.accept(called.leg.reoffered(caller.leg.reoffer("sendonly")))
        assert called.leg.on_hold and not caller.leg.on_hold
        waits, sent = called.leg.playout.queued, called.leg.counts.sent
        before = len(called.frames)
        net.run(5.0)
        held = called.frames[before:]
        assert 249 <= len(held) <= 251
        assert not np.concatenate(held[1:]).any()
        assert called.leg.playout.queued == waits
        assert called.leg.counts.sent == sent
        caller.leg.accept(called.leg.reoffered(caller.leg.reoffer()))
        assert not called.leg.on_hold
        before = len(called.frames), len(caller.frames)
        net.run(1.0)
        assert 48 <= len(called.frames) - before[0] <= 52
        assert pitch(called.heard(0.8), 16_000) == pytest.approx(700, abs=3)
        assert pitch(caller.heard(0.8), 16_000) == pytest.approx(440, abs=3)


async def test_a_short_hold_is_not_heard_twice() -> None:
    async with world() as net:
        called, caller = connect(net, PLAIN)
        caller.say(700, 10.0)
        net.run(0.5)
        caller.leg.accept(called.leg.reoffered(caller.leg.reoffer("sendonly")))
        net.run(0.6)
        caller.leg.accept(called.leg.reoffered(caller.leg.reoffer()))
        net.run(0.5)
        assert 78 <= len(called.frames) <= 82


async def test_an_old_hold_by_a_null_address_is_a_hold() -> None:
    async with world() as net:
        called, caller = connect(net, PLAIN)
        offer = caller.leg.reoffer()
        called.leg.reoffered(re.sub(rb"(?m)^c=IN IP4 \S+", b"c=IN IP4 0.0.0.0", offer))
        assert called.leg.on_hold
        called.leg.reoffered(offer)
        called.say(440, 1.0)
        net.run(1.0)
        assert pitch(caller.heard(0.8), 16_000) == pytest.approx(440, abs=3)


async def test_a_call_may_change_its_codec_and_what_waits_is_heard_in_pitch() -> None:
    async with world() as net:
        called, caller = connect(net, PLAIN)
        called.say(440, 5.0)
        caller.say(700, 5.0)
        net.run(0.5)
        rate = called.leg.playout.rate
        _, other = net.theirs.offer(MediaPolicy(codecs=("g722",), srtp="off"))
        port = caller.leg._local.rtp_port
        offer = re.sub(rb"m=audio \d+", b"m=audio %d" % port, other)
        called.leg._policy = MediaPolicy(codecs=("g722", "pcmu"), srtp="off")
        answer = called.leg.reoffered(offer)
        caller.leg._policy = MediaPolicy(codecs=("g722",), srtp="off")
        caller.leg._agreed = None
        caller.leg.reoffer()
        caller.leg.accept(answer)
        net.run(1.0)
        assert called.leg.playout.rate == rate == 8_000
        assert called.leg.band == "wide"
        assert pitch(called.heard(0.6), 16_000) == pytest.approx(700, abs=3)
        assert pitch(caller.heard(0.6), 16_000) == pytest.approx(440, abs=3)


async def test_new_keys_in_a_new_offer_cost_no_packet() -> None:
    async with world() as net:
        policy = MediaPolicy(codecs=("pcmu",), srtp="required")
        called, caller = connect(net, policy)
        caller.say(700, 5.0)
        net.run(1.0)
        caller.leg._agreed = None
        offer = caller.leg.reoffer()
        answer = called.leg.reoffered(offer)
        net.run(0.1)  # the answer is on its way: the caller still uses its old key
        caller.leg.accept(answer)
        net.run(1.0)
        assert called.leg.counts.lost == called.leg.counts.refused == 0
        assert pitch(called.heard(1.5), 16_000) == pytest.approx(700, abs=3)


async def test_an_offer_that_is_refused_leaves_the_call_as_it_was() -> None:
    async with world() as net:
        called, caller = connect(net, PLAIN)
        for wrong in (b"nonsense", caller.leg.reoffer().replace(b"AVP 0", b"AVP 99")):
            with pytest.raises(OfferError):
                called.leg.reoffered(wrong)
        with pytest.raises(OfferError):
            caller.leg.accept(b"nonsense")
        called.say(440, 1.0)
        net.run(1.0)
        assert pitch(caller.heard(0.8), 16_000) == pytest.approx(440, abs=3)


async def test_an_offer_that_is_refused_at_first_holds_no_port() -> None:
    async with world() as net:
        with pytest.raises(OfferError):
            net.ours.answer(b"nonsense", PLAIN)
        assert (net.ours.legs, net.ours.ports.used) == (0, 0)


async def test_an_answer_without_an_offer_is_refused() -> None:
    async with world() as net:
        called, _ = connect(net, PLAIN)
        with pytest.raises(OfferError):
            called.leg.accept(b"v=0\r\n")


async def test_keys_arrive_once_each_and_the_speech_waits_for_them() -> None:
    async with world() as net:
        called, caller = connect(net, MediaPolicy(codecs=("pcmu",), srtp="required"))
        caller.say(700, 1.0)
        net.run(0.2)
        caller.leg.send_digits("159*#D")
        net.run(6 * 0.22)
        assert called.digits == list("159*#D")
        assert caller.leg.playout.queued == pytest.approx(0.8 * 8000, abs=200)
        net.run(1.0)
        assert pitch(called.heard(0.9)[:6400], 16_000) == pytest.approx(700, abs=5)
        assert called.leg.counts.lost == 0


@pytest.mark.parametrize("codec", CODECS)
async def test_keys_arrive_through_loss(codec: CodecName) -> None:
    async with world() as net:
        called, caller = connect(net, MediaPolicy(codecs=(codec,), srtp="off"))
        net.run(0.1)
        chance, send = random.Random(3), caller.leg._carrier._send

        def network(packet: bytes, to: Address) -> None:
            if chance.random() > 0.3:
                send(packet, to)

        caller.leg._carrier._send = network  # type: ignore[assignment]
        caller.leg.send_digits("0123456789")
        net.run(3.0)
        assert "".join(called.digits) == "0123456789"


async def test_keys_are_refused_when_none_were_agreed() -> None:
    async with world() as net:
        called, caller = connect(net, MediaPolicy(codecs=("pcmu",), srtp="off", dtmf=False))
        for phone in (called, caller):
            with pytest.raises(ValueError):
                phone.leg.send_digits("1")


async def test_a_far_end_that_falls_silent_is_lost_and_one_on_hold_is_not_yet() -> None:
    async with world(patience=Patience(5.0, 20.0)) as net:
        talking, gone = connect(net, PLAIN)
        held, holder = connect(net, PLAIN)
        holder.leg.accept(held.leg.reoffered(holder.leg.reoffer("inactive")))
        net.run(0.5)
        await gone.leg.close()
        await holder.leg.close()
        net.run(8.0)
        async with asyncio.timeout(60):
            assert await talking.leg.closed() == "lost"
        assert not held.leg._ended.done()
        net.run(14.0)
        async with asyncio.timeout(60):
            assert await held.leg.closed() == "lost"
        frames = len(talking.frames)
        net.run(0.5)
        assert len(talking.frames) == frames


async def test_a_silent_agent_keeps_sending_so_that_the_far_end_knows_it_is_there() -> None:
    """G.711 and G.722 as comfort noise, where that was agreed; here it was not."""
    async with world() as net:
        caller, offer = net.theirs.offer(PLAIN)
        called, answer = net.ours.answer(offer.replace(b" 13", b""), PLAIN)
        caller.accept(answer)
        heard = Phone(caller)
        for leg in (called, caller):
            leg.establish()
        net.run(2.0)
        assert caller.counts.received >= 98
        assert loudness(heard.heard()) == 0


async def test_a_silent_agent_is_a_quiet_hiss_where_comfort_noise_was_agreed() -> None:
    async with world() as net:
        called, caller = connect(net, PLAIN)
        called.say(440, 0.1)
        net.run(3.2)
        assert 10 <= caller.leg.counts.received <= 14
        assert caller.leg.counts.foreign == 0
        assert 0 < loudness(caller.heard(2.0)) < 30
        called.say(440, 1.0)
        net.run(1.0)
        assert pitch(caller.heard(0.8), 16_000) == pytest.approx(440, abs=3)


async def test_connected_returns_when_signalling_says_so_and_fails_when_the_call_ends_first() -> (
    None
):
    async with world() as net:
        caller, offer = net.theirs.offer(PLAIN)
        called, _ = net.ours.answer(offer, PLAIN)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            waiting = group.create_task(called.connected())
            await asyncio.sleep(0)
            assert not waiting.done()
            called.establish()
        called.establish()
        await called.connected()
        caller.hung_up()
        with pytest.raises(LegError):
            await caller.connected()
        assert await caller.closed() == "hangup"


async def test_signalling_that_is_gone_is_not_waited_for_forever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leg_module, "ESTABLISH_TIMEOUT", 0.0)
    async with world() as net:
        leg, _ = net.ours.offer(PLAIN)
        with pytest.raises(LegError):
            await leg.connected()
        assert await leg.closed() == "failed"


async def test_a_call_that_stands_without_media_agreed_has_failed() -> None:
    async with world() as net:
        leg, _ = net.ours.offer(PLAIN)
        leg.establish()
        with pytest.raises(LegError):
            await leg.connected()


async def test_media_that_comes_before_the_call_stands_is_not_heard() -> None:
    async with world() as net:
        caller, offer = net.theirs.offer(PLAIN)
        called, answer = net.ours.answer(offer, PLAIN)
        caller.accept(answer)
        early, heard = Phone(caller), Phone(called)
        caller.establish()
        early.say(700, 2.0)
        net.run(0.5)
        assert heard.frames == []
        called.establish()
        net.run(1.0)
        assert pitch(heard.heard(0.8), 16_000) == pytest.approx(700, abs=3)


async def test_early_media_and_the_final_answer_may_differ() -> None:
    async with world() as net:
        policy = MediaPolicy(codecs=("g722", "pcmu"), srtp="off")
        caller, offer = net.theirs.offer(policy)
        ringing, early = net.ours.answer(offer, PLAIN)
        answering, final = net.ours.answer(offer, MediaPolicy(codecs=("g722",), srtp="off"))
        caller.accept(early)
        assert (caller.band, caller.playout.rate) == ("narrow", 8_000)
        caller.accept(final)
        assert (caller.band, caller.playout.rate) == ("wide", 16_000)
        caller.establish()
        answering.establish()
        heard = Phone(answering)
        Phone(caller).say(700, 1.0)
        net.run(1.0)
        assert pitch(heard.heard(0.8), 16_000) == pytest.approx(700, abs=3)
        assert ringing.counts.received == 0


async def test_nothing_is_called_after_the_end_and_closing_twice_is_once() -> None:
    async with world() as net:
        called, caller = connect(net, PLAIN)
        called.say(440, 2.0)
        caller.say(700, 2.0)
        net.run(0.3)
        called.leg.hung_up()
        frames = len(called.frames)
        net.run(0.3)
        assert len(called.frames) == frames
        await called.leg.close()
        await called.leg.close()
        assert await called.leg.closed() == "hangup"
        assert net.ours.legs == net.ours.ports.used == 0


async def test_a_fault_of_the_call_in_a_frame_ends_that_call_only() -> None:
    async with world() as net:
        called, caller = connect(net, PLAIN)
        other, another = connect(net, PLAIN)
        caller.say(700, 1.0)
        another.say(700, 1.0)

        def fault(frame: object) -> None:
            raise RuntimeError("a fault")

        called.leg.on_audio = fault
        net.run(0.5)
        assert called.leg._ended.done()
        assert await called.leg.closed() == "failed"
        assert len(other.frames) > 20


async def test_a_caller_is_given_away_by_signalling_or_not_at_all() -> None:
    async with world() as net:
        called, _ = connect(net, PLAIN)
        request = TransferRequest("sip:desk@example.com", "blind", "ref")
        assert not called.leg.can_transfer
        assert (await called.leg.transfer(request)).status == 501
        asked: list[TransferRequest] = []

        async def transfer(one: TransferRequest) -> TransferResult:
            asked.append(one)
            return TransferResult(True, 200, "OK")

        called.leg.on_transfer = transfer
        assert called.leg.can_transfer
        assert (await called.leg.transfer(request)).ok
        assert asked == [request]


async def test_a_worker_whose_ports_are_used_up_says_that_it_is_full() -> None:
    ports = range(20_000, 20_001)
    media = SipMedia("127.0.0.1", ports, None, HandTicker(), FakeClock())
    with pytest.raises(PortsExhausted):
        media.offer(PLAIN)
    assert media.legs == 0
    await media.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_far_ends_are_told_the_advertised_address(host: str) -> None:
    with pytest.raises(ValueError):
        SipMedia(host, PORTS, None, HandTicker(), FakeClock())
    advertised = "203.0.113.5" if host == "0.0.0.0" else "2001:db8::5"
    media = SipMedia(host, PORTS, advertised, HandTicker(), FakeClock())
    leg, offer = media.offer(PLAIN)
    assert advertised.encode() in offer and host.encode() + b"\r" not in offer
    await leg.close()
    await media.close()


async def test_a_thousand_calls_leave_nothing_behind() -> None:
    async with world() as net:
        for number in range(1000):
            called, caller = connect(net, PLAIN)
            net.run(0.01)
            if number % 3:
                caller.leg.hung_up("lost")
            await called.leg.close()
            await caller.leg.close()
            net.clock.advance(1.0)
        assert len(net.ours._poll) == len(net.theirs._poll) == 0
        assert sum(len(phase) for phase in net.ticker._phases) == 0


def test_a_sip_leg_is_a_leg() -> None:
    def takes(leg: Leg) -> None: ...

    def check(leg: SipLeg) -> None:
        takes(leg)

    assert SipLeg.kind == "sip"
