"""The endpoint as a whole: start, refuse, survive garbage, close."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest

from edge.clock import SystemClock
from edge.media.ticker import Ticker
from edge.transport.webrtc import selftest
from edge.transport.webrtc.caller import CallerPeer
from edge.transport.webrtc.endpoint import CERTIFICATE_SECONDS, WebRtcEndpoint
from edge.transport.webrtc.errors import (
    IceRestartUnsupported,
    IncompatibleLibrary,
    OfferError,
    PortInUse,
)
from edge.transport.webrtc.peer import MAX_SOURCES
from tests.edge.transport.rtp.ears import PATIENCE
from tests.edge.transport.webrtc.conftest import LOOPBACK, call
from tests.fakes.clock import FakeClock


async def test_a_busy_port_is_a_clear_error(endpoint: WebRtcEndpoint, ticker: Ticker) -> None:
    second = WebRtcEndpoint(host=LOOPBACK, port=endpoint.port, ticker=ticker, clock=SystemClock())
    with pytest.raises(PortInUse, match=f"UDP port {endpoint.port} on {LOOPBACK}"):
        await second.start()
    await second.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_wildcard_needs_an_advertised_address(ticker: Ticker, host: str) -> None:
    with pytest.raises(ValueError, match="advertised"):
        WebRtcEndpoint(host=host, port=0, ticker=ticker, clock=SystemClock())


def test_an_advertised_name_is_refused(ticker: Ticker) -> None:
    with pytest.raises(ValueError, match=r"edge\.example"):
        WebRtcEndpoint(
            host=LOOPBACK, port=0, ticker=ticker, clock=SystemClock(), advertised="edge.example"
        )


async def test_the_advertised_address_is_what_callers_are_told(ticker: Ticker) -> None:
    endpoint = WebRtcEndpoint(
        host="0.0.0.0", port=0, ticker=ticker, clock=SystemClock(), advertised="203.0.113.9"
    )
    await endpoint.start()
    caller = CallerPeer(ticker=ticker, clock=SystemClock(), host=LOOPBACK)
    _, answer = await endpoint.answer(await caller.offer())
    assert f" 203.0.113.9 {endpoint.port} typ host" in answer
    await caller.close()
    await endpoint.close()
    assert endpoint.legs == 0


RELAYED = "a=candidate:2 1 UDP 41885695 203.0.113.8 50000 typ relay raddr 0.0.0.0 rport 0"


@pytest.mark.parametrize(
    ("host", "relays", "candidate", "told"),
    [
        (LOOPBACK, True, RELAYED, True),
        (LOOPBACK, True, RELAYED.replace("typ relay", "typ srflx"), False),
        (LOOPBACK, False, RELAYED, False),
        ("0.0.0.0", True, RELAYED, False),
    ],
    ids=["relayed", "direct", "no relays here", "no address of its own"],
)
async def test_only_a_caller_behind_a_relay_is_told_the_address_inside(
    ticker: Ticker, host: str, relays: bool, candidate: str, told: bool
) -> None:
    clock = SystemClock()
    endpoint = WebRtcEndpoint(
        host=host, port=0, ticker=ticker, clock=clock, advertised="203.0.113.9", relays=relays
    )
    await endpoint.start()
    caller = CallerPeer(ticker=ticker, clock=clock, host=LOOPBACK)
    offer = (await caller.offer()).replace("a=end-of-candidates", candidate, 1)
    _, answer = await endpoint.answer(offer)
    lines = [line for line in answer.split("\r\n") if line.startswith("a=candidate")]
    public = f"a=candidate:1 1 udp 2130706431 203.0.113.9 {endpoint.port} typ host"
    inside = f"a=candidate:2 1 udp 2130706175 {LOOPBACK} {endpoint.port} typ host"
    assert lines == [public, *([inside] if told else [])] * 2
    await caller.close()
    await endpoint.close()


async def test_a_refused_offer_leaves_nothing(endpoint: WebRtcEndpoint) -> None:
    before = asyncio.all_tasks()
    for bad in ("", "v=0\r\n", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"):
        with pytest.raises(OfferError):
            await endpoint.answer(bad)
    assert (endpoint.legs, endpoint._mux.calls) == (0, 0)
    assert asyncio.all_tasks() == before


async def test_garbage_on_the_port_leaves_calls_and_new_offers_alone(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    rng = random.Random(4)
    async with call(endpoint, ticker) as one:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
            target = (LOOPBACK, endpoint.port)
            for _ in range(300):
                first = bytes([rng.choice((0, 1, 20, 22, 64, 128, 144, 200, 255))])
                attacker.sendto(first + rng.randbytes(rng.randrange(60)), target)
            attacker.sendto(b"", target)
            await one.edge_hears.until(lambda: endpoint.counts.dropped >= 300)
            await one.edge_hears.hear(0.2)
        async with call(endpoint, ticker) as other:
            await other.edge_hears.hear(0.1)


async def test_forged_media_from_the_callers_own_address_is_not_heard(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    rng = random.Random(5)
    async with call(endpoint, ticker, send_audio=False) as one:
        with one.caller._mux._socket.dup() as forged:  # type: ignore[union-attr]
            for number in range(200):
                forged.sendto(
                    bytes([0x80, rng.choice((111, 200, 201))]) + rng.randbytes(40),
                    (LOOPBACK, endpoint.port),
                )
                forged.sendto(bytes([22]) + rng.randbytes(number), (LOOPBACK, endpoint.port))
        one.caller.send({"type": "still here"})
        await one.edge_inbox.take(1)
        assert one.leg._peer.refused == 200
        assert one.edge_hears.frames == []


async def test_sources_of_one_peer_are_bounded(endpoint: WebRtcEndpoint, ticker: Ticker) -> None:
    async with call(endpoint, ticker, send_audio=False) as one:
        peer, media = one.caller._open()
        for source in range(3 * MAX_SOURCES):
            media.sender.ssrc = source
            (packet,) = media.sender.tick()
            peer.send_rtp(packet)
        one.caller.send({"type": "done"})
        await one.edge_inbox.take(1)
        assert len(one.leg._peer._sources) == MAX_SOURCES
        assert one.leg._peer.refused >= MAX_SOURCES


async def test_a_trickle_fragment_is_taken_and_a_restart_is_refused(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    async with call(endpoint, ticker) as one:
        peer, _ = one.caller._open()
        one.leg.patch(f"a=ice-ufrag:{peer.ufrag}\r\na=candidate:1 1 udp 1 x.local 9 typ host\r\n")
        with pytest.raises(IceRestartUnsupported):
            one.leg.patch("a=ice-ufrag:another\r\n")
        with pytest.raises(OfferError):
            one.leg.patch("nonsense")


async def test_closing_the_endpoint_closes_its_calls(ticker: Ticker) -> None:
    endpoint = WebRtcEndpoint(host=LOOPBACK, port=0, ticker=ticker, clock=SystemClock())
    await endpoint.start()
    async with call(endpoint, ticker) as one:
        await endpoint.close()
        async with asyncio.timeout(PATIENCE):
            assert await one.caller.closed() == "closed"
            assert await one.leg.closed() == "closed"
    await endpoint.close()


async def test_two_endpoints_in_one_process_do_not_mix(
    endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    second = WebRtcEndpoint(host=LOOPBACK, port=0, ticker=ticker, clock=SystemClock())
    await second.start()
    async with call(endpoint, ticker) as one, call(second, ticker) as other:
        await one.edge_hears.hear(0.1)
        await other.edge_hears.hear(0.1)
        assert (endpoint.legs, second.legs) == (1, 1)
    await second.close()


async def test_the_certificate_is_shared_for_a_week(ticker: Ticker) -> None:
    clock = FakeClock()
    endpoint = WebRtcEndpoint(host=LOOPBACK, port=0, ticker=ticker, clock=clock)
    first = endpoint._fresh_certificate()
    clock.advance(CERTIFICATE_SECONDS - 1)
    assert endpoint._fresh_certificate() is first
    clock.advance(2)
    assert endpoint._fresh_certificate() is not first


async def test_the_libraries_have_every_name_that_is_used() -> None:
    selftest.check_libraries()


async def test_a_missing_name_is_told_with_package_and_version(
    monkeypatch: pytest.MonkeyPatch, ticker: Ticker
) -> None:
    monkeypatch.setattr(selftest, "_SCTP", (*selftest._SCTP, "State.RENAMED"))
    endpoint = WebRtcEndpoint(host=LOOPBACK, port=0, ticker=ticker, clock=SystemClock())
    with pytest.raises(IncompatibleLibrary) as told:
        await endpoint.start()
    assert str(told.value) == (
        "aiortc 1.16.0 has no RTCSctpTransport.State.RENAMED: install aiortc==1.16.0"
    )
