"""A table for people, aligned, that fits the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

MIN_LAST_WIDTH = 30
"""A narrower terminal gets long lines instead of a ribbon of text."""


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns; the last one wraps to the terminal."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header) - 1)]
    indent = sum(widths) + 2 * len(widths)
    room = shutil.get_terminal_size((100, 24)).columns - indent
    for row in (header, *rows):
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False))
        last = (room >= MIN_LAST_WIDTH and textwrap.wrap(row[-1], room)) or [row[-1]]
        for number, line in enumerate(last):
            print((start if number == 0 else " " * indent) + line)
