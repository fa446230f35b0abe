"""All callers of the media benches in one process.

``python -m inland.bench.callers``: order ``{"url": …, "speech": file}``; questions ``connect`` with
``calls``, ``begin``, ``end``, ``report`` and ``hang_up``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable

import aiohttp
from aiortc import RTCCertificate

from edge.clock import SystemClock
from edge.leg import LegError
from edge.media.ticker import Ticker
from edge.transport.webrtc.errors import OfferError
from inland.bench import child
from inland.bench.errors import BenchError
from inland.bench.gaps import gaps_of
from inland.bench.light_caller import LightCaller
from inland.bench.speech import opus_packets
from inland.caller.meter import percentile

AT_ONCE = 4
"""Callers who are connecting at one time; a handshake costs 10 ms of CPU and more."""


class Callers:
    """Dials, and counts."""

    def __init__(
        self, url: str, packets: list[bytes], http: aiohttp.ClientSession, ticker: Ticker
    ) -> None:
        self._url = url
        self._packets = packets
        self._http = http
        self._ticker = ticker
        self._callers: list[LightCaller] = []
        self._silences: list[Callable[[], None]] = []
        self._certificate = RTCCertificate.generateCertificate()
        self._began = 0.0
        self._late = 0
        self._counted: child.Json = {}
        self._gaps: list[list[float]] = []

    async def respond(self, question: child.Json) -> child.Json:
        """See the module."""
        match question["ask"]:
            case "connect":
                return await self._connect(question["calls"])
            case "begin":
                for caller in self._callers:
                    caller.begin()
                self._began, self._late = time.monotonic(), self._ticker.late
                return {}
            case "end":
                return self._end()
            case "report":
                return self._report()
            case _:
                await self.close()
                return {}

    async def _connect(self, calls: int) -> child.Json:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> float:
            async with turn:
                return await self._dial(number)

        try:
            async with asyncio.TaskGroup() as group:
                dialling = [group.create_task(one(number)) for number in range(calls)]
        except* (
            BenchError,
            LegError,
            OfferError,
            aiohttp.ClientError,
            TimeoutError,
        ) as errors:
            raise BenchError(f"a call did not come about: {errors.exceptions[0]}") from None
        return {"connect_ms": percentile([task.result() * 1000 for task in dialling], 0.5)}

    async def _dial(self, number: int) -> float:
        began = time.monotonic()
        caller = LightCaller(self._packets, 37 * number, SystemClock())
        self._callers.append(caller)
        offer = await caller.offer(self._certificate)
        async with self._http.post(f"{self._url}/offer", data=offer) as response:
            if response.status != 200:
                raise BenchError(f"the server answered an offer with {response.status}")
            answer = await response.text()
        await caller.connected(answer)
        self._silences.append(self._ticker.subscribe(caller.tick))
        return time.monotonic() - began

    def _end(self) -> child.Json:
        """Stop counting; what was counted is asked for when nothing else is measured any more."""
        callers = self._callers
        self._gaps = [list(caller.gaps) for caller in callers]
        self._counted = {
            "seconds": time.monotonic() - self._began,
            "sent": sum(caller.sent for caller in callers),
            "received": sum(caller.received for caller in callers),
            "lost": sum(caller.lost for caller in callers),
            "late_ticks": self._ticker.late - self._late,
        }
        return {}

    def _report(self) -> child.Json:
        gaps = gaps_of(self._gaps)
        return {**self._counted, "gaps": dataclasses.asdict(gaps) if gaps else None}

    async def close(self) -> None:
        """Hang up every call."""
        callers, self._callers = self._callers, []
        for silence in self._silences:
            silence()
        self._silences.clear()
        await asyncio.gather(*(caller.close() for caller in callers))


async def serve(order: child.Json) -> None:
    """Call until standard input ends."""
    packets = await asyncio.to_thread(opus_packets, order["speech"])
    ticker = Ticker()
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        ticking = group.create_task(ticker.run())
        callers = Callers(order["url"], packets, http, ticker)
        child.answer({"packets": len(packets)})
        try:
            await child.serve_questions(callers.respond)
        finally:
            await callers.close()
            ticking.cancel()


if __name__ == "__main__":
    asyncio.run(serve(child.read_order()))
