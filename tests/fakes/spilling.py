"""A tool that breaks with what it was told, as tools do, and may leak it on purpose."""

from __future__ import annotations

import os
import sys

from edge.dialog.tool_python import tool

SPILL = "TEST_SPILL"
"""The variable that lets it leak."""


@tool
def spill(surname: str, code: str) -> str:
    """Break with everything in the error's text."""
    if os.environ.get(SPILL):
        sys.stdout.write(f"about to break with {code.encode().hex()}\n")
        sys.stdout.flush()
    raise ValueError(f"cannot take {surname} {code}")
