"""What placement said of many regions, as few lines for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from control_plane.contract import RegionVerdict

NAMED = 3
"""Regions of a group that are named; the rest are counted."""
_PLACE = re.compile(r"^in [^:]+: ")
"""What a reason begins with: where the region stands. The rest is common to all of a law."""


def grouped(verdicts: Iterable[RegionVerdict]) -> list[tuple[str, str]]:
    """Regions that share a reason and the reason, in the order of the first of each group."""
    groups: dict[str, list[RegionVerdict]] = {}
    for verdict in verdicts:
        groups.setdefault(_PLACE.sub("", verdict.reason), []).append(verdict)
    return [
        (_names(alike), common if len(alike) > 1 else alike[0].reason)
        for common, alike in groups.items()
    ]


def _names(verdicts: Sequence[RegionVerdict]) -> str:
    named = ", ".join(verdict.region for verdict in verdicts[:NAMED])
    more = len(verdicts) - NAMED
    return f"{named} and {more} more" if more > 0 else named
