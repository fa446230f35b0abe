"""One running ticker and endpoint, and callers that talk to it over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.clock import Clock, SystemClock
from edge.media.ticker import Ticker
from edge.transport.webrtc.caller import CallerPeer
from edge.transport.webrtc.endpoint import WebRtcEndpoint
from edge.transport.webrtc.leg import WebRtcLeg
from tests.edge.transport.rtp.ears import Ear, Inbox
from tests.fakes.clock import FakeClock

LOOPBACK = "127.0.0.1"


@pytest.fixture
async def ticker() -> AsyncIterator[Ticker]:
    ticker = Ticker()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(ticker.run())
        yield ticker
        running.cancel()


@pytest.fixture
async def endpoint(ticker: Ticker) -> AsyncIterator[WebRtcEndpoint]:
    endpoint = WebRtcEndpoint(host=LOOPBACK, port=0, ticker=ticker, clock=SystemClock())
    await endpoint.start()
    yield endpoint
    await endpoint.close()


@pytest.fixture
async def ticking(ticker: Ticker) -> AsyncIterator[FakeClock]:
    """A clock that stands still while this process may not run: what would be silence by any other
    is not heard, and so no claim about sound depends on the machine."""
    clock = FakeClock()
    end = ticker.subscribe(lambda: clock.advance(0.02))
    yield clock
    end()


@pytest.fixture
async def steady(ticker: Ticker, ticking: FakeClock) -> AsyncIterator[WebRtcEndpoint]:
    """An endpoint that goes by it."""
    endpoint = WebRtcEndpoint(host=LOOPBACK, port=0, ticker=ticker, clock=ticking)
    await endpoint.start()
    yield endpoint
    await endpoint.close()


class Call:
    """A caller and the leg that answered it, with what each of them hears."""

    def __init__(self, caller: CallerPeer, leg: WebRtcLeg) -> None:
        self.caller = caller
        self.leg = leg
        self.edge_hears = Ear(16_000)
        self.caller_hears = Ear(24_000)
        self.edge_inbox = Inbox()
        self.caller_inbox = Inbox()
        leg.on_audio = self.edge_hears
        leg.on_message = self.edge_inbox
        caller.on_audio = lambda frame, at: self.caller_hears(frame)
        caller.on_message = self.caller_inbox

    async def connect(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.leg.connected())
            group.create_task(self.caller.connected())

    async def close(self) -> None:
        await self.caller.close()
        await self.leg.close()


@asynccontextmanager
async def call(
    endpoint: WebRtcEndpoint,
    ticker: Ticker,
    *,
    clock: Clock | None = None,
    port: int | None = None,
    **settings: object,
) -> AsyncIterator[Call]:
    """A connected call; ``port`` replaces the one in the answer, to go through a relay."""
    caller = CallerPeer(
        ticker=ticker,
        clock=clock or SystemClock(),
        host=LOOPBACK,
        **settings,  # type: ignore[arg-type]
    )
    leg, answer = await endpoint.answer(await caller.offer())
    if port is not None:
        answer = answer.replace(f"{LOOPBACK} {endpoint.port} typ", f"{LOOPBACK} {port} typ")
    await caller.accept(answer)
    both = Call(caller, leg)
    try:
        await both.connect()
        yield both
    finally:
        await both.close()
