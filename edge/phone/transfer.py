"""Giving a caller to a person (RFC 3515, RFC 5589), as an agent asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from edge.phone.access import TrunkAccess
from edge.phone.line import Transfer, Transferred
from edge.problem import EdgeRefusal
from edge.transport.sip.core.events import (
    Answered,
    EndCause,
    Ended,
    ReferProgress,
    SessionEvent,
)
from edge.transport.sip.core.session import Session
from edge.transport.sip.media.agreement import LocalMedia, MediaPolicy
from edge.transport.sip.media.negotiate import offer
from edge.transport.sip.wire.errors import MessageError
from edge.transport.sip.wire.extras.refer_to import ReferTo
from edge.transport.sip.wire.extras.user_to_user import UserToUser

RING_SECONDS = 40.0
"""How long the person's telephone may ring."""
PROGRESS_SECONDS = 60.0
"""How long the far end may be silent about a transfer that it has taken on."""
PURPOSE = "isdn-uui"
"""RFC 7434 section 7: contact centres read this one."""
NOWHERE, DISCARD = "0.0.0.0", 9
"""Where no media is taken, so that no port is needed (RFC 3264 section 5.1)."""


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
            return _failed(503, refusal.detail)
        except MessageError:
            return _failed(484, "the target is no address")

    async def _attended(
        self, request: Transfer, target: str, progress: asyncio.Queue[ReferProgress]
    ) -> Transferred:
        consulted = self._access.invite(
            request.to, self._on_hold(), caller_id=None, headers=[_about(request)]
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
        about = _about(request)
        # In the URI it is for the call that the far end makes; some far ends copy the REFER's own.
        wanted = ReferTo.parse(f"<{target}>").with_header(*about)
        if not self._session.refer(wanted.target, replaces=consulted, headers=[about]):
            return _failed(503, "the call is not in a state to be transferred")
        while True:
            try:
                async with asyncio.timeout(PROGRESS_SECONDS):
                    event = await progress.get()
            except TimeoutError:
                return _failed(408, "timeout")
            if event.final:
                ok = 200 <= event.status < 300
                return Transferred(ok=ok, status=event.status, reason=event.reason[:200])

    def _on_hold(self) -> bytes:
        """An offer of a stream that nobody sends on: the person hears nothing until the caller is
        there. It has the trunk's codecs and keys, or the person could not answer."""
        media = self._access.media
        policy = MediaPolicy(codecs=media.codecs, srtp=media.srtp)
        return offer(LocalMedia(NOWHERE, DISCARD, DISCARD), policy, "inactive")[0]


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
                        return _failed(status or _STATUS.get(cause, 500), reason or cause)
                    case _:
                        continue
    except TimeoutError:
        return _failed(408, "timeout")


_STATUS: Mapping[EndCause, int] = {"no_response": 408, "unreachable": 503}
"""What a call that had no final answer counts as."""


def _about(request: Transfer) -> tuple[str, str]:
    """The reference to the handover's summary; the summary stays in the session's journal."""
    value = UserToUser(request.reference.encode(), purpose=PURPOSE)
    return "User-to-User", str(value)


def _failed(status: int, reason: str) -> Transferred:
    return Transferred(ok=False, status=status, reason=reason[:200])
