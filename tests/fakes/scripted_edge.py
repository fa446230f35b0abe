"""An edge that does what a test says, and a control plane that answers what a test says.

Built on stock aiortc and docs/protocol.md, with none of the product's code but its wire types, so
that clients are tested against the protocol and not against our own server. A test takes each call
from :meth:`ScriptedEdge.next_call` and plays the agent by hand, step by step.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from fractions import Fraction
from typing import Any

import aioice.ice
import numpy as np
from aiohttp import web
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import AudioFrame

from control_plane.contract import Candidate, Problem, RegionVerdict, RouteResponse

RATE = 48_000
BLOCK = RATE // 50
BEAT = 0.25
"""Seconds between heartbeats: the protocol's are four times as long."""
HANG_SECONDS = 60.0
"""When a wait for the client counts as a hang."""
JURISDICTIONS = ("eea",)
POLICY = "2026-11-21.1#ab12cd34ef56"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type, if-match",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Retry-After",
}


def stay_on_loopback() -> Callable[[], None]:
    """Offer 127.0.0.1 as the only ICE candidate; returns the way back."""
    before = aioice.ice.get_host_addresses
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

    def restore() -> None:
        aioice.ice.get_host_addresses = before

    return restore


class ToneTrack(MediaStreamTrack):
    """The agent's voice: a 440 Hz tone while ``speaking``, and no packet at all otherwise."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.speaking = asyncio.Event()
        self._samples = 0
        self._due = 0.0
        self._left = asyncio.Event()

    async def speaks(self, frames: int) -> None:
        """Returns when that many more frames of 20 ms have left."""
        target = self._samples + frames * BLOCK
        async with asyncio.timeout(HANG_SECONDS):
            while self._samples < target:
                self._left.clear()
                await self._left.wait()

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        if not self.speaking.is_set():
            await self.speaking.wait()
            self._due = loop.time()
        await asyncio.sleep(max(0.0, self._due - loop.time()))
        self._due += 0.02
        at = np.arange(self._samples, self._samples + BLOCK) / RATE
        tone = (np.sin(2 * np.pi * 440 * at) * 6000).astype(np.int16)
        frame = AudioFrame.from_ndarray(tone.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._samples, Fraction(1, RATE)
        self._samples += BLOCK
        self._left.set()
        return frame


class ScriptedCall:
    """One leg that a client opened. ``bearer`` is what it showed; ``offer`` what it sent, and
    ``replica`` the conversation that it brought, if any."""

    def __init__(self, call_id: str, bearer: str, offer: str, replica: str | None) -> None:
        self.id, self.bearer, self.offer, self.replica = call_id, bearer, offer, replica
        self.resume_token = f"r_{call_id}"
        self.voice = ToneTrack()
        self.deleted = asyncio.Event()
        self.drilled = asyncio.Event()
        self.received: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.beats: asyncio.Queue[None] = asyncio.Queue()
        """One for each heartbeat sent."""
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channel: Any = None
        self._open = asyncio.Event()
        self._dead = False
        self._numbers = iter(range(1, 1_000_000))
        self._peer.on("datachannel", self._adopt)
        self._peer.on("track", self._listen)

    @property
    def goes_on(self) -> bool:
        """Whether the client goes on with a conversation."""
        return self.bearer.startswith("r_") or self.replica is not None

    def replicate(self, number: int, *regions: str) -> None:
        """Give the client the conversation, in two parts."""
        for part in (1, 2):
            self.send(
                "inland.replica",
                number=number, turn=number, regions=regions, part=part, parts=2,
                data=f"sealed {number}.{part};",
            )  # fmt: skip

    def _adopt(self, channel: Any) -> None:
        self._channel = channel
        channel.on("message", lambda data: self.received.put_nowait(json.loads(data)))
        self._open.set()

    def _listen(self, track: MediaStreamTrack) -> None:
        self.their_track = track

    async def answer(self) -> str:
        """The SDP answer. Browsers hide their addresses behind names that resolve nowhere here,
        so the candidates are dropped and the first check tells the address."""
        offer = RTCSessionDescription(without_candidates(self.offer), "offer")
        await self._peer.setRemoteDescription(offer)
        self._peer.addTrack(self.voice)
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        return str(self._peer.localDescription.sdp)

    def send(self, kind: str, **fields: object) -> None:
        """Send one event; silently nothing once the edge is dead."""
        if not self._dead and self._channel is not None and self._channel.readyState == "open":
            event = {"type": kind, "event_id": f"e{next(self._numbers)}", **fields}
            self._channel.send(json.dumps(event))

    async def opened(self) -> None:
        """Returns when the event channel is open."""
        await asyncio.wait_for(self._open.wait(), HANG_SECONDS)

    async def next_event(self, kind: str) -> Mapping[str, Any]:
        """The next event of the client, which must be a ``kind``."""
        event = await asyncio.wait_for(self.received.get(), HANG_SECONDS)
        assert event["type"] == kind, event
        return event

    async def caller_audio(self) -> None:
        """Returns when the caller's audio arrives."""
        await asyncio.wait_for(self.their_track.recv(), HANG_SECONDS)

    # --- the agent, played by hand -----------------------------------------------------------

    def state(self, state: str, **more: object) -> None:
        self.send("inland.state", state=state, **more)

    def partial(self, item: str, text: str) -> None:
        self.send("inland.transcript.partial", item_id=item, text=text)

    def final(self, item: str, text: str, understood: bool = True) -> None:
        self.send(
            "conversation.item.input_audio_transcription.completed",
            item_id=item,
            transcript=text,
            understood=understood,
        )

    def begin(self, response: str) -> None:
        self.send("response.created", response={"id": response, "status": "in_progress"})
        self.send("output_audio_buffer.started", response_id=response)
        self.voice.speaking.set()

    def words(self, response: str, delta: str) -> None:
        self.send(
            "response.output_audio_transcript.delta",
            response_id=response,
            item_id=f"i_{response}",
            delta=delta,
        )

    def finish(self, response: str, heard: str, status: str = "completed") -> None:
        """The answer is over; ``heard`` is what the caller got of it."""
        self.voice.speaking.clear()
        end = "stopped" if status == "completed" else "cleared"
        self.send(f"output_audio_buffer.{end}", response_id=response)
        self.send(
            "response.output_audio_transcript.done",
            response_id=response,
            item_id=f"i_{response}",
            transcript=heard,
        )
        self.send("response.done", response={"id": response, "status": status})

    def say(self, response: str, text: str) -> None:
        """A whole answer, word by word."""
        self.begin(response)
        for index, word in enumerate(text.split(" ")):
            self.words(response, word if index == 0 else f" {word}")
        self.finish(response, text)

    def timings(self, turn: int, *stages: float) -> None:
        names = ("endpoint", "recognise", "think", "voice", "playout")
        figures = dict(zip(names, stages, strict=True))
        self.send("inland.turn.timings", turn=turn, **figures, total=sum(stages))

    def call_tool(self, call_id: str, name: str, arguments: Mapping[str, object]) -> None:
        self.send(
            "response.function_call_arguments.done",
            response_id="r",
            call_id=call_id,
            name=name,
            arguments=json.dumps(arguments),
        )

    def tool_result(self, call_id: str, name: str, ok: bool, output: object) -> None:
        self.send("inland.tool.result", call_id=call_id, name=name, ok=ok, output=output)

    # --- its end -----------------------------------------------------------------------------

    async def die(self) -> None:
        """Fall silent as a killed process does: no goodbye on any layer."""
        self._dead = True
        transport = self._peer.getSenders()[0].transport.transport
        await transport._connection.close()

    async def close(self) -> None:
        self._dead = True
        self.voice.stop()
        await self._peer.close()


class ScriptedEdge:
    """A node on a loopback port of its own. Enter it, then take calls from :meth:`next_call`."""

    def __init__(self, region: str = "eu-central-1", node: str = "eu-central-1-a") -> None:
        self.region, self.node = region, node
        self.url = ""
        self.refuse_with: Problem | None = None
        self.turns: list[Mapping[str, object]] = []
        """The history that a resumed caller is told."""
        self.offers = 0
        """How many offers came, refused ones included."""
        self.links: tuple[str, ...] = ()
        """``Link`` headers that name its relays."""
        self.carry = False
        """Whether it offers clients to carry the conversation."""
        self.blocked = False
        """Answers as ever, and no media gets through."""
        self.receipts: list[str] = []
        self.live: Mapping[str, object] | None = None
        """What it tells of a session's data: nothing, unless there is a receipt or an account."""
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        """Tokens that asked for the relays."""
        self.hung_up: asyncio.Queue[str] = asyncio.Queue()
        """The token of each call that a client ended."""
        self._calls: dict[str, ScriptedCall] = {}
        self._taken: asyncio.Queue[ScriptedCall] = asyncio.Queue()
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> ScriptedEdge:
        await self._group.__aenter__()
        app = web.Application()
        calls = "/v1/realtime/calls"
        app.router.add_post(calls, self._post)
        app.router.add_delete(calls + "/{call}", self._delete)
        app.router.add_post(calls + "/{call}/drill", self._drill)
        app.router.add_get("/v1/sessions/{session}/receipt", self._receipt)
        app.router.add_options("/{path:.*}", self._options)
        self._runner, self.url = await serve(app)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()
        for task in self._tasks:
            task.cancel()
        for call in self._calls.values():
            await call.close()
        await self._group.__aexit__(None, None, None)

    async def stop(self) -> None:
        """Refuse connections from now on. Idempotent."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def die(self) -> None:
        """The whole node is gone: signalling and every call."""
        await self.stop()
        await self.silence()

    async def silence(self) -> None:
        """Every call dies without a goodbye; the node still answers new ones."""
        for call in self._calls.values():
            await call.die()

    async def next_call(self) -> ScriptedCall:
        """The next leg that a client opened, its channel open and greeted."""
        call = await asyncio.wait_for(self._taken.get(), HANG_SECONDS)
        await call.opened()
        return call

    @property
    def candidate(self) -> Candidate:
        return Candidate(
            region=self.region,
            node=self.node,
            url=self.url,
            reason="nearest allowed region, 310 km",
        )

    async def _post(self, request: web.Request) -> web.Response:
        self.offers += 1
        if self.refuse_with is not None:
            return problem(self.refuse_with)
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        replica = None
        if request.content_type == "multipart/form-data":
            form = await request.post()
            offer, replica = str(form["sdp"]), str(form["replica"])
        else:
            assert request.content_type == "application/sdp"
            offer = await request.text()
        call = ScriptedCall(f"c_{secrets.token_hex(4)}", bearer, offer, replica)
        self._calls[call.id] = call
        answer = await call.answer()
        if self.blocked:
            answer = without_candidates(answer)
        else:
            self._tasks.append(self._group.create_task(self._live(call)))
        headers = {"Location": f"/v1/realtime/calls/{call.id}", "ETag": f'"{call.id}"', **CORS}
        response = web.Response(
            text=answer, status=201, content_type="application/sdp", headers=headers
        )
        return self._tell_relays(response)

    async def _options(self, request: web.Request) -> web.Response:
        response = await preflight(request)
        if "Authorization" not in request.headers:
            return response
        self.asked.put_nowait(request.headers["Authorization"].removeprefix("Bearer "))
        return self._tell_relays(response)

    def _tell_relays(self, response: web.Response) -> web.Response:
        for link in self.links:
            response.headers.add("Link", link)
        return response

    async def _live(self, call: ScriptedCall) -> None:
        await call.opened()
        session_id = "s_0123456789abcdefghijkl"
        call.send(
            "session.created",
            session={
                "id": session_id,
                "type": "realtime",
                "agent": "clinic-reception",
                "language": "en",
            },
            inland={
                "call_id": call.id,
                "region": self.region,
                "node": self.node,
                "policy": POLICY,
                "jurisdictions": list(JURISDICTIONS),
                "resume_token": call.resume_token,
                "resume_expires_at": 1_790_003_600,
                "resumed": call.goes_on,
                "turns": self.turns if call.goes_on else [],
                **({"carry": 1} if self.carry else {}),
            },
        )
        self._taken.put_nowait(call)
        while True:
            await asyncio.sleep(BEAT)
            call.send("inland.alive")
            call.beats.put_nowait(None)

    async def _delete(self, request: web.Request) -> web.Response:
        call = self._calls[request.match_info["call"]]
        call.deleted.set()
        self.hung_up.put_nowait(call.bearer)
        return web.Response(headers=CORS)

    async def _receipt(self, request: web.Request) -> web.Response:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        known = bearer in {call.resume_token for call in self._calls.values()}
        if not known or not (self.receipts or self.live):
            missing = "No receipt of such a session."
            return problem(Problem(code="unknown_session", title="-", status=404, detail=missing))
        body = {"receipts": self.receipts, "keys": {"keys": []}}
        return web.json_response(body | ({"live": self.live} if self.live else {}), headers=CORS)

    async def _drill(self, request: web.Request) -> web.Response:
        call = self._calls[request.match_info["call"]]
        if request.headers.get("Authorization") != f"Bearer {call.resume_token}":
            return problem(Problem(code="bad_token", title="Bad token", status=401, detail="No."))
        await call.die()
        call.drilled.set()
        return web.Response(status=202, headers=CORS)


class ScriptedControlPlane:
    """Answers ``POST /v1/route`` with ``answer`` and keeps what was asked."""

    def __init__(self) -> None:
        self.answer: Callable[[], Problem | RouteResponse | Awaitable[RouteResponse]]
        self.asked: list[Mapping[str, Any]] = []
        self.keys: list[str] = []

    def offer(self, *edges: ScriptedEdge, verdicts: tuple[RegionVerdict, ...]) -> None:
        """Place every caller on ``edges``, in this order."""
        placed = RouteResponse(
            session_id="s_0123456789abcdefghijkl",
            token="route-token",
            expires_at=1_790_000_000,
            policy=POLICY,
            jurisdictions=JURISDICTIONS,
            candidates=tuple(edge.candidate for edge in edges),
            regions=verdicts,
        )
        self.answer = lambda: placed

    def refuse(self, refusal: Problem) -> None:
        self.answer = lambda: refusal

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/route", self._route)
        app.router.add_options("/v1/route", preflight)

    async def _route(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Authorization", "").removeprefix("Bearer "))
        self.asked.append(await request.json())
        answer = self.answer()
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Problem):
            return problem(answer)
        return web.json_response(text=answer.model_dump_json(), headers=CORS)


def without_candidates(sdp: str) -> str:
    dropped = ("a=candidate", "a=end-of-candidates")
    return "".join(f"{line}\r\n" for line in sdp.splitlines() if not line.startswith(dropped))


async def preflight(request: web.Request) -> web.Response:
    """CORS, and what RFC 9725 section 4.6 asks of OPTIONS."""
    return web.Response(status=204, headers={**CORS, "Accept-Post": "application/sdp"})


def problem(refusal: Problem) -> web.Response:
    """The error as an RFC 9457 document."""
    return web.Response(
        text=refusal.model_dump_json(),
        status=refusal.status,
        content_type="application/problem+json",
        headers=CORS,
    )


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    """Serve ``app`` on an ephemeral loopback port; returns its runner and its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"
