"""The law that this process decides by, now and a moment ago."""

from __future__ import annotations

from collections.abc import Callable

from edge.clock import Clock
from regions.law import Law

GRACE_SECONDS = 120.0
"""How long tokens made under the law before are still read. They open nothing that the law in force
closes: every list of regions is intersected with it."""


class LawInForce:
    """One law at a time, replaced whole; everything that decides holds this and asks it anew.

    ``on_change`` is called after each replacement, in the order of registration.
    """

    def __init__(self, law: Law, clock: Clock) -> None:
        self._law = law
        self._clock = clock
        self._before: tuple[str, float] | None = None
        self.on_change: list[Callable[[Law], None]] = []

    @property
    def now(self) -> Law:
        """The law in force."""
        return self._law

    def replace(self, law: Law) -> None:
        """``law`` is in force from here on."""
        self._before = self._law.policy, self._clock.monotonic() + GRACE_SECONDS
        self._law = law
        for told in self.on_change:
            told(law)

    def knows(self, policy: str) -> bool:
        """Whether ``policy`` is the one in force, or was so a moment ago."""
        if policy == self._law.policy:
            return True
        if self._before is None:
            return False
        before, until = self._before
        return policy == before and self._clock.monotonic() < until
