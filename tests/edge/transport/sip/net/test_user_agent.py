"""The user agent as a node uses it: calls, registrations, health, and the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from edge.clock import SystemClock
from edge.transport.sip.core.context import UNWILLING
from edge.transport.sip.core.events import Answered, Ended, SessionEvent
from edge.transport.sip.core.flow import Address, Destination, Flow, Transport
from edge.transport.sip.core.health import HealthSettings
from edge.transport.sip.core.registration import RegistrationSettings
from edge.transport.sip.core.respond import make_response
from edge.transport.sip.core.session import Session
from edge.transport.sip.core.transactions import ServerTransaction
from edge.transport.sip.net.settings import ListenSettings
from edge.transport.sip.net.user_agent import UserAgent
from edge.transport.sip.wire.message import Request
from edge.transport.sip.wire.values import NameAddr
from tests.edge.transport.sip.net.desk import HANG, LOOPBACK, NoDns

BOTH = ListenSettings(udp=((LOOPBACK, 0),), tcp=((LOOPBACK, 0),))
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 9 RTP/AVP 0\r\n"
)
US = NameAddr("sip:us@example.com")


@asynccontextmanager
async def running(agent: UserAgent) -> AsyncIterator[UserAgent]:
    await agent.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.run())
        yield agent
        await agent.close(within=1.0)


def user_agent(
    on_invite: Callable[[Session], None] | None = None,
    on_request: Callable[[ServerTransaction], bool] | None = None,
    lookup: NoDns | None = None,
) -> UserAgent:
    return UserAgent(
        BOTH,
        SystemClock(),
        user_agent="test",
        on_invite=on_invite,
        on_request=on_request,
        lookup=lookup or NoDns(),
    )


def port(agent: UserAgent, transport: Transport = "udp") -> Address:
    return next(where for name, where in agent.listeners if name == transport)


class Owner:
    """Takes a call at once, and keeps what happens in it."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[SessionEvent] = asyncio.Queue()
        self.sessions: list[Session] = []

    def take(self, session: Session) -> None:
        self.follow(session)
        session.accept(SDP)

    def follow(self, session: Session) -> None:
        self.sessions.append(session)
        session.on_event = self.events.put_nowait

    async def until(self, kind: type[SessionEvent]) -> SessionEvent:
        async with asyncio.timeout(HANG):
            while not isinstance(event := await self.events.get(), kind):
                pass
        return event


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_is_made_answered_and_ended_by_the_close(transport: Transport) -> None:
    callee, caller = Owner(), Owner()
    async with running(user_agent(callee.take)) as there:
        async with running(user_agent()) as here:
            where = Destination(transport, *port(there, transport))
            caller.follow(
                here.core.invite("sip:them@example.com", destination=where, from_=US, sdp=SDP)
            )
            await caller.until(Answered)
            assert here.core.sessions == there.core.sessions == 1
        ended = await callee.until(Ended)
        assert isinstance(ended, Ended)
        assert ended.cause == "remote_bye"
        assert here.core.sessions == 0


async def test_a_ringing_call_over_a_connection_that_was_cut_ends_when_it_is_answered() -> None:
    """Also when the end of the connection itself went unnoticed."""
    callee = Owner()

    def cut_and_ring(session: Session) -> None:
        callee.follow(session)
        assert session.flow is not None
        connection = there.endpoint.connections.find(session.flow)
        assert connection is not None
        connection.cut("stopped")
        session.ring()

    there = user_agent(cut_and_ring)
    there.core.flow_closed = lambda flow: None  # type: ignore[method-assign]
    async with running(there), running(user_agent()) as here:
        where = Destination("tcp", *port(there, "tcp"))
        here.core.invite("sip:them@example.com", destination=where, from_=US, sdp=SDP)
        assert await callee.until(Ended) == Ended("unreachable")


async def test_a_call_to_a_name_goes_to_its_address() -> None:
    callee, caller = Owner(), Owner()
    dns = NoDns({"trunk": [LOOPBACK]})
    async with (
        running(user_agent(callee.take)) as there,
        running(user_agent(lookup=dns)) as here,
    ):
        where = Destination("tcp", "trunk", port(there, "tcp")[1])
        caller.follow(here.core.invite("sip:them@trunk", destination=where, from_=US, sdp=SDP))
        await caller.until(Answered)


async def test_a_call_to_nowhere_ends_as_unreachable() -> None:
    caller = Owner()
    async with running(user_agent()) as here:
        where = Destination("tcp", "nowhere.example.com", 5060)
        caller.follow(here.core.invite("sip:them@nowhere", destination=where, from_=US, sdp=SDP))
        ended = await caller.until(Ended)
        assert isinstance(ended, Ended)
        assert ended.cause == "unreachable"
        assert here.problem(where) == "there is no host nowhere.example.com"


async def test_who_calls_while_we_close_is_declined_and_not_sent_looking_elsewhere() -> None:
    caller = Owner()
    async with Mute() as mute, running(user_agent()) as there:
        owner = Owner()
        there.core.on_invite = owner.take
        there.register(registration(mute))  # its end is waited for
        async with running(user_agent()) as here, asyncio.TaskGroup() as tasks:
            closing = tasks.create_task(there.close(within=HANG))
            await asyncio.sleep(0)
            where = Destination("udp", *port(there))
            caller.follow(
                here.core.invite("sip:a@example.com", destination=where, from_=US, sdp=SDP)
            )
            ended = await caller.until(Ended)
            closing.cancel()
        assert isinstance(ended, Ended)
        assert ended.status == UNWILLING
        assert owner.sessions == []


class Registrar:
    """Binds whoever asks, and remembers for how long."""

    def __init__(self) -> None:
        self.expires: list[str] = []
        self.flows: list[Flow] = []

    def answer(self, transaction: ServerTransaction) -> bool:
        request: Request = transaction.request
        if request.method != "REGISTER":
            return False
        self.expires.append(request.headers.get("expires") or "")
        self.flows.append(transaction.flow)
        contact = request.headers.get("contact") or ""
        transaction.respond(make_response(request, 200, headers=[("contact", contact)]))
        return True


def registration(where: Destination) -> RegistrationSettings:
    return RegistrationSettings("sip:pbx", "sip:200@pbx", where, "200")


async def test_a_registration_by_name_stands_and_is_taken_back_by_the_close() -> None:
    registrar = Registrar()
    async with running(user_agent(on_request=registrar.answer)) as pbx:
        dns = NoDns({"pbx": [LOOPBACK]})
        agent = user_agent(lookup=dns)
        # Before ``run``: what has to be looked up waits for it.
        await agent.start()
        bound = agent.register(registration(Destination("udp", "pbx", port(pbx)[1])))
        changed = asyncio.Event()
        bound.on_change = lambda status: changed.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(agent.run())
            async with asyncio.timeout(HANG):
                while not bound.registered:
                    changed.clear()
                    await changed.wait()
            await agent.close()
        assert registrar.expires == ["300", "0"]
        assert bound.status.state == "stopped"


async def test_a_lost_connection_to_the_registrar_is_followed_by_a_new_registration() -> None:
    registrar = Registrar()
    async with running(user_agent(on_request=registrar.answer)) as pbx:
        async with running(user_agent()) as agent:
            bound = agent.register(registration(Destination("tcp", *port(pbx, "tcp"))))
            states: list[str] = []
            changed = asyncio.Event()

            def note(status: object) -> None:
                states.append(bound.status.state)
                changed.set()

            bound.on_change = note
            async with asyncio.timeout(HANG):
                while states[-1:] != ["registered"]:
                    changed.clear()
                    await changed.wait()
                connection = pbx.endpoint.connections.find(registrar.flows[0])
                assert connection is not None
                connection.cut("stopped")
                while states.count("registered") < 2:
                    changed.clear()
                    await changed.wait()
        assert states[:4] == ["registered", "waiting", "registering", "registered"]


async def test_health_knows_who_is_there_and_who_is_not() -> None:
    async with running(user_agent()) as there, running(user_agent()) as here:
        seen: asyncio.Queue[str] = asyncio.Queue()
        for where in (
            Destination("udp", *port(there)),
            Destination("tcp", "nowhere.example.com", 5060),
        ):
            check = here.watch(HealthSettings(where))
            check.on_change = lambda health: seen.put_nowait(health.state)
        async with asyncio.timeout(HANG):
            assert {await seen.get(), await seen.get()} == {"up", "down"}


async def test_closing_without_an_answer_ends_at_the_deadline_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    silent = NoDns()
    agent = user_agent(lookup=silent)
    async with asyncio.timeout(HANG):
        async with Mute() as where:
            await agent.start()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(agent.run())
                bound = agent.register(registration(where))
                await asyncio.sleep(0)
                await agent.close(within=0.05)
    assert bound.status.state == "removing"
    assert asyncio.all_tasks() == before
    await agent.close(within=0.05)


class Mute:
    """A UDP port where nobody answers."""

    async def __aenter__(self) -> Destination:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=(LOOPBACK, 0)
        )
        return Destination("udp", *self._transport.get_extra_info("sockname"))

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()


async def test_a_user_agent_that_was_cancelled_has_closed_its_sockets() -> None:
    agent = user_agent()
    await agent.start()
    where = port(agent, "tcp")
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(agent.run())
        await asyncio.sleep(0)
        serving.cancel()
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection(*where)


async def test_an_invite_to_which_no_owner_is_set_is_answered() -> None:
    caller = Owner()
    async with running(user_agent()) as there, running(user_agent()) as here:
        where = Destination("udp", *port(there))
        caller.follow(here.core.invite("sip:a@example.com", destination=where, from_=US, sdp=SDP))
        ended = await caller.until(Ended)
        assert isinstance(ended, Ended)
        assert ended.status == UNWILLING
