"""``inland bench sip``: what a phone call costs without speech engines, stage by stage."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.transport.rtp.codec import Codec, CodecName
from inland.bench.machine import Machine, describe
from inland.bench.running import MEASURED, print_json, print_lines, progress, run_bench
from inland.bench.sip_part import DUE, SipPart, measure_sip, rows, stage_rows
from inland.bench.speech import AGENT_RATE, load, write_speech
from inland.bench.target import Target, section_lines, target_lines
from inland.caller.utterances import resampled

PLAIN_MS, SECURE_MS = 3.0, 4.0
"""CPU milliseconds per call-second that a G.711 call may cost, plain and under SRTP."""
G711: frozenset[CodecName] = frozenset({"pcmu", "pcma"})
ENOUGH = 0.98
"""Share of the due packets below which a server did less work than it was asked for."""
OVERHEAD_SECONDS = 180.0
"""What starting, connecting and ending may take beside the windows."""


@dataclass(frozen=True, slots=True)
class SipFigures:
    """``notes`` say what a reader must know before quoting the figures."""

    part: SipPart
    notes: tuple[str, ...]

    @property
    def targets(self) -> list[Target]:
        """Issue targets and figures side by side; other codecs than G.711 have none for CPU."""
        part = self.part
        found = []
        if part.codec in G711:
            what = f"{part.calls} calls, {part.codec.upper()}{' under SRTP' if part.srtp else ''}"
            bound = SECURE_MS if part.srtp else PLAIN_MS
            found.append(Target(what, bound, round(part.cpu * 1000, 2), "CPU ms per call-s"))
        if part.wire_gaps is not None:
            found.append(Target("gap between packets, p99", 30, part.wire_gaps.p99, "ms"))
        return found


def run_sip(arguments: argparse.Namespace) -> int:
    """Measure; the exit status."""
    machine = describe()

    async def measure(folder: Path) -> int:
        figures = await _measure(arguments, folder)
        _report(machine, figures, as_json=arguments.json)
        return MEASURED

    return run_bench(measure, OVERHEAD_SECONDS + 2 * (arguments.calls + arguments.seconds))


async def _measure(arguments: argparse.Namespace, folder: Path) -> SipFigures:
    codec: CodecName = arguments.codec
    speech = await write_speech(folder)
    at_rate = folder / "phone.raw"
    samples = load(str(speech.agent), AGENT_RATE)
    rate = Codec(codec, 0).playout_rate
    at_rate.write_bytes((await asyncio.to_thread(resampled, samples, rate)).tobytes())
    progress(f"sip: {arguments.calls} calls for {arguments.seconds:g} s, then their stages")
    part = await measure_sip(
        arguments.calls, arguments.seconds, codec, arguments.srtp, at_rate, folder
    )
    notes = (f"callers and agents say sentences of {speech.voice}", slipped(part))
    return SipFigures(part, tuple(note for note in notes if note))


def slipped(part: SipPart) -> str:
    """What is wrong with a part whose packets did not all pass; empty when they did."""
    share = min(part.packets_out, part.frames) / DUE
    if share >= ENOUGH:
        return ""
    return (
        f"{share:.0%} of the packets that were due were sent and heard, and others used "
        f"{part.elsewhere:.1f} cores meanwhile: the CPU figure is too low by about as much"
    )


def _report(machine: Machine, figures: SipFigures, *, as_json: bool) -> None:
    part = figures.part
    if as_json:
        targets = [target.as_json() for target in figures.targets]
        print_json("sip", machine, {**asdict(figures), "targets": targets})
        return
    secure = "SRTP" if part.srtp else "plain RTP"
    lines = section_lines(
        f"phone media, {part.codec.upper()} both ways, {secure}, {part.calls} calls, "
        f"{part.seconds:.0f} s",
        rows(part),
    )
    title = f"share of each stage, {part.samples} samples"
    lines += section_lines(title, stage_rows(part))
    lines += ["", "targets", *target_lines(figures.targets), ""]
    lines += [f"  {note}" for note in figures.notes]
    print_lines("inland bench sip", machine, lines)
