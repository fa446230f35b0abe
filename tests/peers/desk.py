"""Telephones of our own stack that do what baresip cannot: be transferred with Replaces, and show
what came with a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from edge.clock import SystemClock
from edge.transport.rtp.codec import CodecName
from edge.transport.sip.core.events import Answered, Ended, Progress, SessionEvent
from edge.transport.sip.core.flow import Destination
from edge.transport.sip.core.refer import Referral
from edge.transport.sip.core.registration import RegistrationSettings, RegistrationStatus
from edge.transport.sip.core.session import Session
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.wire.digest import Credentials
from inland.caller.mouth import Mouth
from inland.phone.telephone import PhoneLine, Telephone, telephone
from tests.peers.audio import tone
from tests.peers.kamailio import Kamailio
from tests.peers.program import HOST, PATIENCE

TAKEN_ALONG = ("replaces", "user-to-user")
"""Headers of a Refer-To's URI that belong into the call (RFC 3891, RFC 7433)."""


class Desk:
    """A telephone at which a PBX lets a person ring. ``sessions`` are the calls that came;
    ``behave`` says what the person does with each."""

    def __init__(self, phone: Telephone) -> None:
        self.phone = phone
        self.lines: list[PhoneLine] = []
        self.sessions: list[Session] = []
        self.behave: Callable[[Session], None] = self.answer
        self._came = asyncio.Event()
        phone.on_ring = self._ring

    def answer(self, session: Session) -> None:
        """Take the call."""
        session.ring()
        self.lines.append(self.phone.pick_up(session))

    async def called(self, times: int = 1) -> Session:
        """Wait for so many calls; the last of them."""
        async with asyncio.timeout(PATIENCE):
            while len(self.sessions) < times:
                self._came.clear()
                await self._came.wait()
        return self.sessions[times - 1]

    def _ring(self, session: Session) -> None:
        self.sessions.append(session)
        self._came.set()
        self.behave(session)


@asynccontextmanager
async def desk(pbx: Kamailio, user: str, password: str) -> AsyncIterator[Desk]:
    """A telephone that is registered as ``user``."""
    registered = asyncio.Event()

    def changed(status: RegistrationStatus) -> None:
        if status.state == "registered":
            registered.set()

    policy = MediaPolicy(codecs=("pcmu",))
    async with telephone(host=HOST, policy=policy, clock=SystemClock()) as phone:
        settings = RegistrationSettings(
            registrar=f"sip:{HOST}:{pbx.port}",
            address=f"sip:{user}@{HOST}:{pbx.port}",
            destination=Destination("udp", HOST, pbx.port),
            contact_user=user,
            credentials=Credentials(user, password),
        )
        phone.agent.register(settings).on_change = changed
        async with asyncio.timeout(PATIENCE):
            await registered.wait()
        yield Desk(phone)


class Transferee:
    """A caller whose telephone goes where it is referred to. ``went`` is the call it made there."""

    def __init__(self, phone: Telephone, line: PhoneLine) -> None:
        self._phone = phone
        self._going = asyncio.Event()
        self._went: PhoneLine | None = None
        line.session.on_refer = self._refer

    async def goes(self) -> PhoneLine:
        """Wait for it to be on its way."""
        async with asyncio.timeout(PATIENCE):
            await self._going.wait()
        assert self._went is not None
        return self._went

    def _refer(self, referral: Referral) -> bool:
        referral.accept()
        headers = [field for field in referral.to.headers if field[0].lower() in TAKEN_ALONG]
        line = self._phone.dial(referral.to.uri, headers=headers)

        def tell(event: SessionEvent) -> None:
            match event:
                case Progress(status=status, reason=reason):
                    referral.report(status, reason)
                case Answered():
                    referral.report(200)
                case Ended(status=status):
                    referral.report(status or 487)
                case _:
                    pass

        line.on_event = tell
        self._went = line
        self._going.set()
        return True


async def hear_each_other(first: PhoneLine, second: PhoneLine) -> None:
    """Wait until each of two ends has heard a tone that the other one speaks."""
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for speaker, listener in ((first, second), (second, first)):
            group.create_task(_hears(speaker, listener))


async def _hears(speaker: PhoneLine, listener: PhoneLine) -> None:
    heard = asyncio.Event()
    listener.leg.on_audio = lambda frame: heard.set() if abs(frame).max() > 1_000 else None
    mouth = Mouth(speaker.leg.playout, lambda: None, lambda: None)
    mouth.say(tone(440.0, 1.0, speaker.leg.playout.rate))
    await heard.wait()


@asynccontextmanager
async def caller_phone(*codecs: CodecName, host: str = HOST) -> AsyncIterator[Telephone]:
    """A telephone that calls and is not called."""
    policy = MediaPolicy(codecs=codecs or ("pcmu",))
    async with telephone(host=host, policy=policy, clock=SystemClock()) as phone:
        yield phone
