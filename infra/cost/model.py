"""An estimate: what each component of a stack costs a month, and a minute of a call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from infra.cost.usage import MINUTES_A_MONTH, Usage


@dataclass(frozen=True, slots=True)
class Component:
    """One line of the bill."""

    name: str
    usd: float
    """A month."""
    basis: str
    """What was counted, in words."""
    confirmed: bool = True
    """False when a price in it was not read anywhere, but taken from a neighbour."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one stack for one number of calls at a time."""

    stack: str
    calls: int
    """Asked for, at a time."""
    served: int
    """Of them, how many the stack's largest fleet takes; the others are refused."""
    nodes: int
    """That the fleet scales to while the calls stand."""
    usage: Usage
    read_on: date
    """When the price table was put together."""
    components: tuple[Component, ...]
    notes: tuple[str, ...] = ()

    @property
    def usd(self) -> float:
        """A month."""
        return sum(component.usd for component in self.components)

    @property
    def call_minutes(self) -> float:
        """Of a month."""
        return self.served * self.usage.busy * MINUTES_A_MONTH

    @property
    def usd_per_call_minute(self) -> float | None:
        """None without calls."""
        return self.usd / self.call_minutes if self.call_minutes else None
