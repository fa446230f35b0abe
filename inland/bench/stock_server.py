"""The same work done with stock aiortc, as its examples do it.

Each call is an ``RTCPeerConnection``: what comes in is read by ``track.recv()`` and resampled to
16 kHz mono with PyAV, what goes out is a ``MediaStreamTrack`` that yields 24 kHz mono frames of
20 ms. Order, questions and answers are those of :mod:`inland.bench.media_server`.
"""

from __future__ import annotations

import asyncio
import fractions
import time

import aioice.ice
import av
import numpy as np
from aiohttp import web
from aiortc import (
    MediaStreamError,
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)

from edge.media.frames import FRAME_MS, LISTEN_FRAME, LISTEN_RATE, Samples, frame_samples
from inland.bench import child
from inland.bench.serving import HOST, listening
from inland.bench.speech import AGENT_RATE, load

FRAME = frame_samples(AGENT_RATE)


class SpeechTrack(MediaStreamTrack):
    """Speech without an end, 20 ms at a time, paced by the loop's clock."""

    kind = "audio"

    def __init__(self, speech: Samples, start: int) -> None:
        super().__init__()
        self._speech = speech
        self._start = start
        self._number = 0
        self._began: float | None = None

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = loop.time()
        due = self._began + self._number * FRAME_MS / 1000
        await asyncio.sleep(max(0.0, due - loop.time()))
        position = (self._start + self._number) * FRAME % len(self._speech)
        samples = self._speech[position : position + FRAME].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = AGENT_RATE, self._number * FRAME
        frame.time_base = fractions.Fraction(1, AGENT_RATE)
        self._number += 1
        return frame


class StockServer:
    """Answers offers and keeps their connections."""

    def __init__(self, speech: Samples, group: asyncio.TaskGroup) -> None:
        self._speech = speech
        self._group = group
        self._peers: list[RTCPeerConnection] = []
        self._samples = 0
        self._began = (0.0, 0)
        self._counted: child.Json = {}

    async def offer(self, request: web.Request) -> web.Response:
        """``POST /offer``: SDP in, SDP out."""
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTrack(SpeechTrack(self._speech, 25 * len(self._peers)))
        self._peers.append(peer)

        def on_track(track: MediaStreamTrack) -> None:
            self._group.create_task(self._listen(track))

        peer.on("track", on_track)
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return web.Response(text=peer.localDescription.sdp, content_type="application/sdp")

    async def _listen(self, track: MediaStreamTrack) -> None:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=LISTEN_RATE)
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                for piece in resampler.resample(frame):
                    self._samples += np.shape(piece.to_ndarray())[1]
        except MediaStreamError:
            return

    async def respond(self, question: child.Json) -> child.Json:
        """``begin``, ``end`` and ``report``; a stock sender tells nothing about its gaps."""
        if question["ask"] == "begin":
            self._began = (time.monotonic(), self._samples)
        elif question["ask"] == "end":
            began, samples = self._began
            self._counted = {
                "frames": (self._samples - samples) // LISTEN_FRAME,
                "seconds": time.monotonic() - began,
                "gaps": None,
                "late_ticks": None,
            }
        return self._counted

    async def close(self) -> None:
        """End every connection; their tracks end with them."""
        for peer in self._peers:
            await peer.close()


async def serve(order: child.Json) -> None:
    """Serve until standard input ends."""
    # aioice leaves loopback out of its candidates; everything of a bench stays there.
    aioice.ice.get_host_addresses = lambda **_: [HOST]
    async with asyncio.TaskGroup() as group:
        server = StockServer(load(order["speech"], AGENT_RATE), group)
        async with listening({"/offer": server.offer}) as url:
            child.answer({"url": url})
            await child.serve_questions(server.respond)
        await server.close()


if __name__ == "__main__":
    asyncio.run(serve(child.read_order()))
