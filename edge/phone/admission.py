"""Who may call in: pure. A trunk by its network, by its password or by both; nobody else.

The digest itself is checked before (RFC 8760); here only its outcome counts.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.clock import Clock
from edge.phone.trunk import Trunk
from edge.phone.trunks import Trunks
from edge.ratelimit import Buckets
from edge.transport.sip.net.budgets import source_key
from edge.transport.sip.wire.digest.server import Verdict as Proof

STRANGERS_PER_SECOND = 0.5
STRANGERS_BURST = 10
"""Answers to one source that is no trunk; beyond them it hears nothing."""
MAX_SOURCES = 8_192
PROVEN_SECONDS = 3600.0
"""For so long a source that proved a password is challenged as often as it calls."""
MAX_PROVEN = 1_024


@dataclass(frozen=True, slots=True)
class Welcome:
    """It is this trunk's."""

    trunk: Trunk


@dataclass(frozen=True, slots=True)
class Challenge:
    """401: prove it. ``stale``: the password was right, the nonce too old."""

    stale: bool


@dataclass(frozen=True, slots=True)
class Forbidden:
    """403; the reason is for the log, never for the caller."""

    reason: Literal["stranger", "bad_password", "other_trunk"]


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer: this source asks too often."""


Admission: TypeAlias = Welcome | Challenge | Forbidden | Silence


class Door:
    """Admits by :class:`Trunks`, and answers strangers at a rate."""

    def __init__(self, trunks: Trunks, clock: Clock) -> None:
        self._trunks = trunks
        self._clock = clock
        self._strangers = Buckets(
            clock, per_second=STRANGERS_PER_SECOND, burst=STRANGERS_BURST, limit=MAX_SOURCES
        )
        self._proven: OrderedDict[str, float] = OrderedDict()

    def admit(self, source: str, proof: Proof | None) -> Admission:
        """Whether a request from ``source``, a numeric address, is a trunk's.

        ``proof`` is what its Authorization was found to be worth; None: it has none for us.
        """
        admission = judge(self._trunks, source, proof)
        if isinstance(admission, Welcome):
            if proof is not None and proof.outcome == "ok":
                self._remember(source)
            return admission
        if isinstance(admission, Challenge) and self._may_be_challenged(source):
            return admission
        return admission if self._strangers.take(source_key(source)) else Silence()

    def _may_be_challenged(self, source: str) -> bool:
        """Trunks' networks, and sources that knew a password, need no rate: each call asks once."""
        if self._trunks.of_source(source) is not None:
            return True
        return self._clock.monotonic() < self._proven.get(source, 0.0)

    def _remember(self, source: str) -> None:
        self._proven[source] = self._clock.monotonic() + PROVEN_SECONDS
        self._proven.move_to_end(source)
        if len(self._proven) > MAX_PROVEN:
            self._proven.popitem(last=False)


def judge(trunks: Trunks, source: str, proof: Proof | None) -> Admission:
    """The rule alone, without memory and rate."""
    here = trunks.of_source(source)
    if here is not None and here.inbound_auth is None:
        return Welcome(here)
    if here is None and not trunks.take_strangers:
        return Forbidden("stranger")
    if proof is None:
        return Challenge(stale=False)
    if proof.outcome == "stale":
        return Challenge(stale=True)
    if proof.outcome != "ok":  # an unknown name looks like a wrong password
        return Forbidden("bad_password")
    named = trunks.of_login(proof.username)
    if named is None or (named.networks and named is not here):
        return Forbidden("other_trunk")  # the right password from the wrong place
    return Welcome(named)


class TrunkLimits:
    """How much a trunk brings at most: calls at once, and new ones a second."""

    def __init__(self, trunks: tuple[Trunk, ...], clock: Clock) -> None:
        self._buckets = {
            trunk.name: Buckets(
                clock,
                per_second=trunk.calls_per_second,
                burst=max(1, round(trunk.calls_per_second)),
                limit=1,
            )
            for trunk in trunks
        }

    def take(self, trunk: Trunk, active: int) -> bool:
        """Whether ``trunk``, which has ``active`` calls here, may bring one more now."""
        return active < trunk.max_calls and self._buckets[trunk.name].take(trunk.name)
