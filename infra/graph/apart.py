"""A capture in a process of its own, within a deadline.

What a program does to its process (ends it, hangs, prints, leaves modules behind, changes what the
rules are) stays there: the graph alone comes back, and is judged here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.graph.capture import ProgramError, capture
from infra.graph.plain import from_json, to_json
from infra.rules.model import Graph

SECONDS = 120.0
"""What a program may take. The shipped ones take about one second."""
MAX_BYTES = 64 * 1024 * 1024
_REFUSED = 3
"""Exit status of a child whose program refused; its words are in the result file."""


def capture_apart(
    project: Path, stack: str, *, preview: bool = False, seconds: float = SECONDS
) -> Graph:
    """As :func:`infra.graph.capture.capture`; what the program prints goes to standard error.

    Raises ``ProgramError``, also when the program ends its process or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="inland-graph-") as folder:
        result = Path(folder) / "graph.json"
        command = [sys.executable, "-m", __name__, str(project), stack, str(result)]
        child = subprocess.Popen(
            [*command, "--preview"] if preview else command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if _has_file(sys.stderr) else subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"the program has not ended after {seconds:.0f} s") from None
        finally:
            _end(child)
        text = result.read_text() if result.exists() else ""
    if status == _REFUSED:
        raise ProgramError(text)
    if status != 0 or not text:
        raise ProgramError(f"the program ended its process (status {status}) before it was done")
    if len(text) > MAX_BYTES:
        raise ProgramError("the program's graph is larger than any stack of ours")
    try:
        return from_json(text)
    except ValueError as error:
        raise ProgramError("the program's process answered with something else") from error


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the child and of what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _has_file(stream: object) -> bool:
    try:
        stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
    return True


def main(arguments: list[str]) -> int:
    """The child: capture, and leave the graph, or the program's refusal, in the file."""
    project, stack, result, *more = arguments
    try:
        text = to_json(capture(Path(project), stack, preview=bool(more)))
        status = 0
    except ProgramError as error:
        text, status = str(error), _REFUSED
    Path(result).write_text(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
