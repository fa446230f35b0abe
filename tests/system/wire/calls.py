"""`inland call` in a caller's namespace: its records as they come."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edge.media.frames import Samples
from tests.system.wire.network import Caller, Network
from tests.system.world import quiet_environment

HANG_SECONDS = 90.0
PYTHON = (sys.executable, "-m")


class CallEnded(Exception):
    """The call is over, and what was waited for has not happened."""


class Call:
    """One call. Records are kept in order; ``until`` looks through all of them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.records: list[dict[str, Any]] = []
        self._process = process
        self._news = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """The first record of this kind with these fields. Raises ``CallEnded``."""
        end = time.monotonic() + HANG_SECONDS
        with self._news:
            while True:
                for record in self.records:
                    if record["record"] == kind and fields.items() <= record.items():
                        return record
                if self._over or time.monotonic() > end:
                    raise CallEnded(f"no {kind} {fields}: {self.records[-3:]}")
                self._news.wait(1.0)

    def finished(self) -> int:
        """Wait for the end; the exit status."""
        status = self._process.wait(HANG_SECONDS)
        self._reader.join(HANG_SECONDS)
        return status

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["record"] == kind]

    @property
    def regions(self) -> list[str]:
        """Of its legs, in order."""
        return [str(record["region"]) for record in self.of_kind("connected")]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.records.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()


@contextmanager
def calling(network: Network, caller: Caller, *options: str) -> Iterator[Call]:
    """A call that has begun; one that has not ended by itself is ended."""
    where = ("--control-plane", network.control, "--from", caller.country, "--json")
    process = subprocess.Popen(
        caller.namespace.command(*PYTHON, "inland", "call", *where, *options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=quiet_environment(),
    )
    call = Call(process)
    try:
        yield call
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        call.finished()
        assert process.stdout is not None
        process.stdout.close()


def recorded(path: Path) -> tuple[Samples, Samples, int]:
    """What caller and agent said, and the rate in Hz."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        return both[:, 0].copy(), both[:, 1].copy(), file.getframerate()
