"""Targets beside what was measured. Missing one is a result and no failure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Target:
    """``measured`` is to be at most, or at least, ``bound``."""

    what: str
    bound: float
    measured: float
    unit: str
    sense: Literal["at most", "at least"] = "at most"

    @property
    def met(self) -> bool:
        if self.sense == "at most":
            return self.measured <= self.bound
        return self.measured >= self.bound

    def as_json(self) -> dict[str, Any]:
        """The target with its verdict."""
        return {**asdict(self), "met": self.met}


def target_lines(targets: list[Target]) -> list[str]:
    """An aligned table: what, bound, measured, verdict."""
    cells = [
        (
            target.what,
            f"{'≤' if target.sense == 'at most' else '≥'} {target.bound:g} {target.unit}".rstrip(),
            f"{target.measured:.4g} {target.unit}".rstrip(),
            "met" if target.met else "MISSED",
        )
        for target in targets
    ]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(4)]
    return [
        "  "
        + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def section_lines(title: str, rows: list[tuple[str, str]]) -> list[str]:
    """A title, and names and figures in two columns."""
    width = max((len(name) for name, _ in rows), default=0)
    return ["", title, *(f"  {name.ljust(width)}  {figure}" for name, figure in rows)]
