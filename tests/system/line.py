"""A call that a test holds by hand: its events as they come, its packets counted."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from control_plane.contract import RouteClaims
from control_plane.tokens import TokenSigner, load_or_create_key, new_session_id
from edge.clock import SystemClock
from edge.events import JsonValue
from edge.media.ticker import Ticker
from inland.caller.dialler import CallLeg, Dialler, Place
from inland.caller.network import HttpNetwork
from inland.caller.options import AGENT, DEMO_KEY
from inland.caller.session import running
from inland.caller.webrtc import WebRtcPeer
from regions.bundle import claimed
from tests.system.world import HANG_SECONDS, World

CLASSES = ("audio", "transcript", "variables")


class Line:
    """One leg. Events are kept in order; ``event`` consumes them."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self.packets = 0
        self.leg: CallLeg | None = None
        self._read = 0
        self._news = asyncio.Event()

    def attach(self, leg: CallLeg) -> asyncio.Event:
        """The dialler's wiring."""
        created = asyncio.Event()

        def on_message(message: Mapping[str, Any]) -> None:
            self.events.append(message)
            if message["type"] == "session.created":
                created.set()
            self._news.set()

        def on_packet(at: float, timestamp: int) -> None:
            self.packets += 1
            self._news.set()

        leg.peer.on_message, leg.peer.on_packet = on_message, on_packet
        self.leg = leg
        return created

    @property
    def session(self) -> Mapping[str, Any]:
        """What ``session.created`` said."""
        return next(event for event in self.events if event["type"] == "session.created")

    @property
    def resume_token(self) -> str:
        return str(self.session["inland"]["resume_token"])

    @property
    def url(self) -> str:
        """The resource that stands for the call."""
        assert self.leg is not None and self.leg.answer is not None
        return self.leg.answer.resource

    async def event(self, kind: str, seconds: float = HANG_SECONDS, **fields: object) -> Any:
        """The next event of this type with these fields; those before it are passed over."""
        async with asyncio.timeout(seconds):
            while True:
                while self._read < len(self.events):
                    found = self.events[self._read]
                    self._read += 1
                    if found["type"] == kind and fields.items() <= found.items():
                        return found
                self._news.clear()
                await self._news.wait()

    async def audio(self, seconds: float = HANG_SECONDS) -> None:
        """Returns with the next packet of the agent's voice."""
        before = self.packets
        async with asyncio.timeout(seconds):
            while self.packets == before:
                self._news.clear()
                await self._news.wait()

    async def answered(self, seconds: float = HANG_SECONDS) -> str:
        """The agent's next answer, as far as it was heard."""
        done = await self.event("response.output_audio_transcript.done", seconds)
        return str(done["transcript"])

    def type(self, words: str) -> None:
        """Say something by typing it; interrupts the agent."""
        assert self.leg is not None
        content: list[JsonValue] = [{"type": "input_text", "text": words}]
        item: dict[str, JsonValue] = {"type": "message", "role": "user", "content": content}
        self.leg.peer.send({"type": "conversation.item.create", "item": item})

    async def close(self) -> None:
        """Drop the connection without a word."""
        if self.leg is not None:
            await self.leg.close()


class Exchange:
    """Puts calls through. Lines that are still open at the end are dropped."""

    def __init__(self, world: World, http: aiohttp.ClientSession, ticker: Ticker) -> None:
        self.world = world
        self.http = http
        self.ticker = ticker
        self.network = HttpNetwork(http, world.control_plane, DEMO_KEY)
        self._dialler = Dialler(self.network, WebRtcPeer, ticker, SystemClock(), "opus")
        self._lines: list[Line] = []

    async def route(self, country: str, agent: str = AGENT) -> tuple[str, str]:
        """The first candidate's address and the route token."""
        route = await self.network.route(agent, country)
        return route.candidates[0].url, route.token

    async def call(self, country: str, agent: str = AGENT) -> Line:
        """A call from this country, placed as any caller's."""
        return await self.dial(*await self.route(country, agent))

    async def dial(self, edge: str, token: str) -> Line:
        """A call to this edge. Raises what the dialler raises."""
        line = Line()
        await self._dialler.dial(Place(edge), token, line.attach)
        self._lines.append(line)
        return line

    async def hang_up(self, line: Line) -> None:
        """End the call as a client does."""
        assert line.leg is not None
        await line.leg.hang_up(self.network)
        await line.close()
        self._lines.remove(line)

    async def drop(self, line: Line) -> None:
        """The connection is gone; the edge is not told."""
        await line.close()
        self._lines.remove(line)

    async def idle(self, region: str) -> None:
        """Returns when the region has no call."""
        await self.world.idle(region)

    def token(self, jurisdiction: str, regions: Sequence[str], **changes: object) -> str:
        """A route token signed with the control plane's own key: what it would never issue, too."""
        now = int(time.time())
        claims = RouteClaims(
            iss="inland",
            aud="inland-edge",
            sub=new_session_id(),
            jti=secrets.token_hex(8),
            iat=now,
            nbf=now,
            exp=now + 60,
            ten="demo-clinic",
            jur=(jurisdiction,),
            pol=self.policy,
            reg={name: tuple(regions) for name in CLASSES},
            agent=AGENT,
            med="webrtc",
        )
        key = load_or_create_key(self.world.data / "control-plane.key")
        return TokenSigner(key).sign(claims.model_copy(update=changes))

    @property
    def policy(self) -> str:
        """What the demo's control plane rules by: the bundle in its folder."""
        return claimed((self.world.data / "policy.bundle").read_bytes())[1].law().policy

    async def close(self) -> None:
        """Drop what is open."""
        for line in self._lines:
            await line.close()


@asynccontextmanager
async def exchange(world: World) -> AsyncIterator[Exchange]:
    """Callers for this world."""
    ticker = Ticker()
    async with aiohttp.ClientSession() as http, running(ticker):
        found = Exchange(world, http, ticker)
        try:
            yield found
        finally:
            await found.close()
