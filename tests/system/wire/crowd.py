"""Callers who stay: ``python -m tests.system.wire.crowd CONTROL-PLANE COUNTRY COUNT``.

Says ``{"regions": […]}`` when all are connected and have asked something. They stay connected, in
silence, until standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp

from edge.clock import SystemClock
from edge.media.ticker import Ticker
from inland.caller.dialler import Dialler, Place
from inland.caller.errors import UnreachableError
from inland.caller.network import HttpNetwork
from inland.caller.options import AGENT, DEMO_KEY
from inland.caller.session import running
from inland.caller.webrtc import WebRtcPeer
from tests.system.line import Line
from tests.system.wire.site import SPOKEN

AT_ONCE = 5
"""Calls that are set up side by side."""


async def crowd(control_plane: str, country: str, count: int) -> None:
    """Connect, ask, stay, hang up."""
    ticker = Ticker()
    gate = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession() as http, running(ticker):
        network = HttpNetwork(http, control_plane, DEMO_KEY)
        dialler = Dialler(network, WebRtcPeer, ticker, SystemClock(), "pcmu")

        async def one() -> tuple[str, Line]:
            async with gate:
                while True:
                    route = await network.route(AGENT, country)
                    line = Line()
                    try:
                        await dialler.dial(Place.of(route.candidates[0]), route.token, line.attach)
                    except UnreachableError:
                        continue  # a busy machine did not answer in time; whoever waits has a bound
                    line.type(SPOKEN)
                    await line.audio()
                    return route.candidates[0].region, line

        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(one()) for _ in range(count)]
        lines = [call.result() for call in calls]
        sys.stdout.write(json.dumps({"regions": [region for region, _ in lines]}) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        for _, line in lines:
            assert line.leg is not None
            await line.leg.hang_up(network)
            await line.close()


if __name__ == "__main__":
    asyncio.run(crowd(sys.argv[1], sys.argv[2], int(sys.argv[3])))
