"""Runs named tests in a copy of the tree, in a process of their own with a deadline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.layers.copies import without
from tests.layers.layer import Layer
from tests.layers.witness import PROFILE, REPORT

DEADLINE_SECONDS = 600.0
"""For one layer's tests: many times what they take on a machine with nothing else to do."""
TEST_SECONDS = 180
_TAIL = 1500


class NotRun(Exception):
    """The tests did not run as they should have; the text says why. Says nothing of a layer."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How one named test ended, over all of its parameters.

    ``failed`` is when a claim of it did not hold; ``broke`` when it ended by anything else.
    """

    end: Literal["passed", "failed", "broke", "skipped"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a layer: its tests without it. ``problems`` is empty when all noticed."""

    layer: Layer
    problems: tuple[str, ...]
    skipped: str = ""
    """Why a test could not run on this machine, or empty."""

    @property
    def noticed(self) -> bool:
        """Whether every named test failed by its claim."""
        return not self.problems and not self.skipped


def judge(layer: Layer, tree: Path, before: dict[str, Ending]) -> Verdict:
    """Switch ``layer`` off in the copy ``tree`` and see who notices.

    ``before`` is how the tests ended with it on. Raises ``PatchMisfit``, :class:`NotRun`.
    """
    wrong = [(test, before[test]) for test in layer.tests if before[test].end != "passed"]
    skips = [f"{test}: {ending.why}" for test, ending in wrong if ending.end == "skipped"]
    if skips:
        return Verdict(layer, (), skips[0])
    if wrong:
        return Verdict(
            layer,
            tuple(f"{test}: {it.end} with the layer on: {it.why}" for test, it in wrong),
        )
    with without(layer, tree):
        after = run(tree, layer.tests)
    said = {
        "passed": "passes without the layer: it notices nothing",
        "broke": "breaks without the layer, instead of saying what is wrong",
        "skipped": "is skipped without the layer",
    }
    return Verdict(
        layer,
        tuple(
            f"{test}: {said[ending.end]} {ending.why}".rstrip()
            for test, ending in after.items()
            if ending.end != "failed"
        ),
    )


def run(
    tree: Path, tests: Sequence[str], *, seconds: float = DEADLINE_SECONDS
) -> dict[str, Ending]:
    """How each named test ends in the copy ``tree``. Raises :class:`NotRun`."""
    with tempfile.TemporaryDirectory(prefix="inland-layer-") as folder:
        report = Path(folder) / "report.json"
        output = _pytest(tree, tests, report, seconds)
        if not report.exists():
            raise NotRun(f"pytest wrote no report: {output[-_TAIL:]}")
        found = json.loads(report.read_text())
    if found["broken"]:
        raise NotRun(f"a test module cannot be imported: {found['broken'][0]}")
    _require_copy(tree, found["loaded"])
    endings = {test: _ending(test, found["tests"]) for test in tests}
    return endings


def _pytest(tree: Path, tests: Sequence[str], report: Path, seconds: float) -> str:
    """Run them, everything they start included; returns what was printed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "tests.layers.witness", f"--timeout={TEST_SECONDS}"]
    command += [f"--hypothesis-profile={PROFILE}", *tests]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    environment |= {"PYTHONPATH": str(tree), REPORT: str(report)}
    process = subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise NotRun(f"not done in {seconds:.0f} s") from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return output


def _require_copy(tree: Path, loaded: dict[str, str]) -> None:
    """What was tested must be the copy. The tree itself is installed as well, so this can fail."""
    home = tree.resolve()
    strays = [name for name, file in loaded.items() if not Path(file).is_relative_to(home)]
    if strays:
        raise NotRun(f"{strays[0]} was imported from elsewhere than the copy")
    if "tests.layers.witness" not in loaded:
        raise NotRun("the witness is not that of the copy")


def _ending(test: str, found: dict[str, dict[str, str]]) -> Ending:
    """Of a test with all of its parameters: one that failed by its claim is enough."""
    mine = [each for name, each in found.items() if name == test or name.startswith(f"{test}[")]
    if not mine:
        raise NotRun(f"{test} did not run")
    failed = [each for each in mine if each["end"] == "failed"]
    claims = [each for each in failed if each["why"] == "claim" and each["when"] == "call"]
    if claims:
        return Ending("failed")
    if failed:
        return Ending("broke", f"{failed[0]['why']} in {failed[0]['when']}")
    if any(each["end"] == "passed" for each in mine):
        return Ending("passed")
    return Ending("skipped", mine[0].get("why", ""))
