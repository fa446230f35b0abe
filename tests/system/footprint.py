"""What a process holds, read from outside."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import psutil

SETTLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """Open files but for unix sockets, threads, and resident bytes."""

    files: int
    threads: int
    memory: int

    @classmethod
    def of(cls, process: psutil.Process) -> Footprint:
        # Connections of the dispatcher are kept for the next call, and closed when idle.
        files = process.num_fds() - len(process.net_connections("unix"))
        return cls(files, process.num_threads(), process.memory_info().rss)


async def settled(process: psutil.Process, bound: Footprint) -> Footprint:
    """What the process holds, once it is within ``bound`` or cannot be expected to be."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        found = Footprint.of(process)
        if time.monotonic() > deadline or (
            found.files <= bound.files and found.threads <= bound.threads
        ):
            return found
        await asyncio.sleep(0.1)  # another process's time
