"""What pip does for a release, as a process of its own: its configuration says which index."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from inland.release.errors import NoWheel, PipFailed
from inland.release.lock import Pin
from inland.release.target import Target

SECONDS = 1800
_NOT_FOUND = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)")


def download(pins: Sequence[Pin], target: Target, folder: Path) -> None:
    """Put the wheel of every pin into ``folder``, checked against the lock's digests.

    Raises ``NoWheel`` naming every pin that has none for ``target``, or ``PipFailed``.
    """
    try:
        _download(pins, target, folder)
    except _NotFound:
        missing = [pin for pin in pins if not _there_is(pin, target, folder)]
        names = [f"{pin.name} {pin.version}" for pin in missing]
        raise NoWheel(names, target.architecture) from None


def build(source: Path, backend: Sequence[Path], folder: Path, date: int) -> None:
    """Build the wheel of the project at ``source`` into ``folder``.

    ``backend`` are the wheels of what builds it: nothing else that happens to be installed has a
    part in the result. Raises ``PipFailed``.
    """
    with tempfile.TemporaryDirectory() as scratch:
        _run("install", "--no-index", "--no-deps", "--target", scratch, *map(str, backend))
        options = ("--no-deps", "--no-build-isolation", "--no-cache-dir", "--wheel-dir")
        variables = {"SOURCE_DATE_EPOCH": str(date), "PYTHONPATH": scratch}
        _run("wheel", *options, str(folder), str(source), **variables)


class _NotFound(PipFailed):
    pass


def _there_is(pin: Pin, target: Target, folder: Path) -> bool:
    try:
        _download([pin], target, folder)
    except _NotFound:
        return False
    return True


def _download(pins: Sequence[Pin], target: Target, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch, "wanted.txt")
        wanted.write_text("".join(f"{pin.line}\n" for pin in pins))
        options = ("--only-binary=:all:", "--no-deps", "--require-hashes", *target.pip_options)
        _run("download", *options, "--dest", str(folder), "--requirement", str(wanted))


def _run(command: str, *options: str, **variables: str) -> None:
    arguments = [sys.executable, "-m", "pip", "--no-input", "--quiet", command, *options]
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "LC_ALL": "C"} | variables
    try:
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env=environment, timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PipFailed(f"pip {command} did not end within {SECONDS} s") from None
    if done.returncode == 0:
        return
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    said = "\n".join(lines) or done.stderr.strip() or "it gave no reason"
    raise (_NotFound if _NOT_FOUND.search(said) else PipFailed)(f"pip {command}: {said[:2000]}")
