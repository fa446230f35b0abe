"""Giving a caller to a person (RFC 3515, RFC 5589), as an agent asks for it."""

from __future__ import annotations

import asyncio
import secrets

from edge.phone.access import TrunkAccess
from edge.phone.line import Transfer, Transferred
from edge.problem import EdgeRefusal
from edge.transport.sip.core.events import Answered, Ended, ReferProgress, SessionEvent
from edge.transport.sip.core.session import Session
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.user_to_user import UserToUser

RING_SECONDS = 40.0
"""How long the person's telephone may ring."""
PROGRESS_SECONDS = 60.0
"""How long the far end may be silent about a transfer that it has taken on."""
PURPOSE = "isdn-uui"
"""RFC 7434 section 7: contact centres read this one."""


class SipTransferrer:
    """Transfers of one session. ``access`` is its trunk's.

    *Blind*: the far end is asked to call the person. *Attended*: the person is called first, on
    hold, and the far end is asked to take our place in that call only once they have answered; a
    person who does not answer costs the caller nothing.
    """

    def __init__(self, session: Session, access: TrunkAccess) -> None:
        self._session = session
        self._access = access

    async def transfer(
        self, request: Transfer, progress: asyncio.Queue[ReferProgress]
    ) -> Transferred:
        """See :class:`edge.phone.phone_call.Transferrer`."""
        if not self._access.trunk.may_transfer_to(request.to):
            return _failed(403, "the trunk's settings do not allow this target")
        try:
            target = self._access.target(request.to)
            if request.how == "attended":
                return await self._attended(request, target, progress)
            return await self._refer(target, None, request, progress)
        except EdgeRefusal as refusal:
            return _failed(0, refusal.detail)
        except MessageError:
            return _failed(0, "the target is no address")

    async def _attended(
        self, request: Transfer, target: str, progress: asyncio.Queue[ReferProgress]
    ) -> Transferred:
        consulted = self._access.invite(
            request.to, on_hold(), caller_id=None, headers=_about(request)
        )
        try:
            refusal = await _answered(consulted)
            if refusal is not None:
                return refusal
            return await self._refer(target, consulted, request, progress)
        finally:
            # After success the far end has replaced us there, and this does nothing.
            consulted.end()

    async def _refer(
        self,
        target: str,
        consulted: Session | None,
        request: Transfer,
        progress: asyncio.Queue[ReferProgress],
    ) -> Transferred:
        while not progress.empty():
            progress.get_nowait()
        if not self._session.refer(target, replaces=consulted, headers=_about(request)):
            return _failed(0, "the call is not in a state to be transferred")
        while True:
            try:
                async with asyncio.timeout(PROGRESS_SECONDS):
                    event = await progress.get()
            except TimeoutError:
                return _failed(0, "timeout")
            if event.final:
                ok = 200 <= event.status < 300
                return Transferred(ok=ok, status=event.status, reason=event.reason[:200])


async def _answered(session: Session) -> Transferred | None:
    """None when the session was answered, else why it was not."""
    events: asyncio.Queue[SessionEvent] = asyncio.Queue()
    session.on_event = events.put_nowait
    try:
        async with asyncio.timeout(RING_SECONDS):
            while True:
                match await events.get():
                    case Answered():
                        return None
                    case Ended(status=status, reason=reason, cause=cause):
                        return _failed(status or 0, reason[:200] or cause)
                    case _:
                        continue
    except TimeoutError:
        return _failed(408, "timeout")


def on_hold() -> bytes:
    """An offer of a stream that nobody sends on: the person hears nothing until the caller is
    there (RFC 3264 section 5.1). It needs no port: 9 is *discard*."""
    origin = secrets.randbits(62)
    lines = (
        "v=0",
        f"o=- {origin} 1 IN IP4 0.0.0.0",
        "s=-",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "m=audio 9 RTP/AVP 0 8 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=inactive",
        "",
    )
    return "\r\n".join(lines).encode()


def _about(request: Transfer) -> list[tuple[str, str]]:
    """The reference to the handover's summary; the summary stays in the session's journal."""
    value = UserToUser(request.reference.encode(), purpose=PURPOSE)
    return [("user-to-user", str(value))]


def _failed(status: int, reason: str) -> Transferred:
    return Transferred(ok=False, status=status, reason=reason[:200])
