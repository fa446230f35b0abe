"""The measured time of a bench: a server and its callers, read before and after."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from inland.bench.child import BenchChild, Json
from inland.bench.usage import Window, between, read

ANSWER_SECONDS = 20.0
"""What a child of a bench may take to answer."""


@dataclass(frozen=True, slots=True)
class Measured:
    """``usage`` of the processes ``server`` and ``callers``, and what each of them reports."""

    usage: Window
    heard: Json
    counted: Json


async def measured(server: BenchChild, callers: BenchChild, seconds: float) -> Measured:
    """Read both for ``seconds``. Raises ``BenchError``."""
    processes = {"server": server.process, "callers": callers.process}
    for each in (server, callers):
        await each.ask({"ask": "begin"}, ANSWER_SECONDS)
    before = read(processes)
    await asyncio.sleep(seconds)
    after = read(processes)
    for each in (server, callers):
        await each.ask({"ask": "end"}, ANSWER_SECONDS)
    heard = await server.ask({"ask": "report"}, ANSWER_SECONDS)
    counted = await callers.ask({"ask": "report"}, ANSWER_SECONDS)
    return Measured(between(before, after), heard, counted)
