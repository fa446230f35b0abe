"""Under which terms a call is in its region, and what becomes of it when they are tightened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from edge.clock import Clock
from edge.internal import Admitted
from edge.leaving import Notices
from edge.outbound import Outbound
from edge.policy_live import Leaves
from edge.session.account import Notary
from regions.models import DataClass


@dataclass(slots=True)
class Terms:
    """One call's. ``caller`` has them as they are now; they only ever get narrower.

    ``destroy`` ends what is kept of the session here for good; it raises nothing.
    """

    caller: Admitted
    outbound: Outbound
    notary: Notary
    notices: Notices
    clock: Clock
    destroy: Callable[[], Awaitable[None]]
    leaves: Leaves | None = None
    """Why the call may not be here any more; None while it may."""

    def narrow(self, caller: Admitted) -> None:
        """The law left the call here, under ``caller``."""
        self.caller = caller
        self._apply()

    def leave(self, ruling: Leaves) -> None:
        """The law keeps the call from here: nothing goes out from it any more."""
        self.leaves = ruling
        self.caller = ruling.caller
        self._apply(nothing_out=True)

    def leave_more(self, ruling: Leaves) -> None:
        """Another law came while the call leaves: where it goes stays, but no more is kept than
        each of them lets."""
        if self.leaves is not None and not ruling.keeps:
            self.leaves = replace(self.leaves, keeps=False)

    async def end(self) -> None:
        """What is to be done when the call is over and its record is written."""
        if self.leaves is not None and not self.leaves.keeps:
            await self.destroy()

    def _apply(self, *, nothing_out: bool = False) -> None:
        allowed = regions_of(self.caller)
        self.outbound.narrow({} if nothing_out else allowed)  # before its end is written down
        self.notary.narrow(allowed, self.caller.policy, self.clock.wall())


def regions_of(caller: Admitted) -> dict[DataClass, tuple[str, ...]]:
    """Which regions may have each class of the call's data."""
    return {DataClass(name): tuple(where) for name, where in caller.regions.items()}
