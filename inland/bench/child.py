"""A part of a bench in a process of its own: an order in, questions and answers, an end.

The parent writes JSON lines to the child's standard input (the order first, then one question a
line) and reads one JSON line for each from its standard output. A child ends when its input does,
so it never outlives the bench, however that ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import psutil

from inland.bench.errors import BenchError

Json: TypeAlias = dict[str, Any]

START_SECONDS = 30.0
"""From the start until the answer to the order: imports on a slow, busy machine."""
STOP_SECONDS = 5.0
_LINE = 16 << 20
"""Longest line: the latencies of a long bench."""


class BenchChild:
    """One child; made by :func:`bench_child`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = psutil.Process(process.pid)
        self._child = process
        self._log = log

    async def ask(self, question: Mapping[str, Any], seconds: float) -> Json:
        """The child's answer. Raises :class:`BenchError` when none comes in time."""
        assert self._child.stdin is not None and self._child.stdout is not None
        try:
            self._child.stdin.write(json.dumps(question).encode() + b"\n")
            async with asyncio.timeout(seconds):
                await self._child.stdin.drain()
                line = await self._child.stdout.readline()
        except TimeoutError:
            raise BenchError(f"{self.name} did not answer within {seconds:.0f} s") from None
        except ConnectionError:
            line = b""
        if not line:
            raise BenchError(f"{self.name} ended by itself: {self._last_words()}")
        answer: Json = json.loads(line)
        if "error" in answer:
            raise BenchError(f"{self.name}: {answer['error']}")
        return answer

    async def stop(self) -> None:
        """End it: its input is closed, and it is killed when that does not help."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._child.wait()
        except TimeoutError:
            pass
        finally:
            if self._child.returncode is None:
                self._child.kill()
        await self._child.wait()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it did not say why"


@asynccontextmanager
async def bench_child(
    module: str, order: Mapping[str, Any], folder: Path
) -> AsyncIterator[tuple[BenchChild, Json]]:
    """``python -m module`` with its order given, and the answer to that; stopped at the end.

    Raises :class:`BenchError` when it does not come up.
    """
    name = module.rpartition(".")[2].replace("_", " ")
    log = folder / f"{module}.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            limit=_LINE,
            start_new_session=True,  # a terminal's Ctrl-C is the parent's to act on
        )
    child = BenchChild(name, process, log)
    try:
        yield child, await child.ask(order, START_SECONDS)
    finally:
        await child.stop()


# --- in the child ----------------------------------------------------------------------------


def read_order() -> Json:
    """The first line of standard input. Exits when there is none."""
    line = sys.stdin.buffer.raw.readline()  # type: ignore[union-attr]
    if not line:
        sys.exit(0)
    order: Json = json.loads(line)
    return order


def answer(value: Mapping[str, Any]) -> None:
    """Write one answer."""
    os.write(sys.stdout.fileno(), json.dumps(value).encode() + b"\n")


async def serve_questions(respond: Callable[[Json], Awaitable[Json]]) -> None:
    """Answer each question until standard input ends; an answer being made is then given up.

    A :class:`BenchError` of ``respond`` becomes the answer that the parent raises.
    """
    reader = asyncio.StreamReader()
    questions: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(_answer_all(questions, respond))
            while line := await reader.readline():
                questions.put_nowait(line)
            answering.cancel()
    except* Exception as errors:
        raise errors.exceptions[0] from None  # the parent shows its words, not the group's
    finally:
        transport.close()


async def _answer_all(
    questions: asyncio.Queue[bytes], respond: Callable[[Json], Awaitable[Json]]
) -> None:
    while True:
        question: Json = json.loads(await questions.get())
        try:
            answer(await respond(question))
        except BenchError as error:
            answer({"error": str(error)})
