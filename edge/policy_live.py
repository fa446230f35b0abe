"""What the law in force means for a call that is under way: pure.

It is asked again when a new law comes, each minute, and at midnight UTC, when rules begin and end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from edge.admission import HELD, NEEDS, common_regions, lawful_regions
from edge.internal import Admitted
from regions.law import Law
from regions.models import DataClass, Operation

STORED = tuple(data_class for data_class, done in HELD.items() if Operation.STORE in done)
"""What is kept of a session, and under its keys."""


@dataclass(frozen=True, slots=True)
class Stays:
    """The call goes on here, under ``caller``: the terms it had, or narrower ones."""

    caller: Admitted
    reason: str


@dataclass(frozen=True, slots=True)
class Leaves:
    """The call may not be here any more. ``regions`` may have it, in order, and may be none;
    ``keeps`` says whether what is stored of it here may stay, ``caller`` has what is left of its
    terms."""

    caller: Admitted
    regions: tuple[str, ...]
    keeps: bool
    reason: str


LiveRuling: TypeAlias = Stays | Leaves


def rule_live(caller: Admitted, *, region: str, law: Law, on: date) -> LiveRuling:
    """Whether a call of ``caller`` may go on in ``region`` on that day, and what may leave it.

    What the call was once allowed is a bound: a law that opens more opens nothing for it.
    """
    held = {DataClass(name): regions for name, regions in caller.regions.items()}
    lawful = lawful_regions(held, caller.jurisdictions, law, tenant=caller.tenant, on=on)
    narrowed = caller.model_copy(
        update={
            "regions": {data_class.value: regions for data_class, regions in lawful.items()},
            "policy": law.policy,
        }
    )
    lost = [data_class.value for data_class in NEEDS if region not in lawful[data_class]]
    if lost:
        return Leaves(
            narrowed,
            common_regions(lawful),
            keeps=all(region in lawful[name] for name in STORED if region in held.get(name, ())),
            reason=f"{region} may not have the caller's {', '.join(lost)} any more",
        )
    taken = sorted({name for kept in held.values() for name in kept} - _named(lawful))
    if taken:
        return Stays(narrowed, f"{region} may go on, without {', '.join(taken)}")
    return Stays(narrowed, f"{region} may go on")


def _named(regions: dict[DataClass, tuple[str, ...]]) -> set[str]:
    return {name for kept in regions.values() for name in kept}
