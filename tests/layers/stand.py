"""Where layers are tried: a few copies of the tree, lent to one trial at a time."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.layers.copies import copy
from tests.layers.layer import Layer
from tests.layers.running import Ending, Verdict, baseline, judge

WORKERS = 2


class Stand:
    """``workers`` copies below ``folder``. Every method may be called from any thread."""

    def __init__(self, folder: Path, layers: Sequence[Layer], workers: int = WORKERS) -> None:
        self._layers = tuple(layers)
        self._trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._before: dict[str, Ending] | None = None
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
        """How every test of the layers ends with all of them on. Raises ``NotRun``."""
        with self._once:
            if self._before is None:
                tree = self._trees.get()
                try:
                    self._before = baseline(tree, self._layers)
                finally:
                    self._trees.put(tree)
            return self._before

    def judge(self, layer: Layer) -> Verdict:
        """Switch one layer off in a copy. Raises ``PatchMisfit``, ``NotRun``."""
        before = self.baseline()
        tree = self._trees.get()
        try:
            return judge(layer, tree, before)
        finally:
            self._trees.put(tree)
