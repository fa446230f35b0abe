"""Where layers are tried: a few copies of the tree, lent to one trial at a time."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.layers.copies import copy
from tests.layers.layer import Layer
from tests.layers.running import DEADLINE_SECONDS, Ending, NotRun, Verdict, judge, run

WORKERS = 2


class Stand:
    """``workers`` copies below ``folder``. Every method may be called from any thread."""

    def __init__(self, folder: Path, layers: Sequence[Layer], workers: int = WORKERS) -> None:
        self._layers = tuple(layers)
        self._workers = workers
        self._trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._before: dict[str, Ending] | None = None
        self._failed: str | None = None
        self._once = threading.Lock()
        first = folder / "0"
        copy(first)
        self._trees.put(first)
        for number in range(1, workers):
            # Of the first one, so that all are of the same moment.
            tree = folder / str(number)
            shutil.copytree(first, tree)
            self._trees.put(tree)

    def baseline(self) -> dict[str, Ending]:
        """How every test of the layers ends with all of them on: found out once. Raises
        ``NotRun``, and then each time it is asked."""
        with self._once:
            if self._failed is not None:
                raise NotRun(self._failed)
            if self._before is None:
                parts = [part for part in _parts(self._layers, self._workers) if part]
                found: dict[str, Ending] = {}
                try:
                    with ThreadPoolExecutor(self._workers) as pool:
                        for ended in pool.map(self._all_on, parts):
                            found |= ended
                except NotRun as error:
                    self._failed = str(error)
                    raise
                self._before = found
            return self._before

    def judge(self, layer: Layer) -> Verdict:
        """Switch one layer off in a copy. Raises ``PatchMisfit``, ``NotRun``."""
        before = self.baseline()
        with self._lent() as tree:
            return judge(layer, tree, before)

    def _all_on(self, tests: Sequence[str]) -> dict[str, Ending]:
        with self._lent() as tree:
            return run(tree, tests, seconds=DEADLINE_SECONDS * max(1, len(tests) // 4))

    @contextmanager
    def _lent(self) -> Iterator[Path]:
        tree = self._trees.get()
        try:
            yield tree
        finally:
            self._trees.put(tree)


def _parts(layers: Sequence[Layer], count: int) -> list[list[str]]:
    """Every test of the layers once, dealt out by file: a file's imports are paid for once."""
    files: dict[str, list[str]] = {}
    for test in dict.fromkeys(test for layer in layers for test in layer.tests):
        files.setdefault(test.partition("::")[0], []).append(test)
    parts: list[list[str]] = [[] for _ in range(count)]
    for place, tests in enumerate(files.values()):
        parts[place % count] += tests
    return parts
