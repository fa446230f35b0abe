"""An unmodified aiortc peer connection calls our edge."""

from __future__ import annotations

import asyncio
import fractions
import json
from collections.abc import AsyncIterator

import av
import numpy as np
import pytest
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)

from edge.media.ticker import Ticker
from edge.transport.webrtc.endpoint import WebRtcEndpoint
from edge.transport.webrtc.leg import WebRtcLeg
from tests.edge.media.tones import loudness, pitch, tone
from tests.edge.transport.rtp.ears import PATIENCE, Ear, Inbox
from tests.edge.transport.webrtc.conftest import LOOPBACK


@pytest.fixture(autouse=True)
def loopback_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """aioice leaves 127.0.0.1 out, and there may be nothing else."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_: [LOOPBACK])


class ToneTrack(MediaStreamTrack):
    """440 Hz at 48 kHz, 20 ms at a time, paced by the loop's clock."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._began = asyncio.get_running_loop().time()

    async def recv(self) -> av.AudioFrame:
        due = self._began + self._number * 0.02
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        samples = tone(440, 48_000, 0.02 * (self._number + 1))[-960:]
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, self._number * 960
        frame.time_base = fractions.Fraction(1, 48_000)
        self._number += 1
        return frame


@pytest.fixture
async def stock() -> AsyncIterator[RTCPeerConnection]:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield peer
    await peer.close()


async def dial(stock: RTCPeerConnection, endpoint: WebRtcEndpoint) -> WebRtcLeg:
    await stock.setLocalDescription(await stock.createOffer())
    leg, answer = await endpoint.answer(stock.localDescription.sdp)
    await stock.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await leg.connected()
    return leg


async def listen(track: MediaStreamTrack, seconds: float) -> np.ndarray:
    """Mono samples at the track's rate; the first half second is thrown away."""
    parts: list[np.ndarray] = []
    total = 0.0
    async with asyncio.timeout(PATIENCE):
        while total < seconds + 0.5:
            frame = await track.recv()
            assert isinstance(frame, av.AudioFrame)
            left = frame.to_ndarray().reshape(-1)[:: len(frame.layout.channels)]
            if total >= 0.5:
                parts.append(left)
            total += frame.samples / frame.sample_rate
    return np.concatenate(parts)


@pytest.mark.parametrize("codec", ["audio/opus", "audio/PCMU"])
async def test_a_stock_peer_and_the_edge_hear_each_other(
    stock: RTCPeerConnection, endpoint: WebRtcEndpoint, codec: str
) -> None:
    stock.addTrack(ToneTrack())
    known = RTCRtpSender.getCapabilities("audio").codecs
    stock.getTransceivers()[0].setCodecPreferences([c for c in known if c.mimeType == codec])
    leg = await dial(stock, endpoint)
    ear = Ear(16_000)
    leg.on_audio = ear
    leg.playout.push(tone(880, leg.playout.rate, 4))
    heard = await listen(stock.getReceivers()[0].track, 1.0)
    rate = 48_000 if codec == "audio/opus" else 8_000
    assert pitch(heard, rate) == pytest.approx(880, abs=4)
    await ear.until(lambda: loudness(ear.heard[-320:]) > 1000)
    assert pitch(await ear.hear(0.5), 16_000) == pytest.approx(440, abs=3)
    await leg.close()


async def test_events_reach_a_stock_peer_and_come_back(
    stock: RTCPeerConnection, endpoint: WebRtcEndpoint
) -> None:
    stock.addTransceiver("audio", "recvonly")
    channel = stock.createDataChannel("oai-events")
    theirs, ours = Inbox(), Inbox()
    channel.on("message", lambda text: theirs(json.loads(text)))
    channel.on("open", lambda: channel.send('{"type":"ping"}'))
    leg = await dial(stock, endpoint)
    leg.on_message = ours
    leg.send({"type": "session.created"})
    assert await theirs.take(1) == [{"type": "session.created"}]
    assert await ours.take(1) == [{"type": "ping"}]
    await leg.close()


async def test_bad_events_are_answered_with_an_error_and_a_flood_is_cut(
    stock: RTCPeerConnection, endpoint: WebRtcEndpoint
) -> None:
    stock.addTransceiver("audio", "recvonly")
    channel = stock.createDataChannel("oai-events")
    theirs, ours = Inbox(), Inbox()
    channel.on("message", lambda text: theirs(json.loads(text)))
    opened = asyncio.Event()
    channel.on("open", opened.set)
    leg = await dial(stock, endpoint)
    leg.on_message = ours
    async with asyncio.timeout(PATIENCE):
        await opened.wait()
    channel.send("{not json")
    channel.send(b"\xff\xfe")
    channel.send("[1, 2]")
    codes = [_code(event) for event in await theirs.take(3)]
    assert codes == ["bad_event"] * 3
    for number in range(60):
        channel.send(json.dumps({"type": "n", "number": number}))
    await theirs.until(lambda: any(_code(event) == "rate_limited" for event in theirs.events))
    assert 10 <= len(ours.events) < 60
    await leg.close()


async def test_a_stock_peer_without_a_data_channel_is_fine(
    stock: RTCPeerConnection, endpoint: WebRtcEndpoint
) -> None:
    stock.addTrack(ToneTrack())
    leg = await dial(stock, endpoint)
    ear = Ear(16_000)
    leg.on_audio = ear
    leg.send({"type": "nobody hears this"})
    await ear.hear(0.2)
    await leg.close()


async def test_a_stock_peer_that_only_sends_is_heard_and_gets_nothing(
    stock: RTCPeerConnection, endpoint: WebRtcEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock.addTransceiver(ToneTrack(), "sendonly")
    leg = await dial(stock, endpoint)
    ear = Ear(16_000)
    leg.on_audio = ear
    leg.playout.push(tone(880, 24_000, 1))
    sent: list[bytes] = []
    monkeypatch.setattr(leg._peer, "send_rtp", sent.append)
    await ear.hear(0.3)
    assert leg.playout.played > 0
    assert sent == []
    await leg.close()


async def test_video_is_refused_and_audio_goes_on(
    stock: RTCPeerConnection, endpoint: WebRtcEndpoint, ticker: Ticker
) -> None:
    stock.addTrack(ToneTrack())
    await stock.setLocalDescription(await stock.createOffer())
    offer = stock.localDescription.sdp
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:9\r\na=rtpmap:96 VP8/90000\r\n"
    leg, answer = await endpoint.answer(offer + video)
    assert "m=video 0 UDP/TLS/RTP/SAVPF 96" in answer
    assert "a=group:BUNDLE 0\r\n" in answer
    await leg.close()


async def test_closing_a_stock_peer_closes_the_leg(
    stock: RTCPeerConnection, endpoint: WebRtcEndpoint
) -> None:
    stock.addTrack(ToneTrack())
    leg = await dial(stock, endpoint)
    await stock.close()
    async with asyncio.timeout(PATIENCE):
        assert await leg.closed() == "closed"
    await leg.close()


async def test_a_stock_peer_notices_that_the_leg_closed(
    stock: RTCPeerConnection, endpoint: WebRtcEndpoint
) -> None:
    stock.addTrack(ToneTrack())
    closed = asyncio.Event()

    def changed() -> None:
        if stock.connectionState == "closed":
            closed.set()

    stock.on("connectionstatechange", changed)
    leg = await dial(stock, endpoint)
    await leg.close()
    async with asyncio.timeout(PATIENCE):
        await closed.wait()


def _code(event: object) -> str | None:
    assert isinstance(event, dict)
    error = event.get("error")
    return error["code"] if isinstance(error, dict) else None
