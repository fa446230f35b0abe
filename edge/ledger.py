"""Where a call's data was: counted while it happens, for the receipt.

Every room that moves data of a call out of its hands is given the call's ledger. It counts and
keeps nothing of the data itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edge.clock import Clock
from regions.models import DataClass, Operation

MAX_LINES = 64
"""Distinct lines that one ledger keeps. A call has a dozen."""

Kind = Literal[
    "caller",
    "carrier",
    "host",
    "store",
    "bucket",
    "model",
    "tool",
    "webhook",
    "stt",
    "tts",
    "replica",
]
"""What stands at the other end: the caller's own line is told apart from places that we chose. A
``replica`` is at its region, wherever the caller keeps it: nobody else opens it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where data is taken to. ``endpoint`` is scheme, host and port, never a path with words; of a
    carrier it is the operator's own name of the trunk, never a number or an address."""

    kind: Kind
    name: str
    region: str
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one place had of one class of data.

    Times are Unix seconds. ``sent`` are the bytes that went to the place, ``received`` those that
    came from it.
    """

    place: Place
    data_class: DataClass
    operation: Operation
    first: float
    last: float
    sent: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was refused, how often, and by which rule."""

    place: Place
    data_class: DataClass
    reason: str
    first: float
    last: float
    count: int


def carrier(name: Literal["sip", "transfer"], trunk: str) -> Place:
    """The telephone network behind a trunk, as the call's own line or as who transfers it. An empty
    ``trunk`` is one that nobody named."""
    return Place("carrier", name, "", f"trunk:{trunk}" if trunk else "")


class Ledger:
    """The account of one call.

    When more than ``MAX_LINES`` distinct lines are asked for, further ones are only counted in
    ``overflow``: a receipt says so, since it is then not the whole account.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[tuple[Place, DataClass, Operation], Entry] = {}
        self._attempts: dict[tuple[Place, DataClass, str], Attempt] = {}
        self.overflow = 0

    def touch(
        self,
        place: Place,
        data_class: DataClass,
        operation: Operation,
        *,
        sent: int = 0,
        received: int = 0,
    ) -> None:
        """Data of the class was, or is about to be, at ``place``."""
        now = self._clock.wall()
        key = (place, data_class, operation)
        found = self._entries.get(key)
        if found is None:
            if self._full():
                return
            found = Entry(place, data_class, operation, now, now)
        self._entries[key] = replace(
            found, last=now, sent=found.sent + sent, received=found.received + received
        )

    def refuse(self, place: Place, data_class: DataClass, reason: str) -> None:
        """Data of the class was kept from ``place``."""
        now = self._clock.wall()
        key = (place, data_class, reason)
        found = self._attempts.get(key)
        if found is None:
            if self._full():
                return
            found = Attempt(place, data_class, reason, now, now, 0)
        self._attempts[key] = replace(found, last=now, count=found.count + 1)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """In the order that they were begun."""
        return tuple(self._entries.values())

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return tuple(self._attempts.values())

    def _full(self) -> bool:
        full = len(self._entries) + len(self._attempts) >= MAX_LINES
        self.overflow += full
        return full
