"""What one session of the user agent tells its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge.transport.sip.wire.message import Headers

EndCause: TypeAlias = Literal[
    "remote_bye",
    "local_bye",
    "cancelled",
    "rejected",
    "no_response",
    "no_ack",
    "expired",
    "unreachable",
    "replaced",
    "failed",
]
"""Who or what ended a session: a BYE from there or from us, a CANCEL, a final response that is no
success, no response or no ACK in time, the session timer (RFC 4028), a dead transport, an INVITE
with Replaces, or a far end that broke the protocol."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A provisional answer to our INVITE; with ``sdp`` there is early media."""

    status: int
    reason: str
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Answered:
    """Our INVITE was answered. ``sdp`` is their answer, already acknowledged; or, when our INVITE
    had no offer, their offer: the owner then calls ``acknowledge`` with the answer."""

    sdp: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The ACK to our 200 came. ``sdp`` is their answer when the 200 carried our offer."""

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Offered:
    """A re-INVITE or UPDATE; the owner calls ``answer`` or ``refuse``.

    ``sdp`` None means that they ask for an offer: ``answer`` then takes ours, and their answer
    comes with ``Confirmed``.
    """

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Agreed:
    """Their answer to our ``offer`` inside the session."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class OfferFailed:
    """Our ``offer`` inside the session was refused: what was agreed before still stands."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class InfoReceived:
    """An INFO (RFC 6086), already answered with 200."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ReferProgress:
    """How the transfer that we asked for is going (RFC 3515).

    ``status`` is that of the far end's new call, or of the refused REFER; ``final`` says that
    nothing more will come.
    """

    status: int
    reason: str
    final: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; the last event. ``status`` is the SIP status where there is one."""

    cause: EndCause
    status: int | None = None
    reason: str = ""
    headers: Headers | None = None
    """Of the final response, for its Retry-After, Reason or Contact."""


SessionEvent: TypeAlias = (
    Progress
    | Answered
    | Confirmed
    | Offered
    | Agreed
    | OfferFailed
    | InfoReceived
    | ReferProgress
    | Ended
)
