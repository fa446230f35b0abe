"""The caller carries the conversation: its replica, sent after each change.

Regions do not reach each other. A client that says that it can carry is given the conversation
sealed for the other regions that may have it, and goes on in one of them when this one is lost or
may not have it any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from edge.clock import Clock
from edge.ledger import Ledger, Place
from edge.realtime import Event, event
from edge.session.contents import LiveContents
from edge.session.errors import SessionError
from edge.session.journal import Journal
from edge.session.replica import Replica, ReplicaHead, ReplicaKey
from edge.session.replica_regions import CARRIED, replica_regions
from regions.law import Law
from regions.models import Operation
from regions.policy import day_of

CHUNK = 12_000
"""Characters of a replica in one event, which with all around them stays below 16 KiB."""
GAP_SECONDS = 0.5
"""Between two replicas, so that what follows closely goes out once."""
BYTES_PER_SECOND = 8192
"""What replicas may take of the caller's line on average: long ones go out more rarely."""
MOVE_SECONDS = 5.0
"""What a client may take to say that it has what it needs and goes elsewhere."""
LIFETIME_SECONDS = 600
"""A replica counts so long after it was sealed, if none of the session's data ends before."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Carrier:
    """One call's. Until the client asked (:meth:`want`) nothing is sealed or sent.

    :meth:`run` sends after each entry of the journal. What knows of a tool call is handed to the
    channel as the entry is written: before the tool is called, and before its result is told. What
    cannot be sealed is told to the client, which then forgets
    what it has: nobody goes on from an old moment by mistake.
    """

    journal: Journal
    live: LiveContents
    agent: str
    key: ReplicaKey
    law: Callable[[], Law]
    ledger: Ledger
    clock: Clock
    send: Callable[[Event], None]
    """To the client's event channel; never blocks."""
    _wanted: bool = False
    _dirty: asyncio.Event = field(default_factory=asyncio.Event)
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)
    _number: int = 0
    _empty: bool = True
    """Whether the client has nothing, as far as it was told."""
    _only: frozenset[str] | None = None
    """The only regions that are left, once the call is being moved."""
    _targets: tuple[Law, date, Mapping[str, bytes]] | None = None

    def __post_init__(self) -> None:
        self.live.on_change = self._changed
        self.journal.live = self.live

    def want(self) -> None:
        """The client can carry."""
        self._wanted = True
        self._changed(False)

    def targets(self) -> Mapping[str, bytes]:
        """The regions that a replica is sealed for by the law in force, with their keys.

        None that the call lost under an earlier law, also when this one would have it again.
        """
        law, today = self.law(), day_of(self.clock.wall())
        found = self._targets
        if found is None or found[0] is not law or found[1] != today:
            here = self.key.region
            keys: dict[str, bytes] = {}
            # Under another key than the law names for this region nobody would believe us.
            if law.replica_keys.get(here) == self.key.public:
                regions = replica_regions(law, self.journal.tag, here, today)
                keys = {region: law.replica_keys[region] for region in regions}
            found = self._targets = law, today, keys
        left = self.journal.books.notary.left
        may = [{*left.get(data_class, ())} for data_class in CARRIED]
        if self._only is not None:
            may.append({*self._only})
        return {
            region: key
            for region, key in found[2].items()
            if all(region in regions for regions in may)
        }

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._dirty.wait()
            sent = self.flush()
            await asyncio.sleep(max(GAP_SECONDS, sent / BYTES_PER_SECOND))

    def flush(self) -> int:
        """Send the newest replica, if it was not; returns its size.

        What cannot be sealed is no reason to end the call: the client is told to keep none.
        """
        if not self._dirty.is_set():
            return 0
        self._dirty.clear()
        try:
            replica = self._seal()
        except SessionError as error:
            log.warning("replica not sealed", extra={"reason": type(error).__name__})
            replica = None
        if replica is None:
            self._forget()
            return 0
        self._empty = False
        self._account(replica)
        self._send(replica)
        return len(replica.text)

    # --- moving the call (edge.leaving.Mover) ----------------------------------------------------

    def can_move(self, regions: Sequence[str]) -> bool:
        """Whether the client can carry the conversation to one of ``regions``."""
        return self._wanted and any(region in regions for region in self.targets())

    async def move(self, regions: Sequence[str]) -> bool:
        """Send the client the newest replica, for ``regions`` alone, and away; whether it goes."""
        if not self._wanted:
            return False
        self._only = frozenset(regions)
        self._dirty.set()
        if not self.flush():
            return False
        self.send(event("inland.call.move", number=self._number, reason="policy"))
        try:
            async with asyncio.timeout(MOVE_SECONDS):
                await self._leaving.wait()
        except TimeoutError:
            return False
        return True

    def leaving(self, number: int) -> None:
        """The client has the replica of that number, and goes."""
        if number == self._number and not self._empty:
            self._leaving.set()

    def _changed(self, urgent: bool) -> None:
        if self._wanted:
            self._dirty.set()
            if urgent:
                self.flush()

    def _seal(self) -> Replica | None:
        keys, contents = self.targets(), self.live.now()
        if not keys or not contents.turns:
            return None
        now = int(self.clock.wall())
        tag, ends = self.journal.tag, dict(self.journal.ends)
        head = ReplicaHead(
            source=self.key.region,
            tag=tag,
            agent=self.agent,
            turn=len(contents.turns),
            at=now,
            expires_at=min([now + LIFETIME_SECONDS, tag.expires_at, *ends.values()]),
            ends=ends,
        )
        return self.key.seal(head, contents, keys)

    def _send(self, replica: Replica) -> None:
        self._number += 1
        text = replica.text
        parts = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
        for part, data in enumerate(parts, start=1):
            self.send(
                event(
                    "inland.replica",
                    number=self._number,
                    turn=replica.turn,
                    regions=list(replica.regions),
                    part=part,
                    parts=len(parts),
                    data=data,
                )
            )

    def _forget(self) -> None:
        if not self._empty:
            self._empty = True
            self._number += 1
            self.send(event("inland.replica", number=self._number, turn=0, part=0, parts=0))

    def _account(self, replica: Replica) -> None:
        """What is sealed for a region counts as sent there: whether the caller ever brings it there
        is not in our hands."""
        for region in replica.regions:
            place = Place("replica", "caller", region)
            for data_class, size in replica.sizes.items():
                self.ledger.touch(place, data_class, Operation.REPLICATE, sent=size)
