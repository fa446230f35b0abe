"""The phone of a node, put together: its user agent, its trunks, its calls. Lives in the
dispatcher."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from control_plane.contract import RouteResponse
from edge.admission import verify_route_token
from edge.audit_trail import Audit, Unaudited, audited
from edge.clock import Clock
from edge.internal import Admitted
from edge.jwks import KeyCache
from edge.law import LawInForce
from edge.phone.access import TrunkAccess
from edge.phone.admission import TrunkLimits
from edge.phone.destination import DialPlan
from edge.phone.dispatcher_line import DispatcherLine, open_line
from edge.phone.inbound import Inbound, Router
from edge.phone.listening import listen_settings
from edge.phone.logins import Logins
from edge.phone.orders import CallOrder, OrderedCall, Orders
from edge.phone.outbound import Outbound
from edge.phone.phone_metrics import PhoneMetrics
from edge.phone.placement import Here, Routed, Unrouted, hold_to_law
from edge.phone.screen import Screen
from edge.phone.settings import PhoneSettings, Registration
from edge.phone.trunks import Trunks
from edge.pool import WorkerPool
from edge.problem import EdgeRefusal
from edge.settings import NodeSettings
from edge.tenancy import Tenancy
from edge.transport.sip.core.agent import AgentCore
from edge.transport.sip.core.context import UNWILLING
from edge.transport.sip.core.flow import Destination, destination_of
from edge.transport.sip.core.health import Health, HealthSettings
from edge.transport.sip.core.registration import RegistrationSettings, RegistrationStatus
from edge.transport.sip.core.session import Session
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.net.user_agent import UserAgent
from edge.transport.sip.wire.uri import SipUri

PRODUCT = "Inland"
MOVE_ROOM = 2
"""A session for each call, and one for whom it is transferred to."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PhoneParts:
    """What of the node a switchboard needs."""

    settings: NodeSettings
    phone: PhoneSettings
    logins: Logins
    law: LawInForce
    tenancy: Tenancy
    pool: WorkerPool
    keys: KeyCache
    router: Router
    clock: Clock
    draining: Callable[[], bool]
    audit: Audit = field(default_factory=Unaudited)


class Switchboard:
    """``start`` binds and raises what is wrong, ``run`` serves until cancelled or ``close``."""

    def __init__(self, parts: PhoneParts) -> None:
        phone = parts.phone
        self.metrics = PhoneMetrics()
        self.orders = Orders(parts.clock)
        self._parts = parts
        self._trunks = Trunks(phone.trunks)
        self._access = {
            trunk.name: TrunkAccess(trunk, phone, parts.logins.trunks.get(trunk.name), self._core)
            for trunk in phone.trunks
        }
        self._screen = Screen(
            self._trunks,
            parts.logins.inbound,
            realm=f"{parts.settings.region}.inland",
            algorithms=phone.digest,
            clock=parts.clock,
        )
        self.agent = UserAgent(
            listen_settings(phone),
            parts.clock,
            user_agent=f"{PRODUCT}/{version('inland')}",
            on_invite=self._invited,
            on_request=self._screen.answered,
            agent=AgentSettings(
                session_expires=phone.session_expires,
                max_sessions=MOVE_ROOM * parts.settings.workers * parts.settings.capacity,
            ),
        )
        self._inbound = Inbound(
            plan=DialPlan(phone),
            limits=TrunkLimits(phone.trunks, parts.clock),
            router=parts.router,
            rule=self._rule,
            here=self._here,
            open_line=self._open_line,
            clock=parts.clock,
            metrics=self.metrics,
        )
        self._outbound: Outbound | None = None
        self._calls: asyncio.TaskGroup | None = None
        self._watch_counts()

    async def start(self) -> None:
        """Bind the listeners. Raises ``BindError`` and ``TlsFilesError``."""
        await self.agent.start()

    async def run(self) -> None:
        """Serve until cancelled or closed."""
        parts = self._parts
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self.agent.run())
            self._calls = group
            self._outbound = Outbound(
                region=parts.settings.region,
                law=parts.law,
                trunks=self._access,
                orders=self.orders,
                open_line=self._open_line,
                clock=parts.clock,
                metrics=self.metrics,
                group=group,
            )
            self._keep_in_touch()
            await serving
            self._calls = self._outbound = None

    async def close(self) -> None:
        """Say goodbye to every far end and registrar, by a deadline. Idempotent."""
        await self.agent.close()

    # --- calls -----------------------------------------------------------------------------------

    def _invited(self, session: Session) -> None:
        trunk = self._screen.guest
        if trunk is None or self._calls is None:
            session.reject(UNWILLING)
            return
        self._calls.create_task(self._serve(session, self._access[trunk.name]))

    async def _serve(self, session: Session, access: TrunkAccess) -> None:
        try:
            await self._inbound.serve(session, access)
        except Exception:
            # The last boundary: this group holds everybody's call.
            log.exception("phone call broke")
            session.end()

    def admit(self, token: str) -> Admitted:
        """For whom the bearer of a route token calls. Raises ``EdgeRefusal``."""
        parts = self._parts
        return verify_route_token(
            token,
            keys=parts.keys,
            now=parts.clock.wall(),
            region=parts.settings.region,
            law=parts.law,
            tenancy=parts.tenancy,
            medium="sip",
        )

    async def dial(self, caller: Admitted, order: CallOrder) -> OrderedCall:
        """Place a call for ``caller``. Raises ``EdgeRefusal``."""
        if self._parts.draining():
            raise EdgeRefusal("draining", "this node is draining; try the next candidate")
        if self._outbound is None:
            raise EdgeRefusal("not_ready", "this node's phone is not ready; try again")
        return await self._outbound.dial(caller, order)

    def hang_up(self, call_id: str) -> None:
        """End a call that was ordered."""
        if self._outbound is not None:
            self._outbound.hang_up(call_id)

    async def _open_line(
        self,
        access: TrunkAccess,
        caller: Admitted,
        *,
        sdp: bytes | None = None,
        source: str | None = None,
        after: bytes | None = None,
    ) -> DispatcherLine:
        with audited(self._parts.audit, caller):
            return await open_line(
                self._parts.pool,
                self._parts.clock,
                caller=caller,
                sdp=sdp,
                media=access.media,
                trunk=access.trunk.name,
                source=source,
                after=after,
                can_transfer=bool(access.trunk.transfer),
            )

    def _rule(self, answer: RouteResponse) -> Routed | Unrouted:
        parts = self._parts
        return hold_to_law(
            answer,
            keys=parts.keys,
            now=parts.clock.wall(),
            region=parts.settings.region,
            law=parts.law,
            tenancy=parts.tenancy,
        )

    def _here(self) -> Here:
        parts = self._parts
        return Here(
            region=parts.settings.region,
            node=parts.settings.node,
            address=parts.phone.public_uri,
            room=any(slot.free for slot in parts.pool.serving),
            draining=parts.draining(),
        )

    def _core(self) -> AgentCore:
        return self.agent.core

    # --- trunks and registrations ----------------------------------------------------------------

    def _keep_in_touch(self) -> None:
        for trunk in self._parts.phone.trunks:
            destination = self._access[trunk.name].destination
            if destination is not None:
                self._watch_trunk(trunk.name, destination, trunk.options_seconds)
        for entry in self._parts.phone.registrations:
            self._register(entry)

    def _watch_trunk(self, name: str, destination: Destination, seconds: float) -> None:
        def changed(health: Health) -> None:
            self.metrics.trunk(name, up=health.state == "up")
            log.info("trunk changed", extra={"trunk": name, "state": health.state})

        self.metrics.trunk(name, up=False)
        check = self.agent.watch(HealthSettings(destination, interval=seconds))
        check.on_change = changed

    def _register(self, entry: Registration) -> None:
        address = entry.registrar or self._parts.phone.trunk(entry.trunk).address or ""
        registrar = SipUri.parse(address)

        stood: bool | None = None

        def changed(status: RegistrationStatus) -> None:
            nonlocal stood
            stands = status.until is not None  # also while it is being renewed
            self.metrics.registration(entry.name, registered=stands)
            # Nothing is wrong with a first try that has no answer yet.
            if stands != stood and (stands or stood or status.problem):
                stood = stands
                state = "up" if stands else "down"
                log.info("registration changed", extra={"registration": entry.name, "state": state})

        self.metrics.registration(entry.name, registered=False)
        registration = self.agent.register(
            RegistrationSettings(
                registrar=str(SipUri(registrar.host)),
                address=str(SipUri(registrar.host, entry.username)),
                destination=destination_of(registrar),
                contact_user=entry.username,
                credentials=self._parts.logins.registrations[entry.name],
                expires=entry.expires,
            )
        )
        registration.on_change = changed

    def _watch_counts(self) -> None:
        counts: Mapping[str, tuple[str, Callable[[], float]]] = {
            "inland_phone_sessions": (
                "SIP sessions of which anything is left",
                lambda: self.agent.core.sessions,
            ),
            "inland_phone_transactions": (
                "SIP transactions that are alive",
                lambda: self.agent.core.transactions,
            ),
            "inland_phone_timers": (
                "Timers of the user agent that are pending",
                lambda: len(self.agent.timers),
            ),
        }
        for name, (words, read) in counts.items():
            self.metrics.watch(name, words, read)
