"""CPU and memory of processes, read from outside so that reading costs them nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from inland.bench.errors import BenchError

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds (user and system) so far: of each named process, and of the whole machine."""

    at: float
    cpu: Mapping[str, float]
    machine: float


@dataclass(frozen=True, slots=True)
class Window:
    """What passed between two readings. ``elsewhere`` is in cores: what nobody named used."""

    seconds: float
    cpu: Mapping[str, float]
    elsewhere: float

    def cores(self, name: str) -> float:
        """Cores that a process kept busy."""
        return self.cpu[name] / self.seconds

    def per_call(self, name: str, calls: int) -> float:
        """CPU seconds per call-second of a process."""
        return self.cores(name) / calls


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in memory: all of them, and with shared pages divided among those who share them.

    ``shared_out`` is None where the system does not tell it.
    """

    resident: int
    shared_out: int | None


def read(processes: Mapping[str, psutil.Process]) -> Reading:
    """Read every clock. Raises :class:`BenchError` when one of the processes is gone."""
    used = {}
    for name, process in processes.items():
        try:
            times = process.cpu_times()
        except psutil.Error as error:
            raise BenchError(f"{name} ended while it was measured") from error
        used[name] = times.user + times.system
    return Reading(time.monotonic(), used, _machine_seconds())


def between(before: Reading, after: Reading) -> Window:
    """The window of two readings of the same processes."""
    seconds = after.at - before.at
    cpu = {name: after.cpu[name] - before.cpu[name] for name in after.cpu}
    others = after.machine - before.machine - sum(cpu.values())
    return Window(seconds, cpu, max(0.0, others / seconds))


def memory(process: psutil.Process, name: str) -> Memory:
    """Raises :class:`BenchError` when the process is gone."""
    try:
        full = process.memory_full_info()
    except psutil.AccessDenied:
        return Memory(process.memory_info().rss, None)
    except psutil.Error as error:
        raise BenchError(f"{name} ended while it was measured") from error
    return Memory(full.rss, getattr(full, "pss", None))


def _machine_seconds() -> float:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Linux counts guests twice: alone, and as user time.
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle - guests)
