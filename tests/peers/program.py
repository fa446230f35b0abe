"""A peer as a process: started, read, stopped by its id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pytest

HOST = "127.0.0.1"
HOST6 = "::1"
PATIENCE = 60.0
"""Seconds for what somebody else does: on a busy machine a second is soon gone. Only a hang is
to meet this."""


def installed(program: str, package: str) -> str:
    """Its path; skips the test when it is missing."""
    for folder in (None, "/usr/sbin"):
        if found := shutil.which(program, path=folder):
            return found
    pytest.skip(f"{program} is not installed (Debian: {package})")


def free_ports(count: int, host: str = HOST) -> int:
    """The first of ``count`` ports in a row that neither UDP nor TCP uses; it is even, and below
    those that the kernel gives to whoever asks for any."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        first = random.randrange(10_000, 32_000 - count, 2)
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for number in range(first, first + count):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    held.enter_context(socket.socket(family, kind)).bind((host, number))
            return first
    raise AssertionError("no free ports in a row")


async def until(holds: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
    """Wait for a state that nobody announces; fails with ``what`` was awaited."""
    deadline = asyncio.get_running_loop().time() + within
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, f"not within {within} s: {what}"
        await asyncio.sleep(0.01)


class Program:
    """One program from ``async with`` to its end, with whatever it started, as one process group.

    What it prints goes to ``<name>.log``.
    """

    def __init__(self, arguments: Sequence[str | Path], folder: Path, name: str) -> None:
        self._arguments = [str(argument) for argument in arguments]
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has printed, for assertions and for whoever reads a failure."""
        return self._log.read_text(errors="replace") if self._log.is_file() else ""

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments,
                cwd=self._folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            await self._ready()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def ended(self, within: float = PATIENCE) -> int:
        """Wait for it to end by itself; its exit status."""
        assert self._process is not None, "not started"
        async with asyncio.timeout(within):
            return await self._process.wait()

    async def _ready(self) -> None:
        """Overridden by who can say."""

    async def _bound(self, port: int, within: float = PATIENCE) -> None:
        """Wait for it to have a socket on a port."""

        def bound() -> bool:
            assert self._process is not None
            assert self._process.returncode is None, f"ended at once: {self.output[-2000:]}"
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                connections = psutil.Process(self.pid).net_connections("inet")
                return any(c.laddr and c.laddr.port == port for c in connections)
            return False

        await until(bound, f"{self._arguments[0]} on its port", within)

    async def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3.0):
                    await process.wait()
        # Kamailio now and then hangs in its own shutdown, and its children outlive it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
