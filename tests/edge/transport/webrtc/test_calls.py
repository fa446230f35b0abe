"""Whole calls over loopback: our caller and our edge."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import numpy as np
import pytest

from edge.clock import SystemClock
from edge.leg import Leg, LegError
from edge.media.playout import Mark
from edge.media.ticker import Ticker
from edge.transport.rtp.sender import TRAILING_FRAMES
from edge.transport.webrtc.caller import CallerPeer
from edge.transport.webrtc.endpoint import WebRtcEndpoint
from edge.transport.webrtc.errors import OfferError
from tests.edge.media.tones import loudness, pitch, tone
from tests.edge.transport.rtp.ears import PATIENCE
from tests.edge.transport.webrtc.conftest import LOOPBACK, Call, call
from tests.edge.transport.webrtc.relay import Relay
from tests.fakes.clock import FakeClock


@pytest.fixture
async def relay(endpoint: WebRtcEndpoint) -> AsyncIterator[Relay]:
    relay = Relay((LOOPBACK, endpoint.port))
    yield relay
    relay.close()


@pytest.mark.parametrize("codec", ["opus", "pcmu"])
async def test_each_side_hears_the_tone_of_the_other(
    steady: WebRtcEndpoint, ticker: Ticker, ticking: FakeClock, codec: str
) -> None:
    async with call(steady, ticker, clock=ticking, codec=codec) as one:
        one.caller.playout.push(tone(440, one.caller.playout.rate, 5))
        one.leg.playout.push(tone(880, one.leg.playout.rate, 5))
        await one.edge_hears.until(lambda: loudness(one.edge_hears.heard[-320:]) > 1000)
        await one.caller_hears.until(lambda: loudness(one.caller_hears.heard[-480:]) > 1000)
        assert pitch(await one.edge_hears.hear(0.5), 16_000) == pytest.approx(440, abs=3)
        assert pitch(await one.caller_hears.hear(0.5), 24_000) == pytest.approx(880, abs=3)


async def test_events_travel_both_ways_in_order_even_those_sent_before_the_channel_opened(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    caller = CallerPeer(ticker=ticker, clock=SystemClock(), host=LOOPBACK)
    leg, answer = await endpoint.answer(await caller.offer())
    for number in range(70):
        leg.send({"type": "early", "number": number})
    await caller.accept(answer)
    one = Call(caller, leg)
    await one.connect()
    caller.send({"type": "hello", "text": "Grüß Gott"})
    assert (await one.edge_inbox.take(1))[0] == {"type": "hello", "text": "Grüß Gott"}
    leg.send({"type": "late"})
    events = await one.caller_inbox.take(65)
    assert [event.get("number") for event in events] == [*range(64), None]
    await one.close()


async def test_a_flush_silences_the_agent_within_one_frame(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    async with call(endpoint, ticker) as one:
        one.leg.playout.push(tone(440, 24_000, 20))
        await one.caller_hears.until(lambda: loudness(one.caller_hears.heard[-480:]) > 1000)
        before = one.leg.media.sender.packets
        one.leg.playout.flush()
        await one.caller_hears.until(lambda: loudness(one.caller_hears.heard[-480:]) < 5)
        assert one.leg.media.sender.packets - before <= 5
        assert one.leg.playout.pull() is None


async def test_marks_are_reported_as_their_audio_leaves(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    async with call(endpoint, ticker) as one:
        heard: list[str] = []
        drained = asyncio.Event()
        one.leg.playout.on_mark = heard.append
        one.leg.playout.on_drained = drained.set
        one.leg.playout.push(tone(440, 24_000, 0.2), (Mark(480, "one"), Mark(4800, "two")))
        async with asyncio.timeout(PATIENCE):
            await drained.wait()
        assert heard == ["one", "two"]


async def test_a_caller_without_microphone_hears_the_agent(
    steady: WebRtcEndpoint, ticker: Ticker, ticking: FakeClock
) -> None:
    async with call(steady, ticker, clock=ticking, send_audio=False) as one:
        one.leg.playout.push(tone(700, 24_000, 3))
        await one.caller_hears.until(lambda: loudness(one.caller_hears.heard[-480:]) > 1000)
        assert pitch(await one.caller_hears.hear(0.4), 24_000) == pytest.approx(700, abs=4)
        assert one.edge_hears.frames == []


async def test_speech_survives_loss_reordering_and_repeats(
    steady: WebRtcEndpoint, ticker: Ticker, ticking: FakeClock
) -> None:
    relay = Relay((LOOPBACK, steady.port))
    async with call(steady, ticker, clock=ticking, port=relay.port) as one:
        relay.loss, relay.repeat, relay.swap = 0.2, 0.05, 0.05
        one.caller.playout.push(tone(500, 24_000, 5))
        await one.edge_hears.until(lambda: loudness(one.edge_hears.heard[-320:]) > 1000)
        heard = await one.edge_hears.hear(2.0)
        counts = one.leg.media.receiver.counts
        assert relay.lost > 0
        assert counts.lost == pytest.approx(relay.lost, abs=5)
        assert pitch(heard, 16_000) == pytest.approx(500, abs=3)
        quiet = sum(loudness(heard[i : i + 320]) < 500 for i in range(0, len(heard), 320))
        assert quiet < 10  # of a hundred frames, of which twenty were lost
    relay.close()


async def test_the_timeline_stays_true_through_loss(
    endpoint: WebRtcEndpoint, ticker: Ticker, relay: Relay
) -> None:
    async with call(endpoint, ticker, port=relay.port) as one:
        relay.loss = 0.2
        await one.edge_hears.hear(2.0)
        assert relay.lost > 10
        assert len(one.edge_hears.frames) >= one.caller.stats().sent - 8


async def test_silence_is_heard_in_real_time_while_the_caller_sends_nothing(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    async with call(endpoint, ticker, continuous=False) as one:
        one.caller.playout.push(tone(500, 24_000, 0.2))
        await one.edge_hears.until(lambda: loudness(one.edge_hears.heard[-320:]) > 1000)
        packets = one.leg.media.receiver.counts.received
        silence = await one.edge_hears.hear(1.0)
        assert loudness(silence[-8000:]) < 5
        assert one.leg.media.receiver.counts.received - packets < 20


async def test_a_caller_whose_nat_moves_is_found_again(
    endpoint: WebRtcEndpoint, ticker: Ticker, relay: Relay
) -> None:
    clock = FakeClock()
    async with call(endpoint, ticker, clock=clock, port=relay.port) as one:
        await one.edge_hears.hear(0.2)
        relay.move()
        heard = len(one.edge_hears.frames)
        clock.advance(3.0)  # the caller hears nothing and asks whether the edge is there
        one.leg.playout.push(tone(600, 24_000, 15))
        one.caller.playout.push(tone(500, 24_000, 15))
        await one.edge_hears.until(lambda: loudness(one.edge_hears.heard[-320:]) > 1000)
        await one.caller_hears.until(lambda: loudness(one.caller_hears.heard[-480:]) > 1000)
        assert len(one.edge_hears.frames) > heard


async def test_closing_the_caller_is_no_goodbye(endpoint: WebRtcEndpoint, ticker: Ticker) -> None:
    async with call(endpoint, ticker) as one:
        await one.caller.close()
        async with asyncio.timeout(PATIENCE):
            assert await one.leg.closed() == "closed"


async def test_closing_the_leg_tells_the_caller(endpoint: WebRtcEndpoint, ticker: Ticker) -> None:
    async with call(endpoint, ticker) as one:
        await one.leg.close()
        async with asyncio.timeout(PATIENCE):
            assert await one.caller.closed() == "closed"


async def test_a_hangup_by_signalling_ends_the_leg_and_its_callbacks(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    async with call(endpoint, ticker) as one:
        await one.edge_hears.hear(0.1)
        one.leg.hangup()
        assert await one.leg.closed() == "hangup"
        frames = len(one.edge_hears.frames)
        one.caller.send({"type": "too late"})
        await one.caller_hears.until(lambda: True)
        packets = one.caller.stats().sent
        await _until(lambda: one.caller.stats().sent >= packets + 5, ticker)
        assert len(one.edge_hears.frames) == frames
        assert one.edge_inbox.events == []


async def test_a_caller_that_vanishes_is_lost(ticker: Ticker) -> None:
    clock = FakeClock()
    endpoint = WebRtcEndpoint(host=LOOPBACK, port=0, ticker=ticker, clock=clock)
    await endpoint.start()
    relay = Relay((LOOPBACK, endpoint.port))
    async with call(endpoint, ticker, port=relay.port) as one:
        relay.cut = True
        await _until(_ticks(3), ticker)
        clock.advance(5.1)
        async with asyncio.timeout(PATIENCE):
            assert await one.leg.closed() == "lost"
    relay.close()
    await endpoint.close()


async def test_a_silent_caller_that_answers_consent_checks_is_not_lost(ticker: Ticker) -> None:
    clock = FakeClock()
    endpoint = WebRtcEndpoint(host=LOOPBACK, port=0, ticker=ticker, clock=clock)
    await endpoint.start()
    async with call(endpoint, ticker, send_audio=False) as one:
        for _ in range(2):
            clock.advance(4.0)
            await _until(_ticks(55), ticker)
        assert one.leg._peer.connected
    await endpoint.close()


async def test_an_offer_that_nobody_follows_up_ends_in_a_leg_error(ticker: Ticker) -> None:
    endpoint = WebRtcEndpoint(
        host=LOOPBACK, port=0, ticker=ticker, clock=SystemClock(), connect_timeout=0.05
    )
    await endpoint.start()
    caller = CallerPeer(ticker=ticker, clock=SystemClock(), host=LOOPBACK)
    leg, _ = await endpoint.answer(await caller.offer())
    with pytest.raises(LegError, match=r"0\.05 s"):
        await leg.connected()
    assert await leg.closed() == "failed"
    with pytest.raises(LegError, match="over"):
        await leg.connected()
    await leg.close()
    await caller.close()
    await endpoint.close()


@pytest.mark.parametrize(
    ("part", "state"),
    [
        ("_ice", "checking"),
        ("_ice", "completed"),
        ("_dtls", "connecting"),
        ("_dtls", "connected"),
    ],
)
@pytest.mark.parametrize("side", ["leg", "caller"])
async def test_closing_in_the_middle_of_the_handshake_leaves_nothing(
    endpoint: WebRtcEndpoint, ticker: Ticker, side: str, part: str, state: str
) -> None:
    before = asyncio.all_tasks()
    caller = CallerPeer(ticker=ticker, clock=SystemClock(), host=LOOPBACK)
    leg, answer = await endpoint.answer(await caller.offer())
    await caller.accept(answer)
    peer = leg._peer if side == "leg" else caller._open()[0]
    transport = getattr(peer, part)
    reached = asyncio.Event()

    def changed() -> None:
        if transport.state == state:
            reached.set()

    transport.on("statechange", changed)
    async with asyncio.TaskGroup() as group, asyncio.timeout(PATIENCE):
        group.create_task(_ignoring_leg_errors(leg))
        group.create_task(_ignoring_leg_errors(caller))
        await reached.wait()
        await (leg if side == "leg" else caller).close()
        await leg.close()
        await caller.close()
    assert asyncio.all_tasks() == before
    assert (endpoint.legs, endpoint._mux.calls, endpoint._mux.addresses) == (0, 0, 0)


async def test_fifty_calls_in_a_row_leave_no_task_and_no_file(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    before, files = asyncio.all_tasks(), len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        async with call(endpoint, ticker) as one:
            one.leg.send({"type": "hello"})
            await one.caller_inbox.take(1)
    assert asyncio.all_tasks() == before
    assert len(os.listdir("/proc/self/fd")) == files
    assert (endpoint.legs, endpoint._mux.calls, endpoint._mux.addresses) == (0, 0, 0)
    assert not any(ticker._phases)


async def test_a_fault_in_a_calls_own_code_ends_that_call_only(
    endpoint: WebRtcEndpoint, ticker: Ticker, caplog: pytest.LogCaptureFixture
) -> None:
    async with call(endpoint, ticker) as one, call(endpoint, ticker) as other:

        def broken(_: object) -> None:
            raise RuntimeError("a bug")

        one.leg.on_audio = broken
        async with asyncio.timeout(PATIENCE):
            assert await one.leg.closed() == "failed"
        await other.edge_hears.hear(0.2)
    assert "ended by a fault" in caplog.text


async def test_a_fault_in_a_mark_ends_that_call_only(
    endpoint: WebRtcEndpoint, ticker: Ticker, caplog: pytest.LogCaptureFixture
) -> None:
    async with call(endpoint, ticker) as one, call(endpoint, ticker) as other:

        def broken(_: str) -> None:
            raise RuntimeError("a bug")

        one.leg.playout.on_mark = broken
        one.leg.playout.push(tone(440, 24_000, 0.1), (Mark(480, "x"),))
        async with asyncio.timeout(PATIENCE):
            assert await one.leg.closed() == "failed"
        await other.edge_hears.hear(0.2)
    assert "ended by a fault" in caplog.text


async def test_an_aborted_association_closes_the_leg(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    async with call(endpoint, ticker) as one:
        one.leg.send({"type": "hello"})
        await one.caller_inbox.take(1)
        peer, _ = one.caller._open()
        await peer.sctp._abort()
        async with asyncio.timeout(PATIENCE):
            assert await one.leg.closed() == "closed"


async def test_a_leg_is_a_leg(endpoint: WebRtcEndpoint, ticker: Ticker) -> None:
    async with call(endpoint, ticker) as one:
        leg: Leg = one.leg
        assert leg.kind == "webrtc"
        await leg.connected()


async def test_an_answer_without_a_usable_candidate_is_refused(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    caller = CallerPeer(ticker=ticker, clock=SystemClock(), host=LOOPBACK)
    leg, answer = await endpoint.answer(await caller.offer())
    for bad in (answer.replace("a=candidate", "a=x"), answer.replace(LOOPBACK, "no.such.host")):
        with pytest.raises(OfferError):
            await caller.accept(bad)
    await leg.close()
    await caller.close()


async def test_packet_hooks_see_every_packet_of_the_agent(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    async with call(endpoint, ticker) as one:
        seen: list[float] = []
        one.caller.on_packet = lambda size, at: seen.append(at)
        one.leg.playout.push(np.zeros(480 * 20, np.int16))
        await one.caller_hears.until(lambda: len(seen) >= 20 + TRAILING_FRAMES)
        assert len(seen) == one.caller.stats().packets == 20 + TRAILING_FRAMES


async def _ignoring_leg_errors(side: CallerPeer | Leg) -> None:
    try:
        await side.connected()
    except LegError:
        return


def _ticks(count: int) -> object:
    seen = [0]

    def tick() -> bool:
        seen[0] += 1
        return seen[0] >= count

    return tick


async def _until(condition: object, ticker: Ticker) -> None:
    """Wait, looking again at each tick."""
    assert callable(condition)
    changed = asyncio.Event()
    end = ticker.subscribe(changed.set)
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                changed.clear()
                await changed.wait()
    finally:
        end()
