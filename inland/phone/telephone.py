"""Calls and is called over SIP, with the stack that the edge has (``edge.transport.sip``)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from ipaddress import ip_address

from edge.clock import Clock
from edge.leg import LegEnd
from edge.media.ticker import Ticker
from edge.transport.sip.core.agent import AgentCore
from edge.transport.sip.core.events import (
    Agreed,
    Answered,
    Confirmed,
    Ended,
    InfoReceived,
    Offered,
    OfferFailed,
    Progress,
    ReferProgress,
    SessionEvent,
)
from edge.transport.sip.core.flow import Destination, Transport, destination_of
from edge.transport.sip.core.session import Session
from edge.transport.sip.core.settings import AgentSettings
from edge.transport.sip.media.agreement import Direction, MediaPolicy
from edge.transport.sip.media.errors import OfferError
from edge.transport.sip.media.leg import SipLeg
from edge.transport.sip.media.legs import SipMedia
from edge.transport.sip.net.settings import ListenSettings, PeerTls, ServerTls
from edge.transport.sip.net.user_agent import UserAgent
from edge.transport.sip.wire.digest import Credentials
from edge.transport.sip.wire.uri import SipUri
from edge.transport.sip.wire.values import NameAddr

MEDIA_PORTS = range(40_000, 60_000)
"""UDP ports that a telephone takes its media ports from, at random."""
DEFAULT_USER = "caller"

log = logging.getLogger(__name__)


class PhoneLine:
    """One call of a telephone, out or in.

    ``leg`` is its media. What the far end wants of media is answered here; :meth:`answered` and
    :meth:`over` tell how the call goes. ``on_event`` sees every event of the session, after it was
    acted on. With ``late_offer`` our INVITE has no description: theirs is answered.
    """

    def __init__(
        self, session: Session, leg: SipLeg, *, ringing: bool, late_offer: bool = False
    ) -> None:
        self.session = session
        self.leg = leg
        self.on_event: Callable[[SessionEvent], None] = lambda event: None
        self.progress: list[Progress] = []
        self.transfers: list[ReferProgress] = []
        self.fault = ""
        """Why we ended the call, when their description was of no use or their media stopped."""
        self._late_offer = late_offer
        loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[None] = loop.create_future()
        self._over: asyncio.Future[Ended] = loop.create_future()
        self._agreed: asyncio.Future[bool] | None = None
        if not ringing:
            session.on_event = self._happened

    async def answered(self) -> None:
        """Returns when the call stands, or is over."""
        await asyncio.wait((self._answered, self._over), return_when=asyncio.FIRST_COMPLETED)

    @property
    def stands(self) -> bool:
        """Whether both sides have agreed and nobody has hung up."""
        return self._answered.done() and not self._over.done()

    @property
    def was_answered(self) -> bool:
        """Whether it stood at any time."""
        return self._answered.done()

    async def over(self) -> Ended:
        """How the call ended, once it has."""
        return await asyncio.shield(self._over)

    def pick_up(self, description: bytes) -> None:
        """Answer a call that rings."""
        self.session.on_event = self._happened
        self.session.accept(description)

    def hang_up(self) -> None:
        """End the call, or stop calling."""
        self.session.end()

    async def reoffer(self, direction: Direction) -> bool:
        """Hold (``sendonly``) or resume (``sendrecv``); whether the far end agreed."""
        self._agreed = asyncio.get_running_loop().create_future()
        if not self.session.offer(self.leg.reoffer(direction)):
            return False
        return await self._agreed

    def _happened(self, event: SessionEvent) -> None:
        try:
            self._act(event)
        except OfferError as error:
            log.info("a far end's description cannot be used")
            self.fault = error.detail
            self.session.end()
        self.on_event(event)

    def _act(self, event: SessionEvent) -> None:
        match event:
            case Progress(sdp=sdp):
                self.progress.append(event)
                if sdp is not None:
                    self.leg.accept(sdp)
                    self.leg.establish()  # early media is heard
            case Answered(sdp=sdp) if self._late_offer and sdp is not None:
                self.session.acknowledge(self.leg.reoffered(sdp))
                self._stand()
            case Answered(sdp=sdp) | Confirmed(sdp=sdp):
                if sdp is not None:
                    self.leg.accept(sdp)
                self._stand()
            case Offered(sdp=sdp):
                ours = self.leg.reoffer() if sdp is None else self.leg.reoffered(sdp)
                self.session.answer(ours)
            case Agreed(sdp=sdp):
                self.leg.accept(sdp)
                self._settle(True)
            case OfferFailed():
                self._settle(False)
            case ReferProgress():
                self.transfers.append(event)
            case InfoReceived():
                pass
            case Ended():
                self._ended(event)

    async def watch(self) -> None:
        """End the call when its media is gone; returns when it is over."""
        if await self.leg.closed() in ("lost", "failed") and not self._over.done():
            self.fault = "the far end's media stopped"
            self.session.end()

    def _stand(self) -> None:
        self.leg.establish()
        if not self._answered.done():
            self._answered.set_result(None)

    def _settle(self, agreed: bool) -> None:
        if self._agreed is not None and not self._agreed.done():
            self._agreed.set_result(agreed)

    def _ended(self, event: Ended) -> None:
        why: LegEnd = "hangup" if event.cause in ("remote_bye", "local_bye") else "lost"
        self.leg.hung_up(why)
        self._settle(False)
        if not self._over.done():
            self._over.set_result(event)


class Telephone:
    """Made by :func:`telephone`. ``on_ring`` is called with each call that comes in, before it is
    answered; without one, calls are answered with 480."""

    def __init__(
        self, agent: UserAgent, media: SipMedia, policy: MediaPolicy, group: asyncio.TaskGroup
    ) -> None:
        self.on_ring: Callable[[Session], None] | None = None
        self.agent = agent
        self.media = media
        self.policy = policy
        self._group = group
        agent.core.on_invite = self._rings
        self._lines: list[PhoneLine] = []

    @property
    def core(self) -> AgentCore:
        return self.agent.core

    def address(self, transport: Transport = "udp", user: str = DEFAULT_USER) -> str:
        """The SIP URI at which this telephone is called over ``transport``."""
        host, port = next(at for kind, at in self.agent.listeners if kind == transport)
        parameters = {} if transport == "udp" else {"transport": transport}
        return str(SipUri(host, user, port, parameters=parameters))

    def dial(
        self,
        target: str,
        *,
        user: str = DEFAULT_USER,
        proxy: Destination | None = None,
        credentials: Credentials | None = None,
        headers: Sequence[tuple[str, str]] = (),
        late_offer: bool = False,
    ) -> PhoneLine:
        """Call a SIP URI. Raises ``MessageError`` when it is none, ``PortsExhausted``.

        ``proxy`` is asked in place of the target's own host. With ``late_offer`` the far end makes
        the offer.
        """
        uri = SipUri.parse(target)
        leg, description = self.media.offer(self.policy)
        session = self.core.invite(
            str(uri.without_headers()),
            destination=proxy or destination_of(uri),
            from_=NameAddr(str(SipUri(uri.host, user))),
            sdp=None if late_offer else description,
            credentials=credentials,
            headers=headers,
        )
        return self._keep(PhoneLine(session, leg, ringing=False, late_offer=late_offer))

    def pick_up(self, session: Session) -> PhoneLine:
        """Answer a call that rings. Raises ``OfferError``."""
        if session.sdp is None:
            leg, description = self.media.offer(self.policy)
        else:
            leg, description = self.media.answer(session.sdp, self.policy)
        line = self._keep(PhoneLine(session, leg, ringing=True))
        line.pick_up(description)
        return line

    async def close(self) -> None:
        """Hang up everything."""
        for line in self._lines:
            line.hang_up()
            await line.leg.close()

    def _keep(self, line: PhoneLine) -> PhoneLine:
        self._lines = [known for known in self._lines if not known._over.done()]
        self._lines.append(line)
        self._group.create_task(line.watch())
        return line

    def _rings(self, session: Session) -> None:
        if self.on_ring is None:
            session.reject(480)
        else:
            self.on_ring(session)


@asynccontextmanager
async def telephone(
    *,
    host: str,
    policy: MediaPolicy,
    clock: Clock,
    port: int = 0,
    tls: PeerTls | None = None,
    tls_host: str = "",
    own_tls: ServerTls | None = None,
    ports: range = MEDIA_PORTS,
) -> AsyncIterator[Telephone]:
    """A telephone at the numeric address ``host``, on free ports, or on ``port``.

    ``tls`` says how the certificate of ``tls_host`` is checked; with ``own_tls`` the telephone can
    be called over TLS. Raises ``BindError`` and ``TlsFilesError``; what the block raises comes out
    as it is.
    """
    settings = ListenSettings(
        udp=((host, port),),
        tcp=((host, port),),
        tls=((host, 0),) if own_tls is not None else (),
        server_tls=own_tls,
        peers={tls_host: tls} if tls is not None else {},
    )
    ticker = Ticker()
    media = SipMedia(host, ports, None, ticker, clock)
    agent = UserAgent(
        settings,
        clock,
        user_agent=f"Inland-telephone/{version('inland')}",
        agent=AgentSettings(allow_replaces=True),
    )
    await agent.start()
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(agent.run())
        ticking = group.create_task(ticker.run())
        media.start()
        phone = Telephone(agent, media, policy, group)
        try:
            yield phone
        except Exception as error:  # a task group would wrap it, and callers match on its type
            failure = error
        finally:
            await phone.close()
            await agent.close()
            await media.close()
            ticking.cancel()
            serving.cancel()
    if failure is not None:
        raise failure


def own_address(host: str) -> str:
    """The numeric address of this machine that packets to ``host`` come from.

    Raises ``OSError`` when there is no way to it.
    """
    found = socket.getaddrinfo(host, 5060, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(address)
        return str(ip_address(probe.getsockname()[0].partition("%")[0]))
