"""Programs in namespaces that outlive the command which starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from infra.local.commands import inside
from inland.provision.errors import EngineFailed

POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Program:
    """What is to run where. ``environment`` may hold secrets and is never written down."""

    name: str
    namespace: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started. ``created`` tells it from a later one with the same id."""

    name: str
    pid: int
    created: float
    log: str

    @property
    def process(self) -> psutil.Process | None:
        """The process, None when it has ended."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.created) < 0.01
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def start(program: Program) -> Running:
    """Start it in a session of its own, with its output in its log. Raises ``EngineFailed``."""
    base = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    try:
        with program.log.open("ab") as log:
            process = subprocess.Popen(
                inside(program.namespace, *program.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=base | dict(program.environment),
                start_new_session=True,
            )
    except OSError as error:
        raise EngineFailed(f"{program.name}: {error}") from error
    # `ip netns exec` becomes the program, so this is the program's own id.
    created = psutil.Process(process.pid).create_time()
    return Running(program.name, process.pid, created, str(program.log))


def stop(programs: Sequence[Running], seconds: float) -> None:
    """Ask all of them to end, and end those that have not after ``seconds``."""
    for one in programs:
        process = one.process
        if process is not None:
            process.send_signal(signal.SIGTERM)
    until = time.monotonic() + seconds
    while any(one.process for one in programs) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    for one in programs:
        process = one.process
        if process is not None:
            for child in process.children(recursive=True):
                child.kill()
            process.kill()


def last_words(log: str, lines: int = 6) -> str:
    """The end of a program's log."""
    try:
        text = Path(log).read_text(errors="replace")
    except OSError:
        return "(no log)"
    return "\n    ".join(text.strip().splitlines()[-lines:]) or "(said nothing)"
