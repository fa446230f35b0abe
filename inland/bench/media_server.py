"""The media path alone: our endpoint, every packet decoded, a frame encoded and sent each 20 ms.

``python -m inland.bench.media_server``: order ``{"speech": file}``, answer ``{"url": …}``; the
questions ``begin`` and ``end`` enclose the measured window, ``report`` asks what happened in it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time

from aiohttp import web

from edge.clock import SystemClock
from edge.leg import LegError
from edge.media.frames import Samples
from edge.media.playout import Mark
from edge.media.ticker import Ticker
from edge.transport.webrtc.endpoint import WebRtcEndpoint
from edge.transport.webrtc.leg import WebRtcLeg
from inland.bench import child
from inland.bench.gaps import gaps_of
from inland.bench.serving import HOST, listening
from inland.bench.speech import AGENT_RATE, load

CHUNK_FRAMES = 25
"""Frames pushed at once: half a second, as a voice makes audio ahead of its playout."""


class Line:
    """One call that listens to everything and never stops speaking."""

    def __init__(self, leg: WebRtcLeg, speech: Samples, start: int) -> None:
        self.leg = leg
        self.frames = 0
        self.gaps: list[float] = []
        self._speech = speech
        frame = leg.playout.frame
        self._chunk = frame * CHUNK_FRAMES
        self._position = start % (len(speech) // self._chunk) * self._chunk
        self._marks = tuple(Mark(frame * (number + 1), "") for number in range(CHUNK_FRAMES))
        self._last: float | None = None
        leg.on_audio = self._heard
        leg.playout.on_mark = self._leaves
        self._speak()

    def begin(self) -> None:
        """Count from now on."""
        self.frames = 0
        self.gaps.clear()
        self._last = None

    def _heard(self, frame: Samples) -> None:
        self.frames += 1

    def _leaves(self, _: str) -> None:
        """A frame was taken from the playout; it is encoded and sent next."""
        now = time.perf_counter()
        if self._last is not None:
            self.gaps.append(now - self._last)
        self._last = now
        if self.leg.playout.queued < self._chunk:
            self._speak()

    def _speak(self) -> None:
        end = self._position + self._chunk
        self.leg.playout.push(self._speech[self._position : end], self._marks)
        self._position = end if end + self._chunk <= len(self._speech) else 0


class MediaServer:
    """Answers offers and keeps their lines."""

    def __init__(
        self,
        endpoint: WebRtcEndpoint,
        ticker: Ticker,
        speech: Samples,
        group: asyncio.TaskGroup,
    ) -> None:
        self._endpoint = endpoint
        self._ticker = ticker
        self._speech = speech
        self._group = group
        self._lines: dict[Line, None] = {}
        self._began = (0.0, 0)
        self._answered = 0
        self._counted: child.Json = {}
        self._gaps: list[list[float]] = []

    async def offer(self, request: web.Request) -> web.Response:
        """``POST /offer``: SDP in, SDP out."""
        leg, answer = await self._endpoint.answer(await request.text())
        self._answered += 1
        line = Line(leg, self._speech, self._answered)
        self._group.create_task(self._serve(line))
        return web.Response(text=answer, content_type="application/sdp")

    async def _serve(self, line: Line) -> None:
        try:
            await line.leg.connected()
            self._lines[line] = None
            await line.leg.closed()
        except LegError:
            return  # the caller notices, too, and says so
        finally:
            self._lines.pop(line, None)
            await line.leg.close()

    async def respond(self, question: child.Json) -> child.Json:
        """``begin``, ``end`` and ``report``; what takes time waits for the last."""
        match question["ask"]:
            case "begin":
                for line in self._lines:
                    line.begin()
                self._began = (time.monotonic(), self._ticker.late)
                return {}
            case "end":
                began, late = self._began
                self._gaps = [list(line.gaps) for line in self._lines]
                self._counted = {
                    "frames": sum(line.frames for line in self._lines),
                    "seconds": time.monotonic() - began,
                    "late_ticks": self._ticker.late - late,
                }
                return {}
            case _:
                gaps = gaps_of(self._gaps)
                return {**self._counted, "gaps": dataclasses.asdict(gaps) if gaps else None}


async def serve(order: child.Json) -> None:
    """Serve until standard input ends."""
    ticker = Ticker()
    endpoint = WebRtcEndpoint(host=HOST, port=0, ticker=ticker, clock=SystemClock())
    await endpoint.start()
    try:
        async with asyncio.TaskGroup() as group:
            server = MediaServer(endpoint, ticker, load(order["speech"], AGENT_RATE), group)
            ticking = group.create_task(ticker.run())
            async with listening({"/offer": server.offer}) as url:
                child.answer({"url": url})
                await child.serve_questions(server.respond)
            await endpoint.close()
            ticking.cancel()
    finally:
        await endpoint.close()


if __name__ == "__main__":
    asyncio.run(serve(child.read_order()))
