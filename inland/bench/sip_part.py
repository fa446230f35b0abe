"""One server of phone calls under load: set up by INVITEs, measured, and then looked into."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.transport.rtp.codec import CodecName
from inland.bench.child import BenchChild, Json, bench_child
from inland.bench.errors import BenchError
from inland.bench.gaps import Gaps
from inland.bench.media_part import CONNECT_SECONDS, SETTLE_SECONDS
from inland.bench.sip_stages import STAGES
from inland.bench.usage import MB, Memory, between, memory, read
from inland.bench.window import ANSWER_SECONDS, measured

PROFILE_SECONDS = 10.0
"""At most: two thousand samples and more with a server that is a third busy."""
IDLE_SECONDS = 2.0
"""How long the server is read without a call."""
DUE = 50.0
"""Packets per second and call."""


@dataclass(frozen=True, slots=True)
class SipPart:
    """What one server did in the window. Memory is in bytes, ``cpu`` in CPU s per call-second.

    ``stages`` are shares of the CPU, from a run of their own. ``idle_cores`` is the server without
    a call.
    """

    calls: int
    seconds: float
    codec: CodecName
    srtp: bool
    cpu: float
    cores: float
    idle_cores: float
    stages: Mapping[str, float]
    samples: int
    wire_gaps: Gaps | None
    late_ticks: int
    packets_in: float
    """Per second and call, sent by the callers."""
    packets_out: float
    """Per second and call, received by the callers."""
    frames: float
    """Of 20 ms at 16 kHz, heard per second and call."""
    lost: int
    refused: int
    """Packets that the server could not take."""
    resident: int
    resident_per_call: int
    setups_per_second: float
    setup_ms: float
    setup_cpu_ms: float
    """CPU of the server per call, from INVITE to ACK; media of the calls before is in it."""
    callers_cores: float
    callers_late_ticks: int
    elsewhere: float
    """Cores used by everybody else meanwhile."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """How the calls came about."""

    empty: Memory
    idle_cores: float
    per_second: float
    milliseconds: float
    cpu_milliseconds: float


async def measure_sip(
    calls: int, seconds: float, codec: CodecName, srtp: bool, speech: Path, folder: Path
) -> SipPart:
    """Start a server, call it, read it for ``seconds``, sample it. Raises ``BenchError``."""
    order = {"speech": str(speech), "codec": codec, "srtp": srtp}
    async with (
        bench_child("inland.bench.sip_server", order, folder) as (server, at),
        bench_child("inland.bench.sip_callers", order | at, folder) as (callers, _),
    ):
        set_up = await _set_up(server, callers, calls)
        await asyncio.sleep(SETTLE_SECONDS)
        part = await measured(server, callers, seconds)
        heard, counted, window = part.heard, part.counted, part.usage
        if heard["encrypted"] != (calls if srtp else 0):
            raise BenchError("the calls are not encrypted as they should be")
        full = memory(server.process, server.name)
        samples = await _profile(server, seconds)
    total = sum(samples.values())
    return SipPart(
        calls=calls,
        seconds=round(window.seconds, 2),
        codec=codec,
        srtp=srtp,
        cpu=round(window.per_call("server", calls), 5),
        cores=round(window.cores("server"), 3),
        idle_cores=round(set_up.idle_cores, 4),
        stages={stage: round(samples.get(stage, 0) / max(total, 1), 4) for stage in STAGES},
        samples=total,
        wire_gaps=Gaps(**counted["gaps"]) if counted["gaps"] else None,
        late_ticks=heard["late_ticks"],
        packets_in=_rate(counted, "sent", calls),
        packets_out=_rate(counted, "received", calls),
        frames=_rate(heard, "frames", calls),
        lost=counted["lost"],
        refused=heard["refused"],
        resident=full.resident,
        resident_per_call=(full.resident - set_up.empty.resident) // calls,
        setups_per_second=round(set_up.per_second, 1),
        setup_ms=round(set_up.milliseconds, 1),
        setup_cpu_ms=round(set_up.cpu_milliseconds, 2),
        callers_cores=round(window.cores("callers"), 3),
        callers_late_ticks=counted["late_ticks"],
        elsewhere=round(window.elsewhere, 2),
    )


async def _set_up(server: BenchChild, callers: BenchChild, calls: int) -> SetUp:
    # The first call loads what every call shares; it is not a cost per call.
    await callers.ask({"ask": "connect", "calls": 1}, CONNECT_SECONDS)
    await callers.ask({"ask": "hang_up"}, ANSWER_SECONDS)
    processes = {"server": server.process}
    empty = memory(server.process, server.name)
    start = read(processes)
    await asyncio.sleep(IDLE_SECONDS)
    idle = read(processes)
    connected = await callers.ask({"ask": "connect", "calls": calls}, CONNECT_SECONDS + calls)
    done = read(processes)
    used = (done.cpu["server"] - idle.cpu["server"]) * 1000 / calls
    return SetUp(
        empty=empty,
        idle_cores=between(start, idle).cores("server"),
        per_second=calls / connected["seconds"],
        milliseconds=connected["connect_ms"],
        cpu_milliseconds=used,
    )


async def _profile(server: BenchChild, seconds: float) -> dict[str, int]:
    """Samples by stage, in a run that nothing else is measured in."""
    await server.ask({"ask": "profile"}, ANSWER_SECONDS)
    await asyncio.sleep(min(seconds, PROFILE_SECONDS))
    samples: dict[str, int] = (await server.ask({"ask": "profiled"}, ANSWER_SECONDS))["samples"]
    return samples


def _rate(answer: Json, what: str, calls: int) -> float:
    return round(float(answer[what]) / float(answer["seconds"]) / calls, 2)


def rows(part: SipPart) -> list[tuple[str, str]]:
    """The part for people."""
    gaps = part.wire_gaps
    return [
        ("CPU ms per call-second", f"{part.cpu * 1000:.2f}"),
        ("CPU of the process", f"{part.cores:.2f} cores, {part.idle_cores:.3f} without a call"),
        (
            "gap on the wire",
            "-"
            if gaps is None
            else f"p50 {gaps.p50:.1f}, p99 {gaps.p99:.1f}, max {gaps.max:.1f} ms",
        ),
        ("late ticks", str(part.late_ticks)),
        (
            "per call and second",
            f"{part.packets_in:.1f} in, {part.packets_out:.1f} out, {part.frames:.1f} frames heard",
        ),
        ("packets lost, refused", f"{part.lost}, {part.refused}"),
        ("memory per call", f"{part.resident_per_call / MB:.3f} MB resident"),
        ("resident", f"{part.resident / MB:.0f} MB"),
        (
            "calls set up",
            f"{part.setups_per_second:.0f} per second, p50 {part.setup_ms:.0f} ms, "
            f"{part.setup_cpu_ms:.1f} ms CPU each",
        ),
        ("beside it", f"callers {part.callers_cores:.2f} cores, others {part.elsewhere:.2f}"),
    ]


def stage_rows(part: SipPart) -> list[tuple[str, str]]:
    """Share of each stage that is more than nothing, and what it comes to."""
    return [
        (stage, f"{share:6.1%}  {share * part.cpu * 1000:5.2f} ms")
        for stage, share in part.stages.items()
        if share
    ]
