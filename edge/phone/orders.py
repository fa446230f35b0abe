"""Calls that were ordered over HTTP: what may be asked, and how each one is going."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from control_plane.contract import Identifier, Wire
from edge.clock import Clock
from edge.phone.outcome import Outcome

KEEP_SECONDS = 600.0
"""How long the state of a call that is over can be asked for."""
MAX_KEPT = 10_000
"""Calls whose state is kept, those under way not counted."""

CallStage: TypeAlias = Literal["dialling", "ringing", "early_media", "answered", "ended"]


class CallOrder(Wire):
    """``POST /v1/calls``: have the token's agent call somebody."""

    to: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """A number in international form (``+4969…``), or a ``sip:`` or ``sips:`` URI."""
    trunk: Identifier | None = None
    """Which one carries the call; may be left out on a node with one trunk."""
    caller_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z+_.!~*'-]{1,64}$")] | None = (
        None
    )
    """From whom it says to be; by default what the trunk's settings say."""
    ring_seconds: int = Field(default=45, ge=5, le=180)
    """How long it may ring."""


class CallStatus(Wire):
    """How an ordered call is going. Nothing of whom it calls, or what is said."""

    call_id: str
    stage: CallStage
    trunk: Identifier
    ordered_at: float
    """Unix seconds, as the other times."""
    answered_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None
    status: int | None = None
    """The SIP status that refused the call, where one did."""
    reason: str = ""
    """Its reason phrase."""


class OrderedCall:
    """One call and whoever watches it."""

    def __init__(self, status: CallStatus) -> None:
        self.status = status
        self._changed = asyncio.Event()

    def change(self, **fields: object) -> None:
        """Put new values into the status and wake those who watch. Nothing follows the end."""
        if self.status.stage == "ended":
            return
        self.status = self.status.model_copy(update=fields)
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, seen: CallStatus | None) -> CallStatus:
        """The status, as soon as it is another one than ``seen``. Quick changes are seen as one."""
        while self.status is seen:
            await self._changed.wait()
        return self.status


class Orders:
    """The book of ordered calls: those under way, and for a while those that are over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._live: dict[str, OrderedCall] = {}
        self._over: OrderedDict[str, tuple[OrderedCall, float]] = OrderedDict()

    def begin(self, call_id: str, trunk: str) -> OrderedCall:
        """A call that is being dialled."""
        call = OrderedCall(
            CallStatus(
                call_id=call_id, stage="dialling", trunk=trunk, ordered_at=self._clock.wall()
            )
        )
        self._live[call_id] = call
        return call

    def end(
        self, call_id: str, outcome: Outcome, *, status: int | None = None, reason: str = ""
    ) -> None:
        """It is over."""
        call = self._live.pop(call_id, None)
        if call is None:
            return
        call.change(
            stage="ended",
            outcome=outcome,
            status=status,
            reason=reason[:120],
            ended_at=self._clock.wall(),
        )
        self._over[call_id] = (call, self._clock.monotonic() + KEEP_SECONDS)
        self._forget()

    def get(self, call_id: str) -> OrderedCall | None:
        """The call of that id, if it is still known."""
        self._forget()
        if call_id in self._over:
            return self._over[call_id][0]
        return self._live.get(call_id)

    def _forget(self) -> None:
        now = self._clock.monotonic()
        while self._over:
            call_id, (_, until) = next(iter(self._over.items()))
            if until > now and len(self._over) <= MAX_KEPT:
                return
            del self._over[call_id]
