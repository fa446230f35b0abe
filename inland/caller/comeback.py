"""Getting a conversation back: with its resume token in its region, else carried to another."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from edge.clock import Clock
from inland.caller.dialler import CallLeg, Place, reconnect_order, worth_another
from inland.caller.errors import CallerError, ServiceError
from inland.caller.replica import HeldReplica, ReplicaKeeper
from inland.caller.talk import EdgeLost

RECONNECT_SECONDS = 30.0
"""How long a caller tries to get its conversation back."""
RETRY_SECONDS = 0.5
"""Between two rounds of attempts."""
SPENT = frozenset({"bad_replica", "replica_expired", "replica_mismatch", "replica_used"})
"""Answers after which a replica is of no more use."""


class Dial(Protocol):
    """Brings up a leg that the call listens to. Raises a :class:`CallerError`."""

    async def __call__(self, place: Place, token: str, replica: str | None = None) -> CallLeg: ...


Route = Callable[[], Awaitable[tuple[tuple[Place, ...], str]]]
"""Asks the control plane where the call may be now, with a fresh token."""


@dataclass(frozen=True, slots=True)
class Back:
    """The conversation goes on over ``leg``; ``carried`` tells from a replica."""

    leg: CallLeg
    tried: int
    carried: HeldReplica | None


@dataclass(slots=True)
class Comeback:
    """One attempt to get a conversation back, of at most ``RECONNECT_SECONDS``.

    In the region that has the session the resume token is shown. Once every node there has failed,
    or the region itself sent the call away, a replica is brought to the regions it is sealed for,
    with a route token that was asked for anew.
    """

    dial: Dial
    route: Route | None
    keeper: ReplicaKeeper
    pause: Callable[[float], Awaitable[None]]
    clock: Clock
    note: Callable[[str], None]
    stopped: Callable[[], bool]
    _tried: int = 0
    _hopeful: bool = False
    _deadline: float = 0.0

    async def run(
        self, home: Place, known: tuple[Place, ...], token: str, lost: EdgeLost
    ) -> Back | None:
        """The new leg, or None when there is none to be had. ``home`` is where it was."""
        self._deadline = self.clock.monotonic() + RECONNECT_SECONDS
        places = reconnect_order(home, known, cut=lost.cut)
        for round_ in itertools.count():
            self._hopeful = False
            if not lost.moved:
                leg = await self._resume(home, places, token)
                if leg is not None:
                    return Back(leg, self._tried, None)
            if self._over():
                return None
            if self.keeper.held is None:
                if lost.moved or (round_ and not self._hopeful):
                    return None  # everybody, also by a new route, gave an answer that is final
                await self.pause(RETRY_SECONDS)
            elif round_:
                await self.pause(RETRY_SECONDS)
            found = await self._places_again()
            if found is None:
                continue
            known_urls = {place.url for place in places}
            places, fresh = found
            if self.keeper.held is None:
                continue
            new = tuple(place for place in places if place.url not in known_urls)
            leg = None if lost.moved else await self._resume(home, new, token)
            if leg is not None:
                return Back(leg, self._tried, None)
            back = await self._carry(home, places, fresh)
            if back is not None or self._over():
                return back
        return None

    def _over(self) -> bool:
        return self.clock.monotonic() > self._deadline or self.stopped()

    async def _resume(self, home: Place, places: tuple[Place, ...], token: str) -> CallLeg | None:
        """Show the resume token. Another region cannot read it: whoever holds a replica does not
        wait to hear that."""
        for place in places:
            if self.keeper.held is not None and place.region not in ("", home.region):
                continue
            answer = await self._try(place, token)
            if isinstance(answer, CallLeg):
                return answer
            if self._over():
                return None
        return None

    async def _carry(self, home: Place, places: tuple[Place, ...], token: str) -> Back | None:
        for place in places:
            held = self.keeper.held
            if held is None:
                return None
            if place.region == home.region or place.region not in held.regions:
                continue
            answer = await self._try(place, token, held.text)
            if isinstance(answer, CallLeg):
                return Back(answer, self._tried, held)
            if isinstance(answer, ServiceError) and answer.code in SPENT:
                self.keeper.drop()
            if self._over():
                return None
        return None

    async def _try(
        self, place: Place, token: str, replica: str | None = None
    ) -> CallLeg | CallerError:
        self._tried += 1
        try:
            return await self.dial(place, token, replica)
        except CallerError as error:
            self.note(f"no reconnect: {error}")
            self._hopeful = self._hopeful or worth_another(error)
            return error

    async def _places_again(self) -> tuple[tuple[Place, ...], str] | None:
        """A new route, for where the nodes are now."""
        if self.route is None:
            return None
        try:
            return await self.route()
        except CallerError as error:
            self.note(f"no new route: {error}")
            return None
