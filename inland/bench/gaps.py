"""How evenly packets leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Gaps:
    """Milliseconds between packets that follow each other; 20 is perfect."""

    p50: float
    p99: float
    max: float


def gaps_of(lines: Iterable[list[float]]) -> Gaps | None:
    """The gaps of several calls together, from each call's in seconds; None without any."""
    every = np.array([gap for line in lines for gap in line]) * 1000
    if not len(every):
        return None
    p50, p99 = np.percentile(every, (50, 99))
    return Gaps(round(float(p50), 2), round(float(p99), 2), round(float(every.max()), 2))
