"""The law that this replica rules by, and which other laws a node may be on meanwhile.

A bundle reaches replicas and nodes seconds apart. For ``POLICY_GRACE_SECONDS`` a node on another
bundle than this replica is sent callers all the same, which opens nothing: the token lists what
this replica's law allows, and the node takes away what its own does not, so the call is kept to
what both allow. Afterwards a node that cannot follow is left alone, and so is one that this replica
cannot follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from control_plane.clock import Clock
from control_plane.contract import POLICY_GRACE_SECONDS
from regions.law import Law, formerly


@dataclass(frozen=True, slots=True)
class Rollout:
    """Which policies a node may be on at one moment (``now``, monotonic seconds).

    ``since`` is when the law was put in force here; ``before`` maps the policies of earlier ones to
    when their grace ends.
    """

    policy: str
    serial: int
    since: float
    now: float
    before: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def why_not(self, policy: str, serial: int | None, changed: float) -> str | None:
        """Why a node cannot take calls of this law, or None when it can.

        ``serial`` is that of the node's bundle, None without; ``changed`` is when the node was
        first heard to be on its ``policy``.
        """
        if policy == self.policy:
            return None
        if serial is None:
            return None if self.now < self.before.get(policy, self.now) else "of another policy"
        if serial == self.serial:
            return "of another policy"
        if serial > self.serial:
            ahead = self.now - changed >= POLICY_GRACE_SECONDS
            return "of a newer policy" if ahead else None
        behind = self.now - self.since >= POLICY_GRACE_SECONDS
        return "of an older policy" if behind else None


class LawInForce:
    """One law at a time, replaced whole. One event loop owns it."""

    def __init__(self, law: Law, clock: Clock) -> None:
        self._clock = clock
        self._law = law
        self._since = clock.monotonic()
        self._before: dict[str, float] = {}

    @property
    def now(self) -> Law:
        """The law in force."""
        return self._law

    def replace(self, law: Law) -> None:
        """``law`` is in force from here on."""
        now = self._clock.monotonic()
        self._before = formerly(self._before, self._law.policy, now=now, grace=POLICY_GRACE_SECONDS)
        self._law, self._since = law, now

    def rollout(self) -> Rollout:
        """How far nodes may be from the law in force at this moment."""
        return Rollout(
            self._law.policy,
            self._law.serial,
            self._since,
            self._clock.monotonic(),
            MappingProxyType(self._before),
        )
