"""One question to each trunk and each registrar, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from edge.clock import SystemClock
from edge.phone.listening import listen_settings
from edge.phone.logins import Logins
from edge.phone.settings import PhoneSettings, Registration
from edge.transport.sip.core import registration as binding
from edge.transport.sip.core.flow import Destination, destination_of
from edge.transport.sip.core.health import options
from edge.transport.sip.core.inquiry import Inquiry, Outcome
from edge.transport.sip.net.errors import Unreachable
from edge.transport.sip.net.settings import ListenSettings
from edge.transport.sip.net.user_agent import UserAgent
from edge.transport.sip.wire.digest import Credentials, DigestClient
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.message import Request, Response
from edge.transport.sip.wire.uri import SipUri, bracketed
from inland.sip.verdict import (
    Verdict,
    answered,
    not_registered,
    registered,
    unanswered,
    unreachable,
)

PRODUCT = "Inland check"
TAKE_BACK_SECONDS = 4.0
MAX_TEXT = 32
"""Characters of a reason or product that are shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``address`` is what was asked last, ``milliseconds`` the round trip of the answer."""

    name: str
    asked: str
    transport: str
    address: str
    status: int | None
    reason: str
    product: str
    milliseconds: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Question:
    """``ask`` answers within the time that it is given, whatever happens."""

    name: str
    ask: Callable[[], Awaitable[Finding]]


@asynccontextmanager
async def running(phone: PhoneSettings) -> AsyncIterator[UserAgent]:
    """A user agent on free ports of the node's own addresses, since the node may be running.

    Raises ``BindError`` and ``TlsFilesError``.
    """
    hosts = tuple(dict.fromkeys(listen.host for listen in phone.listens))
    free = tuple((host, 0) for host in hosts)
    node = listen_settings(phone)
    settings = ListenSettings(udp=free, tcp=free, peers=node.peers, trusted=node.trusted)
    agent = UserAgent(settings, SystemClock(), user_agent=PRODUCT)
    await agent.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.run())
        try:
            yield agent
        finally:
            await agent.close(within=0.0)


def questions(
    agent: UserAgent, phone: PhoneSettings, logins: Logins, trunk: str | None, seconds: float
) -> list[Question]:
    """What to ask about ``trunk``, or about all; a trunk without an address is asked nothing."""
    found: list[Question] = []
    for each in phone.trunks:
        if each.address is not None and trunk in (None, each.name):
            who, where = logins.trunks.get(each.name), destination_of(SipUri.parse(each.address))
            found.append(Question(each.name, _trunk(agent, each.name, where, who, seconds)))
    for entry in phone.registrations:
        if trunk in (None, entry.trunk):
            registrar = SipUri.parse(entry.registrar or phone.trunk(entry.trunk).address or "")
            who = logins.registrations[entry.name]
            found.append(Question(entry.name, _registrar(agent, entry, registrar, who, seconds)))
    return found


def _trunk(
    agent: UserAgent, name: str, where: Destination, who: Credentials | None, seconds: float
) -> Callable[[], Awaitable[Finding]]:
    async def ask() -> Finding:
        blank = _blank(name, "OPTIONS", where)
        try:
            targets = await agent.resolve(where)
        except Unreachable as error:
            return replace(blank, verdict=unreachable(error.code, error.detail))
        blank = replace(blank, address=_host(targets[0]))
        try:
            async with asyncio.timeout(seconds):
                outcome = await _ask(agent, where, targets, who)
        except TimeoutError:
            return replace(blank, verdict=unanswered(seconds, where.transport))
        return _told(agent, blank, outcome, seconds, has_password=who is not None)

    return ask


async def _ask(
    agent: UserAgent, where: Destination, targets: Sequence[Destination], who: Credentials | None
) -> Outcome:
    """OPTIONS to the first target that answers."""
    found: asyncio.Queue[Outcome] = asyncio.Queue()
    outcome: Outcome | None = None
    for target in targets:
        Inquiry(
            agent.means,
            target,
            build=lambda target: options(agent.means, where, target),
            revise=_Login(who).answer,
            done=found.put_nowait,
        )
        outcome = await found.get()
        if outcome.response is not None and outcome.response.status != 503:
            return outcome
    assert outcome is not None
    return outcome


class _Login:
    """Answers one challenge, if there is a password."""

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials

    def answer(self, request: Request, response: Response) -> Request | None:
        who, self._credentials = self._credentials, None
        if response.status not in (401, 407) or who is None:
            return None
        try:
            header = DigestClient().answer(response.headers, who, request.method, request.uri)
        except MessageError:
            return None
        if header is None:
            return None
        again = Request(request.method, request.uri, headers=request.headers.copy())
        again.headers.set(*header)
        again.headers.set("cseq", f"{request.cseq.number + 1} {request.method}")
        return again


def _told(
    agent: UserAgent, blank: Finding, outcome: Outcome, seconds: float, *, has_password: bool
) -> Finding:
    finding = _with_answer(blank, outcome)
    if outcome.response is not None:
        verdict = answered(outcome.response.status, has_password=has_password)
    else:
        verdict = _silence(agent, outcome, seconds, blank.transport)
    return replace(finding, verdict=verdict)


def _registrar(
    agent: UserAgent, entry: Registration, registrar: SipUri, who: Credentials, seconds: float
) -> Callable[[], Awaitable[Finding]]:
    where = destination_of(registrar)
    settings = binding.RegistrationSettings(
        registrar=str(SipUri(registrar.host)),
        address=str(SipUri(registrar.host, entry.username)),
        destination=where,
        contact_user=entry.username,
        credentials=who,
        expires=entry.expires,
    )

    async def ask() -> Finding:
        blank = _blank(entry.name, "REGISTER", where)
        try:
            targets = await agent.resolve(where)
        except Unreachable as error:
            return replace(blank, verdict=unreachable(error.code, error.detail))
        blank = replace(blank, address=_host(targets[0]))
        changed = asyncio.Event()
        machine = binding.Registration(settings, agent.means)
        machine.on_change = lambda status: changed.set()
        machine.start()
        try:
            async with asyncio.timeout(seconds):
                while machine.status.state == "registering":
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            machine.stop()
            return replace(blank, verdict=unanswered(seconds, where.transport))
        outcome, status = machine.last, machine.status
        assert outcome is not None
        finding = _with_answer(blank, outcome)
        if status.until is None:
            return replace(finding, verdict=_refused(agent, outcome, status, seconds, where))
        granted = status.until - SystemClock().wall()
        back = await _take_back(machine, changed)
        return replace(finding, verdict=registered(granted, taken_back=back))

    return ask


def _refused(
    agent: UserAgent,
    outcome: Outcome,
    status: binding.RegistrationStatus,
    seconds: float,
    where: Destination,
) -> Verdict:
    if outcome.response is None:
        return _silence(agent, outcome, seconds, where.transport)
    if outcome.response.status < 300:
        return Verdict(False, status.problem, "check that the extension may register")
    return not_registered(outcome.response.status)


async def _take_back(machine: binding.Registration, changed: asyncio.Event) -> bool:
    """Remove the binding, and no other; whether that was confirmed."""
    machine.stop()
    try:
        async with asyncio.timeout(TAKE_BACK_SECONDS):
            while machine.status.state == "removing":
                changed.clear()
                await changed.wait()
    except TimeoutError:
        return False
    return not machine.status.problem


def _silence(agent: UserAgent, outcome: Outcome, seconds: float, transport: str) -> Verdict:
    problem = None
    if outcome.target is not None:
        problem = agent.endpoint.outbox.problem(outcome.target)
    if problem is not None:
        return unreachable(problem.code, problem.detail)
    return unanswered(seconds, transport)


def _with_answer(finding: Finding, outcome: Outcome) -> Finding:
    address = finding.address if outcome.target is None else _host(outcome.target)
    response = outcome.response
    if response is None:
        return replace(finding, address=address)
    product = response.headers.get("server") or response.headers.get("user-agent") or ""
    return replace(
        finding,
        address=address,
        status=response.status,
        reason=_printable(response.reason),
        product=_printable(product),
        milliseconds=outcome.seconds * 1000.0,
    )


def _host(where: Destination) -> str:
    port = "" if where.port is None else f":{where.port}"
    return f"{bracketed(where.host)}{port}"


def _blank(name: str, asked: str, where: Destination) -> Finding:
    verdict = Verdict(False, "not asked")
    return Finding(name, asked, where.transport, _host(where), None, "", "", None, verdict)


def _printable(text: str) -> str:
    """What a far end says of itself, without what would steer a terminal."""
    clean = "".join(character for character in text if character.isprintable())
    return clean if len(clean) <= MAX_TEXT else clean[: MAX_TEXT - 1] + "…"
