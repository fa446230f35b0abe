"""``python -m tests.layers``: switch off each layer of enforcement and see that tests notice."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.layers.catalogue import GROUPS, LAYERS
from tests.layers.copies import ROOT
from tests.layers.layer import Layer, PatchMisfit, misfits
from tests.layers.running import NotRun, Verdict
from tests.layers.stand import WORKERS, Stand
from tests.layers.table import table

EPILOG = """\
Each layer is switched off by an exact replacement in a copy of the working tree, and the tests that
are named for it run there. Every one of them must fail, by its claim and not by an error of import
or for want of time; with the layer on every one must pass. A replacement that does not fit its file
exactly once is an error.

exit status: 0 all tests of every layer failed without it, 1 one did not, or could not be tried,
2 the command or a layer is wrong"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    if options.table:
        sys.stdout.write(table(GROUPS))
        return 0
    wanted = set(options.only or ())
    unknown = wanted - {layer.name for layer in LAYERS}
    if unknown:
        return _wrong([f"there is no layer {name}" for name in sorted(unknown)])
    layers = [layer for layer in LAYERS if not wanted or layer.name in wanted]
    if options.list:
        for layer in layers:
            _say(f"{layer.name:<28} {layer.holds}")
        return 0
    wrong = [problem for layer in layers for problem in misfits(layer, ROOT)]
    return _wrong(wrong) if wrong else _run(layers, options.workers)


def _run(layers: Sequence[Layer], workers: int) -> int:
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="inland-layers-") as folder:
            stand = Stand(Path(folder), layers, workers)
            _say(f"{len(layers)} layers; first their tests with every layer on")
            stand.baseline()
            with ThreadPoolExecutor(workers) as pool:
                found = list(pool.map(lambda layer: _told(layer, stand, layers), layers))
    except NotRun as error:
        return _wrong([str(error)])
    noticed = sum(each is not None and each.noticed for each in found)
    seconds = time.monotonic() - began
    _say(f"{noticed} of {len(layers)} layers were noticed when they were off, in {seconds:.0f} s")
    return 0 if noticed == len(layers) else 1


def _told(layer: Layer, stand: Stand, layers: Sequence[Layer]) -> Verdict | None:
    """Judge one layer and print what came of it."""
    place = f"[{layers.index(layer) + 1:>2}/{len(layers)}] {layer.name}"
    began = time.monotonic()
    try:
        verdict = stand.judge(layer)
    except (NotRun, PatchMisfit) as error:
        _say(f"{place}: NOT RUN: {error}")
        return None
    seconds = time.monotonic() - began
    if verdict.noticed:
        _say(f"{place}: noticed by {len(layer.tests)} of its tests, {seconds:.1f} s")
    elif verdict.skipped:
        _say(f"{place}: NOT SHOWN HERE: {verdict.skipped}")
    else:
        _say("\n  ".join([f"{place}: NOT NOTICED", *verdict.problems]))
    return verdict


def _say(text: str) -> None:
    """A line, at once: some of them take a while."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _wrong(problems: Sequence[str]) -> int:
    for problem in problems:
        sys.stderr.write(f"tests.layers: {problem}\n")
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.layers",
        description="Switch off each layer of enforcement in turn and see that tests notice.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="LAYER", action="append", help="may be given again")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="print the layers")
    what.add_argument("--table", action="store_true", help="print the table for docs/residency.md")
    parser.add_argument("--workers", metavar="N", type=int, default=WORKERS, choices=range(1, 17))
    return parser


if __name__ == "__main__":
    sys.exit(main())
