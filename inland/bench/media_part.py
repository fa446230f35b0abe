"""One media server under load: the same callers and the same readings for ours and for stock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from inland.bench.child import BenchChild, Json, bench_child
from inland.bench.gaps import Gaps
from inland.bench.speech import SpeechFiles
from inland.bench.usage import MB, Memory, memory
from inland.bench.window import ANSWER_SECONDS, measured

CONNECT_SECONDS = 30.0
"""For the first call; each further one may take another second."""
SETTLE_SECONDS = 2.0
"""Between the last connection and the window."""


@dataclass(frozen=True, slots=True)
class MediaPart:
    """What one server did in the window. Memory is in bytes, ``cpu`` in CPU s per call-second.

    ``wire_gaps`` are between packets as the kernel took them in at the callers, ``sender_gaps``
    between frames that the server took from its playouts; None where it does not tell.
    """

    calls: int
    seconds: float
    cpu: float
    cores: float
    wire_gaps: Gaps | None
    sender_gaps: Gaps | None
    late_ticks: int | None
    packets_in: float
    """Per second and call, sent by the callers."""
    packets_out: float
    """Per second and call, received by the callers."""
    frames: float
    """Of 20 ms at 16 kHz, heard per second and call."""
    lost: int
    resident: int
    resident_per_call: int
    shared_out_per_call: int | None
    connect_ms: float
    callers_cores: float
    callers_late_ticks: int
    elsewhere: float
    """Cores used by everybody else meanwhile."""


async def measure_media(
    module: str, calls: int, seconds: float, speech: SpeechFiles, folder: Path
) -> MediaPart:
    """Start ``module``, call it, read it for ``seconds``. Raises ``BenchError``."""
    async with bench_child(module, {"speech": str(speech.agent)}, folder) as (server, at):
        order = {"url": at["url"], "speech": str(speech.caller)}
        async with bench_child("inland.bench.callers", order, folder) as (callers, _):
            # The first call loads what every call shares; it is not a cost per call.
            await callers.ask({"ask": "connect", "calls": 1}, CONNECT_SECONDS)
            await callers.ask({"ask": "hang_up"}, ANSWER_SECONDS)
            empty = memory(server.process, server.name)
            connected = await callers.ask(
                {"ask": "connect", "calls": calls}, CONNECT_SECONDS + calls
            )
            await asyncio.sleep(SETTLE_SECONDS)
            return await _window(server, callers, calls, seconds, empty, connected["connect_ms"])


async def _window(
    server: BenchChild,
    callers: BenchChild,
    calls: int,
    seconds: float,
    empty: Memory,
    connect_ms: float,
) -> MediaPart:
    part = await measured(server, callers, seconds)
    heard, counted, window = part.heard, part.counted, part.usage
    full = memory(server.process, server.name)
    return MediaPart(
        calls=calls,
        seconds=round(window.seconds, 2),
        cpu=round(window.per_call("server", calls), 5),
        cores=round(window.cores("server"), 3),
        wire_gaps=_gaps(counted),
        sender_gaps=_gaps(heard),
        late_ticks=heard["late_ticks"],
        packets_in=round(counted["sent"] / counted["seconds"] / calls, 2),
        packets_out=round(counted["received"] / counted["seconds"] / calls, 2),
        frames=round(heard["frames"] / heard["seconds"] / calls, 2),
        lost=counted["lost"],
        resident=full.resident,
        resident_per_call=(full.resident - empty.resident) // calls,
        shared_out_per_call=_shared_out_per_call(empty, full, calls),
        connect_ms=round(connect_ms, 1),
        callers_cores=round(window.cores("callers"), 3),
        callers_late_ticks=counted["late_ticks"],
        elsewhere=round(window.elsewhere, 2),
    )


def _gaps(answer: Json) -> Gaps | None:
    return Gaps(**answer["gaps"]) if answer["gaps"] else None


def _shared_out_per_call(empty: Memory, full: Memory, calls: int) -> int | None:
    if empty.shared_out is None or full.shared_out is None:
        return None
    return (full.shared_out - empty.shared_out) // calls


def rows(part: MediaPart) -> list[tuple[str, str]]:
    """The part for people."""
    heard = f"{part.packets_in:.1f} in, {part.packets_out:.1f} out, {part.frames:.1f} frames heard"
    memory_per_call = f"{part.resident_per_call / MB:.2f} MB resident"
    if part.shared_out_per_call is not None:
        memory_per_call += f", {part.shared_out_per_call / MB:.2f} MB proportional"
    found = [
        ("CPU s per call-second", f"{part.cpu:.4f}"),
        ("CPU of the process", f"{part.cores:.2f} cores, {part.calls} calls"),
        ("gap on the wire", _gap_text(part.wire_gaps)),
        ("gap at the sender", _gap_text(part.sender_gaps)),
        ("late ticks", "-" if part.late_ticks is None else str(part.late_ticks)),
        ("per call and second", heard),
        ("packets lost", str(part.lost)),
        ("memory per call", memory_per_call),
        ("resident", f"{part.resident / MB:.0f} MB"),
        ("offer to connected", f"p50 {part.connect_ms:.0f} ms"),
        ("beside it", f"callers {part.callers_cores:.2f} cores, others {part.elsewhere:.2f}"),
    ]
    return found if part.sender_gaps else [row for row in found if row[1] != "-"]


def _gap_text(gaps: Gaps | None) -> str:
    if gaps is None:
        return "-"
    return f"p50 {gaps.p50:.1f}, p99 {gaps.p99:.1f}, max {gaps.max:.1f} ms"
