"""The caller with its real WebRTC peer, against an edge of stock aiortc on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from av import AudioFrame

from control_plane.contract import Problem, RegionVerdict
from inland.caller.errors import RefusedError
from inland.caller.options import CallOptions
from inland.caller.records import AgentSaid, CallerHeard
from inland.caller.report import CallReport
from inland.caller.script import Script, Speak, TypeIn
from inland.caller.session import HeadlessCall
from inland.caller.utterances import Utterances
from tests.fakes.scripted_edge import (
    ScriptedCall,
    ScriptedControlPlane,
    ScriptedEdge,
    serve,
    stay_on_loopback,
)
from tests.fakes.talking_edge import ToneVoice

VERDICTS = (RegionVerdict(region="eu-central-1", allowed=True, reason="in the EEA"),)


@pytest.fixture(autouse=True)
def loopback() -> Iterator[None]:
    restore = stay_on_loopback()
    yield
    restore()


@asynccontextmanager
async def control_plane() -> AsyncIterator[tuple[ScriptedControlPlane, str]]:
    plane = ScriptedControlPlane()
    app = web.Application()
    plane.routes(app)
    runner, url = await serve(app)
    try:
        yield plane, url
    finally:
        await runner.cleanup()


async def talk(options: CallOptions, script: Script) -> CallReport:
    async with HeadlessCall(options, Utterances(ToneVoice())) as call:
        return await call.run(script)


async def answer(call: ScriptedCall, name: str, text: str) -> None:
    """Speak for half a second, then listen."""
    call.state("speaking")
    call.begin(name)
    call.words(name, text)
    await call.voice.speaks(25)
    call.finish(name, text)
    call.state("listening")


async def heard(call: ScriptedCall) -> None:
    """Wait until the caller said something and fell silent again."""
    loud = quiet = 0
    while loud < 3 or quiet < 5:
        frame = await asyncio.wait_for(call.their_track.recv(), 60)
        assert isinstance(frame, AudioFrame)
        audible = bool(np.abs(frame.to_ndarray()).max() > 1000)
        loud += audible
        quiet = 0 if audible else quiet + 1


@pytest.mark.parametrize("codec", ["opus", "pcmu"])
async def test_a_call_over_real_webrtc_speaks_hears_and_measures(
    codec: str, tmp_path: Path
) -> None:
    async with control_plane() as (plane, url), ScriptedEdge() as edge:
        plane.offer(edge, verdicts=VERDICTS)
        options = CallOptions(
            control_plane=url,
            country="DE",
            codec="pcmu" if codec == "pcmu" else "opus",
            record=tmp_path / "call.wav",
        )
        async with asyncio.TaskGroup() as group:
            running = group.create_task(talk(options, Script((Speak("one two three four"),))))
            call = await edge.next_call()
            await answer(call, "r1", "hello")
            await heard(call)
            call.final("i1", "one two three four")
            await answer(call, "r2", "bye")
            await asyncio.wait_for(call.deleted.wait(), 60)
        report = running.result()
    assert plane.asked == [{"agent": "clinic-reception", "country": "DE", "media": "webrtc"}]
    assert call.bearer == "route-token"
    assert (report.end_reason, report.exit_status) == ("hangup", 0)
    assert (report.region, report.node) == ("eu-central-1", "eu-central-1-a")
    assert [turn.text for turn in report.turns] == ["hello", "one two three four", "bye"]
    assert len(report.wire_latencies_ms) == 1
    assert report.ended.packets > 30
    assert report.ended.gap_p50_ms is not None
    assert (tmp_path / "call.wav").stat().st_size > 24_000 * 4


async def test_an_edge_that_dies_is_replaced_by_its_sibling_and_the_talk_goes_on() -> None:
    async with (
        control_plane() as (plane, url),
        ScriptedEdge() as first,
        ScriptedEdge(node="eu-central-1-b") as second,
    ):
        plane.offer(first, second, verdicts=VERDICTS)
        second.turns = [{"number": 1, "caller": "", "agent": "hello"}]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(
                talk(CallOptions(control_plane=url), Script((TypeIn("monday"),)))
            )
            call = await first.next_call()
            await answer(call, "r1", "hello")
            await call.next_event("conversation.item.create")
            await first.die()
            other = await second.next_call()
            await answer(other, "r1", "hello again")
            await other.next_event("conversation.item.create")
            other.final("i1", "monday")
            await answer(other, "r2", "booked")
            other.send("inland.call.ended", reason="completed")
        report = running.result()
    assert other.bearer == call.resume_token
    (reconnect,) = report.reconnects
    assert (reconnect.from_node, reconnect.to_node) == ("eu-central-1-a", "eu-central-1-b")
    assert (report.end_reason, report.exit_status) == ("completed", 0)


async def test_many_calls_share_one_process() -> None:
    async with control_plane() as (plane, url), ScriptedEdge() as edge:
        plane.offer(edge, verdicts=VERDICTS)
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(talk(CallOptions(control_plane=url), Script())) for _ in range(4)
            ]
            for _ in running:
                group.create_task(answer(await edge.next_call(), "r1", "hello"))
        reports = [task.result() for task in running]
    assert [report.exit_status for report in reports] == [0] * 4
    assert all(isinstance(report.turns[0], AgentSaid) for report in reports)
    assert not any(isinstance(turn, CallerHeard) for report in reports for turn in report.turns)


async def test_a_caller_from_nowhere_allowed_is_refused_region_by_region() -> None:
    verdict = RegionVerdict(region="eu-central-1", allowed=False, reason="outside IN")
    async with control_plane() as (plane, url):
        plane.refuse(
            Problem(
                code="no_region_allowed",
                title="No region",
                status=403,
                detail="no region may hold this caller's data",
                regions=(verdict,),
            )
        )
        with pytest.raises(RefusedError) as caught:
            await talk(CallOptions(control_plane=url), Script())
    assert caught.value.verdicts == (verdict,)
