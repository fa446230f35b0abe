"""What every process of a node does first, so that nothing of a call leaves it by accident."""

from __future__ import annotations

import os
import resource


def keep_private() -> None:
    """Files this process makes are its user's alone, and it leaves no core dump.

    Children inherit both (umask(2), getrlimit(2)), so the voice worker is covered by its
    dispatcher.
    """
    os.umask(0o077)
    # A core dump would write down the voices, words and keys that were in memory, unsealed.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def open_many_files() -> None:
    """Let this process and its children have as many files open as the machine lets them.

    The usual 1,024 are for programs with select(2). A call takes up to four, and they must not run
    out because strangers connect.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
