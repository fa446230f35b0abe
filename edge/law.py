"""The law that this process decides by, now and a moment ago."""

from __future__ import annotations

from collections.abc import Callable

from control_plane.contract import POLICY_GRACE_SECONDS
from edge.clock import Clock
from regions.law import Law, formerly

GRACE_SECONDS = POLICY_GRACE_SECONDS
"""How long tokens made under the law before are still read. They open nothing that the law in force
closes: every list of regions is intersected with it."""


class LawInForce:
    """One law at a time, replaced whole; everything that decides holds this and asks it anew.

    ``bundle`` is what the operator signed of it, None for the catalogue of the settings.
    ``follows`` says whether newer bundles are looked for. ``on_change`` is called after each
    replacement, in the order of registration.
    """

    def __init__(
        self, law: Law, clock: Clock, bundle: bytes | None = None, *, follows: bool = False
    ) -> None:
        self._law = law
        self._clock = clock
        self._before: dict[str, float] = {}
        """Policies that were in force a moment ago, and until when their tokens are read."""
        self._follows = follows
        self.bundle = bundle
        self.on_change: list[Callable[[Law], None]] = []

    @property
    def now(self) -> Law:
        """The law in force."""
        return self._law

    def replace(self, law: Law, bundle: bytes | None = None) -> None:
        """``law`` is in force from here on."""
        now = self._clock.monotonic()
        self._before = formerly(self._before, self._law.policy, now=now, grace=GRACE_SECONDS)
        self._law = law
        self.bundle = bundle
        for told in self.on_change:
            told(law)

    def knows(self, policy: str, serial: int | None = None) -> bool:
        """Whether a token made under ``policy`` may be read: the law in force, one that was so a
        moment ago, or, by the ``serial`` of its bundle, a newer one that is on its way here. What
        is read is held to the law in force all the same."""
        if policy == self._law.policy:
            return True
        if self._follows and serial is not None and serial > self._law.serial:
            return True
        until = self._before.get(policy)
        return until is not None and self._clock.monotonic() < until
