"""Brings a leg up: an offer, its answer, media and the event channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from control_plane.contract import Candidate
from edge.clock import Clock
from edge.leg import LegError
from edge.media.ticker import Ticker
from inland.caller.errors import CallerError, ServiceError, UnreachableError
from inland.caller.network import Answer, Network
from inland.caller.options import Codec
from inland.caller.peer import Peer, PeerFactory

CONNECT_SECONDS = 8.0
"""Longest from the answer until media flows and ``session.created`` is there."""
CLOSE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Place:
    """An edge that may take the call; region and node are empty until it says who it is."""

    url: str
    region: str = ""
    node: str = ""

    @classmethod
    def of(cls, candidate: Candidate) -> Place:
        return cls(candidate.url, candidate.region, candidate.node)

    def __str__(self) -> str:
        return self.node or self.url


class CallLeg:
    """One connection to one edge. ``token`` opened it, and hangs it up."""

    def __init__(self, place: Place, token: str, peer: Peer, began_at: float) -> None:
        self.place = place
        self.peer = peer
        self.last_sign = began_at
        """When the last packet or event came, seconds of the call's clock."""
        self.connect_ms = 0.0
        self.answer: Answer | None = None
        self._token = token

    async def hang_up(self, network: Network) -> None:
        """Tell the edge that the call is over. Raises a :class:`CallerError`."""
        if self.answer is not None:
            await network.hang_up(self.answer, self._token)

    async def close(self) -> None:
        """Free the connection; one that does not close in time is left to the process's end."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.peer.close()
        except TimeoutError:
            return


Wiring = Callable[[CallLeg], asyncio.Event]
"""Attaches a new leg to the call before its offer leaves; the event says ``session.created``."""


class Dialler:
    """Makes legs. ``clock`` is the call's."""

    def __init__(
        self, network: Network, peers: PeerFactory, ticker: Ticker, clock: Clock, codec: Codec
    ) -> None:
        self._network = network
        self._peers = peers
        self._ticker = ticker
        self._clock = clock
        self._codec = codec

    async def dial(
        self, place: Place, token: str, wire: Wiring, replica: str | None = None
    ) -> CallLeg:
        """A leg over which media and events flow; with a replica it goes on with that conversation.

        Raises a :class:`CallerError` and leaves nothing behind when it cannot be had.
        """
        began = self._clock.monotonic()
        leg = CallLeg(place, token, self._peers(self._codec, self._ticker, self._clock), began)
        try:
            created = wire(leg)
            leg.answer = await self._network.offer(
                place.url, token, await leg.peer.offer(), replica
            )
            await self._media(leg, created)
        except BaseException:
            await leg.close()
            raise
        leg.connect_ms = (self._clock.monotonic() - began) * 1000
        leg.last_sign = self._clock.monotonic()
        return leg

    async def _media(self, leg: CallLeg, created: asyncio.Event) -> None:
        assert leg.answer is not None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await leg.peer.accept(leg.answer.sdp)
                await leg.peer.connected()
                await created.wait()
        except TimeoutError:
            raise UnreachableError(
                f"{leg.place} took the call, and no media or events came within "
                f"{CONNECT_SECONDS:g} s; is its UDP port reachable?"
            ) from None
        except LegError as error:
            raise UnreachableError(f"no media between {leg.place} and here: {error}") from error


def worth_another(error: CallerError) -> bool:
    """Whether the next candidate may succeed where this one failed."""
    if isinstance(error, ServiceError):
        return error.next_may_help
    return isinstance(error, UnreachableError)


def reconnect_order(here: Place, candidates: tuple[Place, ...], *, cut: bool) -> tuple[Place, ...]:
    """Where to go on: the same node first, then the others (docs/protocol.md, section 4).

    After the drill ``cut-edge`` the node counts as out of reach and comes last.
    """
    others = tuple(place for place in candidates if place.url != here.url)
    return (*others, here) if cut else (here, *others)
