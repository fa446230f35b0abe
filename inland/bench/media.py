"""``inland bench media``: CPU, memory and evenness of calls; ours, whole, and stock aiortc."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.media.frames import FRAME_MS
from inland.bench import media_part, whole_part
from inland.bench.machine import Machine, cores, describe
from inland.bench.media_part import MediaPart, measure_media
from inland.bench.running import MEASURED, print_json, print_lines, progress, run_bench
from inland.bench.speech import write_speech
from inland.bench.target import Target, section_lines, target_lines
from inland.bench.usage import MB
from inland.bench.whole_part import MOST_CALLS, WholePart, measure_whole

STOCK_CALLS = 10
"""Calls that a stock process takes with even packets; from about twice as many it falls behind."""
DUE = 1000 / FRAME_MS
"""Packets per second and call."""
ENOUGH = 0.98
"""Share of them below which a server did less work than it was asked for."""
OVERHEAD_SECONDS = 240.0
"""What starting, connecting and ending may take beside the windows."""


@dataclass(frozen=True, slots=True)
class MediaFigures:
    """A part that was skipped is None. ``notes`` say what was done otherwise than asked.

    ``media_as_stock`` is our path with as few calls as stock had, when that is fewer: a call
    costs less the more there are, because packets that wait are read at once.
    """

    media: MediaPart
    media_as_stock: MediaPart | None
    stock: MediaPart | None
    whole: WholePart | None
    notes: tuple[str, ...]

    @property
    def ratio(self) -> float | None:
        """How many times more a stock call costs, each with the calls it had."""
        return None if self.stock is None else _times(self.stock, self.media)

    @property
    def ratio_same_calls(self) -> float | None:
        """The same with as many calls for ours as for stock."""
        if self.stock is None:
            return None
        return _times(self.stock, self.media_as_stock or self.media)

    @property
    def targets(self) -> list[Target]:
        """Issue targets and figures side by side."""
        media = self.media
        found = [Target(f"media, {media.calls} calls", 0.020, media.cpu, "CPU s per call-s")]
        if media.wire_gaps is not None:
            found.append(Target("gap between packets, p99", 30, media.wire_gaps.p99, "ms"))
        if self.stock is not None and self.ratio is not None:
            what = f"stock aiortc, {self.stock.calls} calls, against it"
            found.append(Target(what, 3, self.ratio, "times", "at least"))
        if self.media_as_stock is not None and self.ratio_same_calls is not None:
            what = f"the same, {self.media_as_stock.calls} calls each"
            found.append(Target(what, 3, self.ratio_same_calls, "times", "at least"))
        if self.whole is not None:
            ready = self.whole.ready_resident
            found += [
                Target("ready worker, resident", 200, round(ready["worker"] / MB, 1), "MB"),
                Target("node ready after", 3, self.whole.node_ready, "s"),
                Target("control plane, resident", 80, self._control_plane(self.whole), "MB"),
            ]
        return found

    @staticmethod
    def _control_plane(whole: WholePart) -> float:
        sizes = (whole.ready_resident["control plane"], whole.resident["control plane"])
        return round(max(sizes) / MB, 1)


def _times(stock: MediaPart, ours: MediaPart) -> float:
    return round(stock.cpu / max(ours.cpu, 1e-5), 2)


def run_media(arguments: argparse.Namespace) -> int:
    """Run the parts that are not skipped; the exit status."""
    machine = describe()
    calls, seconds, skip = arguments.calls, arguments.seconds, arguments.skip

    async def measure(folder: Path) -> int:
        figures = await _measure(calls, seconds, skip, folder)
        _report(machine, figures, as_json=arguments.json)
        return MEASURED

    return run_bench(measure, OVERHEAD_SECONDS + 4 * (calls + seconds))


async def _measure(calls: int, seconds: float, skip: Collection[str], folder: Path) -> MediaFigures:
    notes = []
    speech = await write_speech(folder)
    notes.append(f"callers and agents of media and stock say sentences of {speech.voice}")
    progress(f"media: {calls} calls for {seconds:g} s")
    media = await measure_media("inland.bench.media_server", calls, seconds, speech, folder)
    few = stock = whole = None
    if "stock" not in skip:
        fewer = min(calls, STOCK_CALLS)
        if fewer < calls:
            notes.append(f"stock ran with {fewer} calls: from about twice as many it falls behind")
            progress(f"media: {fewer} calls for {seconds:g} s")
            few = await measure_media("inland.bench.media_server", fewer, seconds, speech, folder)
        progress(f"stock: {fewer} calls for {seconds:g} s")
        stock = await measure_media("inland.bench.stock_server", fewer, seconds, speech, folder)
    if "whole" not in skip:
        fewer = min(calls, MOST_CALLS * cores())
        if fewer < calls:
            notes.append(
                f"whole ran with {fewer} calls: with its callers, {calls} would overload "
                f"{cores()} cores"
            )
        progress(f"whole: {fewer} conversations for {seconds:g} s")
        whole = await measure_whole(fewer, seconds, folder)
    parts = (("media", media), ("media", few), ("stock", stock))
    notes += [slipped(name, part) for name, part in parts if part is not None]
    return MediaFigures(media, few, stock, whole, tuple(note for note in notes if note))


def slipped(name: str, part: MediaPart) -> str:
    """What is wrong with a part whose packets did not all leave; empty when they did."""
    share = part.packets_out / DUE
    if share >= ENOUGH:
        return ""
    return (
        f"{name} with {part.calls} calls sent {share:.0%} of the packets that were due, and others "
        f"used {part.elsewhere:.1f} cores meanwhile: its CPU figure is too low by about as much"
    )


def _report(machine: Machine, figures: MediaFigures, *, as_json: bool) -> None:
    if as_json:
        targets = [target.as_json() for target in figures.targets]
        print_json(
            "media", machine, {**asdict(figures), "ratio": figures.ratio, "targets": targets}
        )
        return
    media, few, stock = figures.media, figures.media_as_stock, figures.stock
    whole = figures.whole
    window = f"{media.seconds:.0f} s"
    lines = section_lines(f"media path, Opus both ways, {window}", media_part.rows(media))
    if few is not None:
        title = f"media path with {few.calls} calls, beside stock, {window}"
        lines += section_lines(title, media_part.rows(few))
    if stock is not None:
        lines += section_lines(f"stock aiortc, the same work, {window}", media_part.rows(stock))
    if whole is not None:
        lines += section_lines("whole path, embedded engines", whole_part.rows(whole))
    lines += ["", "targets", *target_lines(figures.targets), ""]
    lines += [f"  {note}" for note in figures.notes]
    print_lines("inland bench media", machine, lines)
