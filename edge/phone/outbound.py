"""Phone calls that are ordered: dial, ring, talk, and say how it ended."""

from __future__ import annotations

import asyncio
import logging

from edge.clock import Clock
from edge.internal import Admitted
from edge.law import LawInForce
from edge.phone.access import TrunkAccess
from edge.phone.callee import MayNotCall, callee_number, rule_callee
from edge.phone.dispatcher_line import DispatcherLine
from edge.phone.inbound import OpenTrunkLine
from edge.phone.orders import CallOrder, OrderedCall, Orders
from edge.phone.outcome import outcome_of
from edge.phone.phone_call import Observer, PhoneCall
from edge.phone.phone_metrics import PhoneMetrics
from edge.phone.transfer import SipTransferrer
from edge.problem import EdgeRefusal
from edge.transport.sip.core.events import Ended, Progress
from edge.transport.sip.core.session import Session
from regions.policy import day_of

log = logging.getLogger(__name__)


class Outbound:
    """Places calls. Each runs as a task of ``group``, until it is over."""

    def __init__(
        self,
        *,
        region: str,
        law: LawInForce,
        trunks: dict[str, TrunkAccess],
        orders: Orders,
        open_line: OpenTrunkLine,
        clock: Clock,
        metrics: PhoneMetrics,
        group: asyncio.TaskGroup,
    ) -> None:
        self._region = region
        self._law = law
        self._trunks = trunks
        self._orders = orders
        self._open_line = open_line
        self._clock = clock
        self._metrics = metrics
        self._group = group
        self._sessions: dict[str, Session] = {}

    async def dial(self, caller: Admitted, order: CallOrder) -> OrderedCall:
        """Call ``order.to`` for ``caller``; returns when the INVITE is on its way.

        Raises ``EdgeRefusal``: the region or the number may not, there is no such trunk or room.
        """
        access = self._access(order.trunk)
        access.target(order.to)
        ruling = rule_callee(
            caller,
            order.to,
            national=access.trunk.national_format,
            region=self._region,
            law=self._law.now,
            on=day_of(self._clock.wall()),
        )
        if isinstance(ruling, MayNotCall):
            raise EdgeRefusal("wrong_region", ruling.reason)
        number = callee_number(order.to, access.trunk.national_format)
        caller = ruling.caller.model_copy(update={"number": number})
        if access.calls >= access.trunk.max_calls:
            raise EdgeRefusal("full", f"trunk {access.trunk.name} has as many calls as it may")
        access.calls += 1
        line: DispatcherLine | None = None
        try:
            line = await self._open_line(access, caller)
            session = access.invite(order.to, line.description, caller_id=order.caller_id)
        except BaseException:
            access.calls -= 1
            if line is not None:
                await line.close()
            raise
        ordered = self._orders.begin(line.call_id, access.trunk.name)
        self._sessions[line.call_id] = session
        self._group.create_task(
            self._run(_Dialled(session, line, access, caller, order, ordered)),
            name=line.call_id,
        )
        return ordered

    def hang_up(self, call_id: str) -> None:
        """End a call that was ordered; nothing happens when it is over."""
        session = self._sessions.get(call_id)
        if session is not None:
            session.end()

    def _access(self, name: str | None) -> TrunkAccess:
        able = {key: access for key, access in self._trunks.items() if access.destination}
        if name is None and len(able) == 1:
            return next(iter(able.values()))
        if name is None or name not in able:
            known = ", ".join(sorted(able)) or "none of them takes calls of ours"
            raise EdgeRefusal("unknown_trunk", f"name a trunk of this node: {known}")
        return able[name]

    async def _run(self, dialled: _Dialled) -> None:
        """The call from its first ring to its end; then its order says how it ended."""
        call_id = dialled.line.call_id
        call = PhoneCall(
            dialled.session,
            dialled.caller,
            move_to=lambda caller, after: self._open_line(dialled.access, caller, after=after),
            transferrer=SipTransferrer(dialled.session, dialled.access),
            clock=self._clock,
            observer=Observer(
                progress=dialled.progress,
                established=lambda: self._answered(dialled),
                moved=self._metrics.moved,
            ),
        )
        timer = asyncio.get_running_loop().call_later(dialled.order.ring_seconds, dialled.ring_out)
        end: Ended | None = None
        try:
            end = await call.run(dialled.line)
        except Exception:
            # The last boundary: this group holds everybody's call.
            log.exception("phone call broke")
            end = Ended("failed")
        finally:
            timer.cancel()
            dialled.access.calls -= 1
            self._sessions.pop(call_id, None)
        if end is None:
            self._orders.end(call_id, "completed" if dialled.answered else "cancelled")
            self._metrics.ended("out", "agent")
            return
        outcome = outcome_of(
            end,
            answered=dialled.answered,
            rung_out=dialled.rung_out,
            heard=dialled.session.heard,
        )
        self._orders.end(call_id, outcome, status=end.status, reason=end.reason)
        self._metrics.ended("out", outcome)

    def _answered(self, dialled: _Dialled) -> None:
        dialled.answered = True
        dialled.ordered.change(stage="answered", answered_at=self._clock.wall())
        self._metrics.established("out")


class _Dialled:
    """A call under way, and what is known of it so far."""

    def __init__(
        self,
        session: Session,
        line: DispatcherLine,
        access: TrunkAccess,
        caller: Admitted,
        order: CallOrder,
        ordered: OrderedCall,
    ) -> None:
        self.session = session
        self.line = line
        self.access = access
        self.caller = caller
        self.order = order
        self.ordered = ordered
        self.answered = False
        self.rung_out = False

    def progress(self, event: Progress) -> None:
        """It rings, or says something before it is answered."""
        if not self.answered:
            self.ordered.change(stage="ringing" if event.sdp is None else "early_media")

    def ring_out(self) -> None:
        """It has rung for as long as it may."""
        if not self.answered:
            self.rung_out = True
            self.session.cancel()
