"""Phone calls that come in: whose, to whom, where they may be, and then a worker.

Nothing of media happens before the region is checked: no port is opened, no description answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, assert_never

from control_plane.contract import NodeRouteRequest, RouteResponse
from edge.clock import Clock
from edge.internal import Admitted
from edge.phone.access import TrunkAccess
from edge.phone.admission import TrunkLimits
from edge.phone.destination import DialPlan, caller_country, caller_number
from edge.phone.dispatcher_line import DispatcherLine
from edge.phone.phone_call import Observer, PhoneCall
from edge.phone.phone_metrics import PhoneMetrics
from edge.phone.placement import (
    Busy,
    Decision,
    Decline,
    Here,
    Redirect,
    Routed,
    TakeHere,
    Unrouted,
    decide,
)
from edge.phone.transfer import SipTransferrer
from edge.problem import EdgeRefusal
from edge.transport.sip.core.session import Session
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.uri import SipUri, is_tel


class OpenTrunkLine(Protocol):
    """Gives a call of a trunk to a worker. Raises ``EdgeRefusal``."""

    async def __call__(
        self,
        access: TrunkAccess,
        caller: Admitted,
        *,
        sdp: bytes | None = None,
        source: str | None = None,
        after: bytes | None = None,
    ) -> DispatcherLine:
        """``sdp`` is the far end's offer, ``source`` its address, ``after`` our description that
        the worker's offer is to follow."""
        ...


NOT_ACCEPTABLE = frozenset({"bad_sdp", "no_common_codec", "srtp_required"})

log = logging.getLogger(__name__)


class Router(Protocol):
    """Where a call may be (:class:`edge.phone.routing_client.RoutingClient`)."""

    async def ask(self, wanted: NodeRouteRequest) -> RouteResponse | Unrouted: ...


class Inbound:
    """Serves calls of trunks. ``here`` says how this node is now; ``rule`` holds the control
    plane's answer to this node's own law."""

    def __init__(
        self,
        *,
        plan: DialPlan,
        limits: TrunkLimits,
        router: Router,
        rule: Callable[[RouteResponse], Routed | Unrouted],
        here: Callable[[], Here],
        open_line: OpenTrunkLine,
        clock: Clock,
        metrics: PhoneMetrics,
    ) -> None:
        self._plan = plan
        self._limits = limits
        self._router = router
        self._rule = rule
        self._here = here
        self._open_line = open_line
        self._clock = clock
        self._metrics = metrics

    async def serve(self, session: Session, access: TrunkAccess) -> None:
        """One call from its INVITE to its end. Never raises but for cancellation."""
        if not self._limits.take(access.trunk, access.calls):
            self._refuse(session, access, 486, "too_many")
            return
        access.calls += 1
        try:
            await self._serve(session, access)
        finally:
            access.calls -= 1
            session.end()

    async def _serve(self, session: Session, access: TrunkAccess) -> None:
        dialled = self._plan.find(session.request, access.trunk)
        if dialled is None:
            self._refuse(session, access, 404, "unknown_number")
            return
        answer = await self._router.ask(
            NodeRouteRequest(
                tenant=dialled.tenant,
                agent=dialled.agent,
                dialled_country=dialled.country,
                caller_country=caller_country(session.request, access.trunk),
            )
        )
        ruling = answer if isinstance(answer, Unrouted) else self._rule(answer)
        decision = decide(ruling, self._here(), access.trunk.routes)
        if isinstance(decision, TakeHere) and session.state != "ended":
            number = caller_number(session.request, access.trunk)
            caller = decision.caller.model_copy(update={"number": number})
            decision = await self._take(session, access, caller, ruling) or decision
        if not isinstance(decision, TakeHere):
            self._send_away(session, access, decision)

    async def _take(
        self, session: Session, access: TrunkAccess, caller: Admitted, ruling: Routed | Unrouted
    ) -> Decision | None:
        """Serve the call here; another decision when no worker has room after all."""
        source = session.flow.remote[0] if session.flow is not None else None
        try:
            line = await self._open_line(access, caller, sdp=session.sdp, source=source)
        except EdgeRefusal as refusal:
            if refusal.code in NOT_ACCEPTABLE:
                self._refuse(session, access, 488, refusal.code)
                return None
            if refusal.code in ("full", "draining", "not_ready"):
                return decide(ruling, replace(self._here(), room=False), access.trunk.routes)
            log.warning("phone call refused by its worker", extra={"code": refusal.code})
            return Decline(refusal.code, refusal.status, refusal.detail)
        session.accept(line.description)
        call = PhoneCall(
            session,
            caller,
            move_to=lambda caller, after: self._open_line(
                access, caller, source=source, after=after
            ),
            transferrer=SipTransferrer(session, access),
            clock=self._clock,
            observer=Observer(
                established=lambda: self._metrics.established("in"), moved=self._metrics.moved
            ),
        )
        end = await call.run(line)
        self._metrics.ended("in", "agent" if end is None else end.cause)
        return None

    def _send_away(self, session: Session, access: TrunkAccess, decision: Decision) -> None:
        match decision:
            case Redirect():
                headers = [("contact", contact) for contact in decision.contacts(_user(session))]
                session.reject(302, None, headers)
                self._metrics.refused("in", 302, "elsewhere")
            case Decline():
                session.reject(603, None, [("reason", decision.reason_header)])
                self._metrics.refused("in", 603, decision.code)
            case Busy(retry_after=seconds):
                session.reject(503, None, [("retry-after", str(seconds))])
                self._metrics.refused("in", 503, "no_room")
            case TakeHere():  # handled by the caller
                pass
            case _:
                assert_never(decision)
        code = decision.code if isinstance(decision, Decline) else type(decision).__name__.lower()
        log.info("phone call sent away", extra={"code": code, "reason": decision.reason})

    def _refuse(self, session: Session, access: TrunkAccess, status: int, code: str) -> None:
        log.info("phone call refused", extra={"status": status, "code": code})
        self._metrics.refused("in", status, code)
        session.reject(status)


def _user(session: Session) -> str | None:
    """What was dialled, as it was written."""
    if is_tel(session.request.uri):
        return session.request.uri[4:].partition(";")[0]
    try:
        return SipUri.parse(session.request.uri).user
    except MessageError:
        return None
