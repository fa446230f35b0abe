"""The user agent of a node: its state machines on its sockets, from start to close."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from edge.clock import Clock
from edge.transport.sip.core.agent import AgentCore
from edge.transport.sip.core.context import UNWILLING
from edge.transport.sip.core.flow import Address, Destination, Flow, Transport
from edge.transport.sip.core.health import HealthCheck, HealthSettings
from edge.transport.sip.core.inquiry import Means
from edge.transport.sip.core.registration import Registration, RegistrationSettings
from edge.transport.sip.core.session import Session
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.core.timers import Timers
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.net.endpoint import Endpoint
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.lookup import Lookup
from edge.transport.sip.net.settings import ListenSettings
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.framing import PING
from edge.transport.sip.wire.message import Message

CLOSE_SECONDS = 5.0

Found = Callable[[Sequence[Destination], str], None]


class UserAgent:
    """``start`` binds, ``run`` serves until ``close``. ``core`` makes calls.

    What arrives never raises out of here. ``run`` raises nothing but ``CancelledError``, and when
    it ends nothing is left: no socket, no task, no timer that fires.
    """

    def __init__(
        self,
        settings: ListenSettings,
        clock: Clock,
        *,
        user_agent: str,
        on_invite: Callable[[Session], None] | None = None,
        on_request: Callable[[ServerTransaction], bool] | None = None,
        agent: AgentSettings | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self.timers = Timers(clock)
        self.endpoint = Endpoint(settings, self, clock=clock, timers=self.timers, lookup=lookup)
        self.registrations: list[Registration] = []
        self.checks: list[HealthCheck] = []
        self.core = AgentCore(
            clock=clock,
            timers=self.timers,
            send=self.endpoint.send,
            local=self.endpoint.local,
            contact=self.endpoint.contact,
            user_agent=user_agent,
            settings=agent,
        )
        if on_invite is not None:
            self.core.on_invite = on_invite
        if on_request is not None:
            self.core.on_request = on_request
        self._means = Means(
            clock=clock,
            timers=self.timers,
            send=self.core.transact,
            locate=self._locate,
            contact=self.endpoint.contact,
            problem=self.problem,
            failed=self.failed,
            user_agent=user_agent,
            rng=random.SystemRandom(),
        )
        self._tasks: asyncio.TaskGroup | None = None
        self._early: list[tuple[Destination, Found]] = []
        self._running = False
        self._closing = False
        self._quiet = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def means(self) -> Means:
        """What requests outside of calls are made with."""
        return self._means

    @property
    def listeners(self) -> tuple[tuple[Transport, Address], ...]:
        """Where we listen, with the ports that were taken."""
        return self.endpoint.listeners

    async def start(self) -> None:
        """Bind everything. Raises ``BindError`` and ``TlsFilesError``."""
        self.endpoint.start()

    async def run(self) -> None:
        """Serve until :meth:`close`, or until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._running = True
                serving = tasks.create_task(self.endpoint.run())
                searches = tasks.create_task(self._search())
                await serving
                searches.cancel()
        finally:
            # The endpoint's own task may have been cancelled before its first step.
            self.endpoint.stop()
            self._running = False
            self._tasks = None
            self._ended.set()

    async def close(self, within: float = CLOSE_SECONDS) -> None:
        """End every session and take every binding back, in ``within`` seconds; then stop.

        Who calls meanwhile is declined: whether its trunk may look elsewhere is for the owner to
        say, who drains before it closes. Returns once ``run`` has ended, if it was running.
        Idempotent.
        """
        self._closing = True
        self.core.on_invite = _closing
        self.endpoint.intake.guard(self._say_goodbye)
        running = self._running
        if running:
            try:
                async with asyncio.timeout(within):
                    await self._quiet.wait()
            except TimeoutError:
                pass  # who does not answer now is left to its own timers
        self.endpoint.stop()
        if running:
            await self._ended.wait()

    def register(self, settings: RegistrationSettings) -> Registration:
        """Register, and stay registered until :meth:`close`."""
        registration = Registration(settings, self._means)
        registration.keep_alive = self._keep_alive
        self.registrations.append(registration)
        registration.start()
        return registration

    def watch(self, settings: HealthSettings) -> HealthCheck:
        """Ask a far end every so often whether it is there, until :meth:`close`."""
        check = HealthCheck(settings, self._means)
        self.checks.append(check)
        check.start()
        return check

    async def resolve(self, destination: Destination) -> tuple[Destination, ...]:
        """Numeric destinations, best first (RFC 3263). Raises ``Unreachable``.

        A call is made to the first, and to the next when that one does not answer
        (:meth:`failed`).
        """
        return await self.endpoint.resolve(destination)

    def failed(self, target: Destination) -> None:
        """``target`` did not answer: for a while others come first."""
        self.endpoint.outbox.failed(target)

    def problem(self, target: Destination) -> str:
        """Why the last message to ``target`` could not be sent, in words; or nothing."""
        found = self.endpoint.outbox.problem(target)
        return "" if found is None else found.detail

    # What the sockets tell

    def receive(self, message: Message, flow: Flow) -> None:
        """One message that arrived over ``flow``."""
        self.core.receive(message, flow)

    def malformed(self, error: MessageError, flow: Flow) -> None:
        """One that could not be read."""
        self.core.malformed(error, flow)

    def transport_failed(self, branch: str) -> None:
        """The message with this branch in its top Via could not be sent."""
        self.core.transport_failed(branch)

    def flow_closed(self, flow: Flow) -> None:
        """A connection is gone."""
        self.core.flow_closed(flow)
        for registration in self.registrations:
            registration.flow_lost(flow)

    def in_use(self, flow: Flow) -> bool:
        """Whether a session or a binding is reached over ``flow``."""
        return any(session.flow == flow for session in self.core.live) or any(
            registration.reached_over(flow) for registration in self.registrations
        )

    def settle(self) -> None:
        """Something happened."""
        if (
            self._closing
            and not self.core.sessions
            and all(registration.status.state == "stopped" for registration in self.registrations)
        ):
            self._quiet.set()

    # Inside

    def _say_goodbye(self) -> None:
        for check in self.checks:
            check.stop()
        for registration in self.registrations:
            registration.stop()
        for session in self.core.live:
            session.end()

    def _keep_alive(self, target: Destination) -> None:
        self.endpoint.send_datagram(PING, target)

    def _locate(self, destination: Destination, found: Found) -> None:
        there = self.endpoint.resolver.at_once(destination)
        if there is not None:
            found((there,), "")
        elif self._tasks is not None:
            self._tasks.create_task(self._resolve_for(destination, found))
        else:
            self._early.append((destination, found))

    async def _search(self) -> None:
        """Look for far ends until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for destination, found in self._early:
                tasks.create_task(self._resolve_for(destination, found))
            self._early.clear()
            await asyncio.Event().wait()

    async def _resolve_for(self, destination: Destination, found: Found) -> None:
        targets: Sequence[Destination] = ()
        problem = ""
        try:
            targets = await self.resolve(destination)
        except Unreachable as error:
            problem = error.detail
        self.endpoint.intake.guard(lambda: found(targets, problem))


def _closing(session: Session) -> None:
    session.reject(UNWILLING)
