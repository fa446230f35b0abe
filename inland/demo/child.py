"""One program of the demo, as a child process whose log goes to a file."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

READY_SECONDS = 60.0
"""What a program may take to become ready on a slow machine."""
POLL_SECONDS = 0.1


class DemoError(Exception):
    """The demo cannot go on; the text says what happened and where to look."""


@dataclass(slots=True)
class Child:
    """A running program. Its own session keeps a terminal's Ctrl-C from reaching it twice."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    started: float

    @classmethod
    async def start(
        cls, name: str, arguments: list[str], environment: Mapping[str, str], log: Path
    ) -> Child:
        """Start ``python -m inland`` with ``arguments``."""
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "inland",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                start_new_session=True,
            )
        return cls(name, process, log, time.monotonic())

    async def until_ready(self, url: str, http: aiohttp.ClientSession) -> float:
        """Poll ``url`` until it answers 200; returns the seconds since the start.

        Raises :class:`DemoError` when the program ends first, or takes too long.
        """
        while time.monotonic() - self.started < READY_SECONDS:
            if self.process.returncode is not None:
                raise DemoError(self.last_words())
            try:
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return time.monotonic() - self.started
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(POLL_SECONDS)
        raise DemoError(f"{self.name} was not ready within {READY_SECONDS:.0f} s; see {self.log}")

    def last_words(self) -> str:
        """Why it ended, from the end of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        tail = "\n    ".join(lines)
        return f"{self.name} ended with status {self.process.returncode}:\n    {tail}"

    async def stop(self, seconds: float) -> None:
        """Ask it to drain and end; end it after ``seconds``."""
        if self.process.returncode is None:
            self.process.terminate()
            try:
                async with asyncio.timeout(seconds):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
        await self.process.wait()
