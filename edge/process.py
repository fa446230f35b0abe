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
