"""The conversation that a caller carries: the newest whole replica, in memory and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

from inland.caller.edge_events import ReplicaPart

FORMAT = 1
"""The version that this client carries; it never looks inside."""
MAX_REPLICA = 256 * 1024
"""Longest replica that is kept, characters."""


@dataclass(frozen=True, slots=True)
class HeldReplica:
    """A whole replica, and for which regions it is."""

    number: int
    turn: int
    regions: tuple[str, ...]
    text: str


class ReplicaKeeper:
    """Puts parts together. A replica counts once it is whole; parts of another one that was not
    finished are dropped."""

    def __init__(self) -> None:
        self.held: HeldReplica | None = None
        self._number = 0
        self._parts: list[str] = []

    def feed(self, part: ReplicaPart) -> None:
        """Take one event; none of them can be wrong in a way that loses a whole replica."""
        if part.parts == 0:
            self.drop()
            return
        if part.part == 1:
            self._number, self._parts = part.number, []
        if part.number != self._number or part.part != len(self._parts) + 1:
            self._parts = []
            self._number = 0
            return
        self._parts.append(part.data)
        if sum(map(len, self._parts)) > MAX_REPLICA:
            self._parts = []
            self._number = 0
        elif part.part == part.parts:
            self.held = HeldReplica(part.number, part.turn, part.regions, "".join(self._parts))

    def new_leg(self) -> None:
        """Another edge sends from now on: what is whole stays, its numbers begin anew."""
        self._number, self._parts = 0, []

    def drop(self) -> None:
        """Keep nothing: the edge said so, or another refused it for good."""
        self.held = None
        self.new_leg()
