"""Shows progress: repainted in a terminal, line by line anywhere else."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self, TextIO

from inland.provision.progress import Progress, Step

REFRESH_SECONDS = 0.5


class Screen:
    """A context manager that follows one run of the engine. Its methods may be called from any
    thread; the view is repainted while nothing is reported, so that a long wait shows its time."""

    def __init__(
        self,
        title: str,
        expected: Iterable[str],
        out: TextIO,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.progress = Progress(expected)
        self._title = title
        self._out = out
        self._live = out.isatty()
        self._clock = clock
        self._started = clock()
        self._painted = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._repaint, name="progress", daemon=True)

    def __enter__(self) -> Self:
        if self._live:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._live:
            self._thread.join()
            with self._lock:
                self._paint()

    def step(self, step: Step) -> None:
        """Something happened to a resource."""
        with self._lock:
            line = self.progress.feed(step, self._clock())
            if line is not None and not self._live:
                self._say(line)

    def note(self, text: str) -> None:
        """A message that must stay to be read: a diagnostic, a violation."""
        with self._lock:
            if self._live:
                self._erase()
            self._say(text)

    def _say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()

    def _repaint(self) -> None:
        while not self._over.wait(REFRESH_SECONDS):
            with self._lock:
                self._paint()

    def _paint(self) -> None:
        self._erase()
        width = shutil.get_terminal_size((100, 24)).columns
        lines = self.progress.render(self._title, self._started, self._clock(), width)
        self._out.write("".join(line + "\n" for line in lines))
        self._out.flush()
        self._painted = len(lines)

    def _erase(self) -> None:
        if self._painted:
            self._out.write(f"\x1b[{self._painted}F\x1b[J")
            self._painted = 0
