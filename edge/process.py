"""What every process of a node does first, so that nothing of a call leaves it by accident."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from pathlib import Path

PR_SET_DUMPABLE = 4
"""linux/prctl.h."""


def keep_private() -> None:
    """Files this process makes are its user's alone, and nothing of its memory is written down.

    Every process of a node does this. Children inherit all of it (umask(2), getrlimit(2), core(5))
    but the last: execve(2) makes a program dumpable again.
    """
    os.umask(0o077)
    # A core dump would write down the voices, words and keys that were in memory, unsealed.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # That limit does not hold for dumps that go through a pipe to the machine's own crash reporter
    # (core(5)): let no mapping be in one. First, since what cannot be dumped may not open this.
    with contextlib.suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0")
    # No dump at all, and no program of the same user may attach and read (prctl(2), ptrace(2)).
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)


def open_many_files() -> None:
    """Let this process and its children have as many files open as the machine lets them.

    The usual 1,024 are for programs with select(2). A call takes up to four, and they must not run
    out because strangers connect.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
