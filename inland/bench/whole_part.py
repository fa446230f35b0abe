"""A real node with callers who hold conversations: what a call costs with everything in it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from inland.bench.child import bench_child
from inland.bench.private_node import COUNTRY, Change, Engines, private_node
from inland.bench.usage import MB, between, memory, read
from inland.bench.window import ANSWER_SECONDS

MOST_CALLS = 6
"""Calls per core: the node and its callers share this machine."""
ROUNDS = 40
"""Of one call's conversation: more than an hour, so that no call ends in the window."""
CONNECT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class WholePart:
    """What a node did in the window. Memory is in bytes, ``cpu`` in CPU seconds per call-second.

    ``ready_resident`` is each process when the node had just become ready, before any call.
    """

    calls: int
    seconds: float
    cpu: float
    """Of the node: dispatcher, worker and voice."""
    cpu_by_process: Mapping[str, float]
    ready_resident: Mapping[str, int]
    resident: Mapping[str, int]
    worker_per_call: int
    """Resident bytes of the worker for each call, what the first one loads included."""
    node_ready: float
    control_plane_ready: float
    answers: int
    heard: int
    understood: int
    callers_voice: str
    callers_cores: float
    elsewhere: float


async def measure_whole(
    calls: int, seconds: float, folder: Path, change: Change | None = None
) -> WholePart:
    """Start a node, talk to it for ``seconds``. Raises ``BenchError``."""
    async with private_node(folder / "node", Engines(), change) as node:
        ready = _resident(node.processes)
        order = {
            "control_plane": node.control_plane,
            "country": COUNTRY,
            "calls": calls,
            "rounds": ROUNDS,
        }
        async with bench_child("inland.bench.talkers", order, folder) as (talkers, voice):
            await talkers.ask({"ask": "connect"}, CONNECT_SECONDS)
            await talkers.ask({"ask": "begin"}, ANSWER_SECONDS)
            processes = {**node.processes, "callers": talkers.process}
            before = read(processes)
            await asyncio.sleep(seconds)
            window = between(before, read(processes))
            tally = await talkers.ask({"ask": "end"}, ANSWER_SECONDS)
            resident = _resident(node.processes)
    shares = {name: round(window.per_call(name, calls), 5) for name in node.processes}
    return WholePart(
        calls=calls,
        seconds=round(window.seconds, 2),
        cpu=round(sum(shares[name] for name in ("dispatcher", "worker", "voice")), 5),
        cpu_by_process=shares,
        ready_resident=ready,
        resident=resident,
        worker_per_call=(resident["worker"] - ready["worker"]) // calls,
        node_ready=round(node.node_ready, 2),
        control_plane_ready=round(node.control_plane_ready, 2),
        answers=len(tally["wire_ms"]),
        heard=tally["heard"],
        understood=tally["understood"],
        callers_voice=voice["voice"],
        callers_cores=round(window.cores("callers"), 3),
        elsewhere=round(window.elsewhere, 2),
    )


def _resident(processes: Mapping[str, psutil.Process]) -> dict[str, int]:
    return {name: memory(process, name).resident for name, process in processes.items()}


def rows(part: WholePart) -> list[tuple[str, str]]:
    """The part for people."""
    shares = ", ".join(f"{name} {share:.4f}" for name, share in part.cpu_by_process.items())
    ready = ", ".join(f"{name} {size / MB:.0f}" for name, size in part.ready_resident.items())
    loaded = ", ".join(f"{name} {size / MB:.0f}" for name, size in part.resident.items())
    return [
        ("CPU s per call-second", f"{part.cpu:.4f} (dispatcher, worker and voice)"),
        ("by process", shares),
        ("calls", f"{part.calls} for {part.seconds:.0f} s"),
        (
            "conversations",
            f"{part.answers} answers, {part.understood} of {part.heard} utterances understood",
        ),
        ("callers' voice", part.callers_voice),
        (
            "ready after",
            f"node {part.node_ready:.1f} s, control plane {part.control_plane_ready:.1f} s",
        ),
        ("resident when ready, MB", ready),
        ("resident with calls, MB", loaded),
        ("worker's memory per call", f"{part.worker_per_call / MB:.1f} MB resident"),
        ("beside it", f"callers {part.callers_cores:.2f} cores, others {part.elsewhere:.2f}"),
    ]
