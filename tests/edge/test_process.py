"""What a process of a node does first."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from edge.process import open_many_files

PRIVATE = """
import ctypes, os, resource, subprocess, sys
from pathlib import Path
from edge.process import keep_private
keep_private()
PR_GET_DUMPABLE = 3
print(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE), resource.getrlimit(resource.RLIMIT_CORE))
child = "from pathlib import Path; print(Path('/proc/self/coredump_filter').read_text().strip())"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
print(oct(os.umask(0)))
"""


def test_a_private_process_leaves_no_memory_behind_and_its_children_none_of_theirs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRIVATE], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["0 (0, 0)", "00000000", "0o77"]


def test_a_process_may_open_as_many_files_as_the_machine_lets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, 524_288))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: asked.append((kind, limits)))
    open_many_files()
    assert asked == [(resource.RLIMIT_NOFILE, (524_288, 524_288))]
