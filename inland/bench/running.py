"""What both benches share: a folder, an end by any signal, a result for people or programs."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inland.bench.errors import BenchError
from inland.bench.machine import Machine

MEASURED, NOT_MEASURED, TERMINATED = 0, 1, 143


def progress(text: str) -> None:
    """One line for whoever waits; results go to standard output alone."""
    print(text, file=sys.stderr, flush=True)


def run_bench(measure: Callable[[Path], Awaitable[int]], longest: float) -> int:
    """Run ``measure`` with a folder of its own for at most ``longest`` seconds; its exit status.

    Ctrl-C raises ``KeyboardInterrupt`` and SIGTERM returns 143, both after every child has ended.
    """
    # The phases of a call are told by ``progress``; aiortc and aioice would tell much more.
    logging.getLogger().setLevel(logging.WARNING)
    try:
        return asyncio.run(_bounded(measure, longest))
    except BenchError as error:
        progress(f"inland bench: {error}")
        return NOT_MEASURED


async def _bounded(measure: Callable[[Path], Awaitable[int]], longest: float) -> int:
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    assert main is not None
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        main.cancel()

    loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        with tempfile.TemporaryDirectory(prefix="inland-bench-") as folder:
            async with asyncio.timeout(longest):
                return await measure(Path(folder))
    except TimeoutError:
        raise BenchError(f"it was not done within {longest:.0f} s, so it was ended") from None
    except asyncio.CancelledError:
        if terminated:
            return TERMINATED
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def print_json(bench: str, machine: Machine, figures: dict[str, Any]) -> None:
    """One JSON object on one line."""
    facts = {"bench": bench, "machine": {**asdict(machine), "warning": machine.warning}}
    print(json.dumps(facts | figures))


def print_lines(title: str, machine: Machine, lines: list[str]) -> None:
    """The result for people; a busy machine is said first."""
    print(title)
    print(f"  {machine}")
    if machine.warning:
        print(f"  WARNING: {machine.warning}")
    print("\n".join(lines))
