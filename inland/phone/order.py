"""A call that an agent makes: ordered from an edge, and followed to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from edge.clock import Clock, SystemClock
from edge.phone.orders import CallStatus
from inland.caller.dialler import Place
from inland.caller.errors import CallerError, UnreachableError
from inland.caller.outcome import BROKEN, DONE, REFUSED, UNFINISHED
from inland.caller.records import Note, Placed
from inland.phone.edge_orders import OrderDesk, another_may_help
from inland.phone.order_options import OrderOptions
from inland.phone.records import Ordered, OrderEnded, OrderRecord, Stage

FAREWELL_SECONDS = 10.0
"""How long an edge may take to tell the end of a call that was taken back."""

_STATUSES = {
    "completed": DONE,
    "busy": REFUSED,
    "no_answer": REFUSED,
    "refused": REFUSED,
    "unknown_number": REFUSED,
    "unreachable": BROKEN,
    "lost": BROKEN,
    "cancelled": UNFINISHED,
}
_WORDS = {
    "completed": "it was answered, and somebody hung up",
    "busy": "the number is busy",
    "no_answer": "nobody answered",
    "refused": "the call was refused",
    "unknown_number": "there is no such number",
    "unreachable": "the trunk did not answer, or could not carry the call",
    "lost": "the call was answered, and its signalling or media failed",
    "cancelled": "the call was taken back",
}
_STOPS = {
    "interrupted": "interrupted at the keyboard",
    "timeout": "the call lasted longer than --timeout",
}


@dataclass(frozen=True, slots=True)
class _Placed:
    """A call that an edge has placed."""

    status: CallStatus
    resource: str
    token: str


class OrderedCaller:
    """Has an agent call somebody. Use it once: ``ended = await OrderedCaller(…).run()``.

    ``on_record`` hears every record as it happens.
    """

    def __init__(
        self,
        options: OrderOptions,
        desk: OrderDesk,
        *,
        clock: Clock | None = None,
        on_record: Callable[[OrderRecord], None] | None = None,
    ) -> None:
        self._options = options
        self._desk = desk
        self._clock = clock or SystemClock()
        self._on_record = on_record
        self._began_at = self._clock.monotonic()
        self._stopped: str | None = None
        self._following: asyncio.Timeout | None = None
        self._told: set[str] = set()

    @property
    def now(self) -> float:
        """Seconds since the call was asked for."""
        return self._clock.monotonic() - self._began_at

    def stop(self, reason: str = "interrupted") -> None:
        """Take the call back; ``run`` then returns how it ended."""
        if self._stopped is None:
            self._stopped = reason
            if self._following is not None:
                self._following.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> OrderEnded:
        """Order, follow, tell the end. Raises a ``CallerError`` when no edge places the call, or
        when it cannot be followed."""
        placed = await self._order()
        longest = asyncio.get_running_loop().call_later(
            self._options.call.timeout, self.stop, "timeout"
        )
        try:
            last = None if placed is None else await self._watch(placed)
        finally:
            longest.cancel()
        ended = self._ended(last)
        self._emit(ended)
        return ended

    async def _order(self) -> _Placed | None:
        """None when the call was taken back before anybody could place it."""
        options = self._options.call
        if options.edge is not None and options.token is not None:
            places: tuple[Place, ...] = (Place(options.edge),)
            token = options.token
        else:
            places, token = await self._route()
        failure: CallerError | None = None
        for place in places:
            if self._stopped is not None:
                return None
            if failure is not None:
                self._emit(Note(self.now, str(failure)))
            try:
                status, resource = await self._desk.order(place.url, token, self._options.order)
            except CallerError as error:
                if not another_may_help(error):
                    raise
                failure = error
            else:
                call_id, trunk = status.call_id, status.trunk
                self._emit(Ordered(self.now, call_id, trunk, place.region, str(place)))
                return _Placed(status, resource, token)
        raise failure or UnreachableError("the control plane named no edge")

    async def _route(self) -> tuple[tuple[Place, ...], str]:
        options = self._options.call
        route = await self._desk.route(options.agent, options.country)
        self._emit(
            Placed(
                t=self.now,
                session_id=route.session_id,
                policy=route.policy,
                jurisdictions=route.jurisdictions,
                candidates=tuple(candidate.model_dump() for candidate in route.candidates),
                regions=tuple(verdict.model_dump() for verdict in route.regions),
            )
        )
        return tuple(Place.of(candidate) for candidate in route.candidates), route.token

    async def _watch(self, placed: _Placed) -> CallStatus | None:
        """The last status; None when the edge did not tell it in time."""
        if self._stopped is None:
            try:
                async with asyncio.timeout(None) as self._following:
                    return await self._follow(placed)
            except TimeoutError:
                pass  # somebody stopped it
            finally:
                self._following = None
        await self._desk.take_back(placed.resource, placed.token)
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                return await self._follow(placed)
        except TimeoutError:
            return None

    async def _follow(self, placed: _Placed) -> CallStatus:
        """Tell each stage; the last status."""
        last = placed.status
        async for status in self._desk.follow(placed.resource):
            last = status
            if status.stage not in self._told and status.stage != "ended":
                self._told.add(status.stage)
                self._emit(Stage(self.now, status.stage))
        return last

    def _ended(self, last: CallStatus | None) -> OrderEnded:
        outcome = None if last is None else last.outcome
        reason: str = outcome or "cancelled"
        status, why = _STATUSES[reason], _WORDS[reason]
        if self._stopped is not None and reason in ("completed", "cancelled"):
            answered = reason == "completed"
            status = DONE if answered and self._stopped == "interrupted" else UNFINISHED
            reason, why = self._stopped, _STOPS.get(self._stopped, self._stopped)
            why += "; we hung up" if answered else "; it was not answered yet"
        said = "" if last is None else f"{last.status or ''} {last.reason}".strip()
        return OrderEnded(
            t=self.now,
            reason=reason,
            exit_status=status,
            why=f"{why}: {said}" if said else why,
            status=None if last is None else last.status,
            talk_seconds=_talked(last),
        )

    def _emit(self, record: OrderRecord) -> None:
        if self._on_record is not None:
            self._on_record(record)


def _talked(last: CallStatus | None) -> float | None:
    """Seconds from the answer to the end."""
    if last is None or last.answered_at is None or last.ended_at is None:
        return None
    return round(last.ended_at - last.answered_at, 1)
