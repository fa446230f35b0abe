"""An edge that talks by a plan, its network and its time: for tests of a caller, without sockets.

Everything happens in virtual time: :class:`VirtualTicker` moves the clock by 20 ms a tick, as fast
as the loop turns.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from control_plane.contract import Candidate, RegionVerdict, RouteResponse
from edge.clock import Clock
from edge.events import JsonValue
from edge.leg import LegError
from edge.media.frames import Samples
from edge.media.playout import Playout
from edge.media.ticker import Ticker
from inland.caller.errors import CallerError, ServiceError, UnreachableError
from inland.caller.meter import audible
from inland.caller.network import Answer
from inland.caller.options import Codec
from inland.caller.peer import Peer, PeerStats

RATE = 24_000
FRAME = 480
SESSION = "s_0123456789abcdefghijkl"
END_OF_TURN_FRAMES = 15
THINK_FRAMES = 5


class VirtualClock:
    """Time that only a ticker moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_790_000_000.0 + self.now


class VirtualTicker(Ticker):
    """A tick is 20 ms of virtual time and one turn of the loop."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock = clock

    async def run(self) -> None:
        while True:
            self.clock.now += 0.02
            for phase in self._phases:
                for tick in list(phase):
                    tick()
            await asyncio.sleep(0)


def tone(seconds: float, level: int = 8000) -> Samples:
    """An audible hum."""
    count = round(seconds * RATE)
    wave = level * np.sin(2 * np.pi * 440 * np.arange(count) / RATE)
    return wave.astype(np.int16)


@dataclass
class ToneVoice:
    """Speaks 0.1 s for each word."""

    name: str = "tone"
    note: str | None = None
    spoken: list[str] = field(default_factory=list)
    closed: bool = False

    async def speak(self, text: str) -> Samples:
        self.spoken.append(text)
        return tone(0.1 * len(text.split()))

    async def close(self) -> None:
        self.closed = True


@dataclass(frozen=True)
class Reply:
    """One answer of the planned agent. ``hears`` is what the edge claims the caller said before."""

    text: str
    seconds: float = 1.0
    hears: str = "yes"
    understood: bool = True
    tool: tuple[str, Mapping[str, JsonValue]] | None = None
    ends: str | None = None
    """Ends the call with this reason after the answer."""


class TalkingEdge:
    """One edge. Its plan (the first reply is the greeting) is shared with its siblings.

    ``die`` makes it silent without a word; ``refuses`` answers every offer with an error.
    """

    def __init__(self, plan: list[Reply], *, node: str = "eu-central-1-a", world: World) -> None:
        self.plan = plan
        self.node = node
        self.region = node.rsplit("-", 1)[0]
        self.url = f"http://{node}"
        self.world = world
        self.refuses: CallerError | None = None
        self.dead = False
        self.mute_media = False
        self.call: EdgeCall | None = None

    def die(self) -> None:
        self.dead = True

    def answer(self, peer: FakePeer, *, resumed: bool) -> None:
        EdgeCall(self, peer, resumed=resumed)


class EdgeCall:
    """The far end of one leg; ``tick`` runs once per 20 ms."""

    def __init__(self, edge: TalkingEdge, peer: FakePeer, *, resumed: bool) -> None:
        self.edge = edge
        self.peer = peer
        self.over = False
        self._speaking: list[Samples] = []
        self._reply: Reply | None = None
        self._response = 0
        self._loud = False
        self._quiet = 0
        self._think = 0
        self._due: Reply | None = None
        self._ticks = 0
        self._replica = 0
        self.carries = False
        edge.call = self
        edge.world.region = edge.region
        self._created(resumed)
        world = edge.world
        if not resumed or world.owed is not None:
            self._think, self._due = THINK_FRAMES, world.owed or self._next()

    def _next(self) -> Reply | None:
        world = self.edge.world
        if world.position >= len(self.edge.plan):
            return None
        world.position += 1
        world.owed = self.edge.plan[world.position - 1]
        return world.owed

    def _created(self, resumed: bool) -> None:
        world = self.edge.world
        turns: list[JsonValue] = [
            {"number": number, "caller": caller, "agent": agent}
            for number, (caller, agent) in enumerate(world.turns, start=1)
        ]
        self.emit(
            "session.created",
            session={"id": SESSION, "type": "realtime", "agent": "x", "language": "en"},
            inland={
                "call_id": f"c_{self.edge.node}",
                "region": self.edge.region,
                "node": self.edge.node,
                "policy": "1#ab",
                "jurisdictions": ["eea"],
                "resume_token": "resume-1",
                "resume_expires_at": 1_790_000_600,
                "resumed": resumed,
                "turns": turns,
                **({"carry": 1} if world.carried_to else {}),
            },
        )
        self.emit("inland.state", state="listening", step="x", expects="x")

    def replicate(self) -> None:
        """Give the caller the conversation, in two parts."""
        world = self.edge.world
        if not self.carries:
            return
        self._replica += 1
        text = f"{self.edge.region}:{len(world.turns)}"
        for part, data in enumerate((text[:4], text[4:]), start=1):
            self.emit(
                "inland.replica",
                number=self._replica, turn=len(world.turns), regions=list(world.carried_to),
                part=part, parts=2, data=data,
            )  # fmt: skip

    def move(self) -> None:
        """Send the caller to another region."""
        self.replicate()
        self.emit("inland.call.move", number=self._replica, reason="policy")

    def emit(self, kind: str, **fields: JsonValue) -> None:
        self.peer.receive({"type": kind, "event_id": "event_1", **fields})

    def tick(self) -> None:
        if self.edge.dead or self.over:
            return
        self._ticks += 1
        if self._ticks % 50 == 0:
            self.emit("inland.alive")
        self._listen()
        if self._think:
            self._think -= 1
            if not self._think and self._due is not None:
                self._begin(self._due)
        elif self._speaking:
            self.peer.hear(self._speaking.pop(0))
            if not self._speaking:
                self._done("completed")

    def _listen(self) -> None:
        frame = self.peer.playout.pull()
        loud = frame is not None and audible(frame)
        if loud and not self._loud:
            self._loud = True
            if self._speaking:
                self._speaking.clear()
                self._done("cancelled")
            self.emit("inland.state", state="hearing", step="x", expects="x")
        self._quiet = 0 if loud else self._quiet + 1
        if self._loud and self._quiet >= END_OF_TURN_FRAMES:
            self._loud = False
            self.understand(None)

    def understand(self, typed: str | None) -> None:
        reply = self._next()
        if reply is None:
            return
        text = typed if typed is not None else reply.hears
        self.emit("inland.transcript.partial", item_id="i", text=text)
        self.emit(
            "conversation.item.input_audio_transcription.completed",
            item_id="i",
            transcript=text,
            understood=reply.understood,
        )
        self.edge.world.turns.append((text, ""))
        self.emit("inland.state", state="thinking", step="x", expects="x")
        self._think, self._due = THINK_FRAMES, reply

    def _begin(self, reply: Reply) -> None:
        self._due, self._reply = None, reply
        self._response += 1
        name = f"r{self._response}"
        self.emit("response.created", response={"id": name, "status": "in_progress"})
        if reply.tool is not None:
            tool, arguments = reply.tool
            self.emit(
                "response.function_call_arguments.done",
                response_id=name, call_id="t1", name=tool, arguments=json.dumps(arguments),
            )  # fmt: skip
            self.emit("inland.tool.result", call_id="t1", name=tool, ok=True, output={"ok": 1})
        self.emit("inland.state", state="speaking", step="x", expects="x")
        self.emit(
            "inland.turn.timings",
            turn=self._response, endpoint=300.0, recognise=4.0, think=2.0, voice=30.0,
            playout=20.0, total=356.0,
        )  # fmt: skip
        self.emit("response.output_audio_transcript.delta", response_id=name, delta=reply.text)
        sound = tone(reply.seconds)
        self._speaking = [sound[i : i + FRAME] for i in range(0, len(sound), FRAME)]

    def _done(self, status: str) -> None:
        reply, name = self._reply, f"r{self._response}"
        assert reply is not None
        self.edge.world.turns.append(("", reply.text))
        self.replicate()
        self.edge.world.owed = None
        self.emit("response.output_audio_transcript.done", response_id=name, transcript=reply.text)
        self.emit("response.done", response={"id": name, "status": status})
        if reply.ends is not None and status == "completed":
            self.end(reply.ends)
        else:
            self.emit("inland.state", state="listening", step="x", expects="x")

    def end(self, reason: str) -> None:
        self.over = True
        self.emit("inland.state", state="ended", step="x", expects="x")
        self.emit("inland.call.ended", reason=reason)


class FakePeer:
    """A leg without a network: frames and events go by function calls."""

    clock_rate = 48_000

    def __init__(self, world: World, ticker: Ticker) -> None:
        self.playout = Playout(RATE)
        self.on_audio: Callable[[Samples], None] = lambda samples: None
        self.on_message: Callable[[Mapping[str, JsonValue]], None] = lambda message: None
        self.on_packet: Callable[[float, int], None] = lambda at, timestamp: None
        self.closed = False
        self.sent: list[Mapping[str, JsonValue]] = []
        self._world = world
        self._packets = 0
        self._unsubscribe = ticker.subscribe(self._tick)
        self.edge: TalkingEdge | None = None

    async def offer(self) -> str:
        return f"offer {self._world.peers.index(self)}"

    async def accept(self, answer: str) -> None:
        node, _, resumed = answer.partition(" ")
        self.edge = self._world.edges[f"http://{node}"]
        if not self.edge.mute_media:
            self.edge.answer(self, resumed=resumed == "resumed")

    async def connected(self) -> None:
        if self.edge is None or self.edge.mute_media:
            raise LegError("no media")

    def send(self, event: Mapping[str, JsonValue]) -> None:
        self.sent.append(event)
        call = self.edge.call if self.edge is not None else None
        match event:
            case {"type": "conversation.item.create", "item": {"content": [{"text": str(text)}]}}:
                assert call is not None
                call.understand(text)
            case {"type": "inland.carry"}:
                assert call is not None
                call.carries = True
                call.replicate()

    def stats(self) -> PeerStats:
        return PeerStats(self._packets, 0)

    async def close(self) -> None:
        self.closed = True
        self._unsubscribe()

    def receive(self, message: Mapping[str, JsonValue]) -> None:
        if not self.closed:
            self.on_message(message)

    def hear(self, samples: Samples) -> None:
        self._packets += 1
        self.on_packet(self._world.clock.now, self._packets * 960)
        self.on_audio(samples)

    def _tick(self) -> None:
        call = self.edge.call if self.edge is not None else None
        if call is not None and call.peer is self:
            call.tick()


class World:
    """A control plane and its edges, as a :class:`inland.caller.network.Network`."""

    def __init__(self, plan: list[Reply], nodes: tuple[str, ...] = ("eu-central-1-a",)) -> None:
        self.clock = VirtualClock()
        self.ticker = VirtualTicker(self.clock)
        self.turns: list[tuple[str, str]] = []
        self.position = 0
        self.owed: Reply | None = None
        """An answer that was not heard to its end: a resumed call begins with it."""
        self.edges = {
            edge.url: edge for edge in (TalkingEdge(plan, node=node, world=self) for node in nodes)
        }
        self.peers: list[FakePeer] = []
        self.refusal: CallerError | None = None
        self.routes = 0
        self.offers: list[tuple[str, str]] = []
        self.carried_to: tuple[str, ...] = ()
        """Regions that replicas are for; none: nothing is carried."""
        self.region = ""
        """Where the session is."""
        self.replicas: list[tuple[str, str]] = []
        """Where which replica was brought."""
        self.spent: CallerError | None = None
        """What is answered to a replica."""
        self.hung_up: list[str] = []

    @property
    def edge(self) -> TalkingEdge:
        """The first edge."""
        return next(iter(self.edges.values()))

    def peer(self, codec: Codec, ticker: Ticker, clock: Clock) -> Peer:
        peer = FakePeer(self, ticker)
        self.peers.append(peer)
        return peer

    async def route(self, agent: str, country: str | None) -> RouteResponse:
        self.routes += 1
        if self.refusal is not None:
            raise self.refusal
        return RouteResponse(
            session_id=SESSION,
            token="route-1",
            expires_at=1_790_000_060,
            policy="1#ab",
            jurisdictions=("eea",),
            candidates=tuple(
                Candidate(region=e.region, node=e.node, url=e.url, reason="nearest, 310 km")
                for e in self.edges.values()
            ),
            regions=(
                RegionVerdict(region="eu-central-1", allowed=True, reason="in the EEA"),
                RegionVerdict(region="ap-south-1", allowed=False, reason="outside the EEA"),
            ),
        )

    async def offer(self, edge: str, token: str, sdp: str, replica: str | None = None) -> Answer:
        self.offers.append((edge, token))
        target = self.edges.get(edge)
        if target is None or target.dead:
            raise UnreachableError(f"the edge at {edge} cannot be reached")
        if target.refuses is not None:
            raise target.refuses
        resumed = token.startswith("resume")
        if replica is not None:
            self.replicas.append((target.node, replica))
            if self.spent is not None:
                raise self.spent
            assert not resumed
            return Answer(f"{target.node} resumed", f"{edge}/calls/1")
        if resumed and self.carried_to and target.region != self.region:
            raise ServiceError("the edge", 401, "bad_token", "not a token of this region")
        if not resumed and token != "route-1":
            raise ServiceError("the edge", 401, "bad_token", "not a token of ours")
        return Answer(f"{target.node} {'resumed' if resumed else 'new'}", f"{edge}/calls/1")

    async def hang_up(self, answer: Answer, token: str) -> None:
        self.hung_up.append(answer.resource)

    async def drill(self, answer: Answer, resume_token: str) -> None:
        assert resume_token == "resume-1"
        self.edges[answer.resource.removesuffix("/calls/1")].die()
