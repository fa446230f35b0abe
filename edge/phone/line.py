"""What the dispatcher and a worker say to each other over the line of one phone call.

A line is a WebSocket on the worker's unix socket, as long as the call's leg lives. The dispatcher
speaks first (:class:`Open`); the worker answers :class:`Opened` or :class:`Refused`. A line that
breaks without :class:`Ended` means that the worker is gone and the call is not: the dispatcher
opens another one elsewhere. A line that breaks without :class:`HangUp` means that the dispatcher
is gone, and the call with it.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from control_plane.contract import Identifier, Wire
from edge.internal import Admitted

LINE_PATH = "/line"
MAX_LINE = 256 * 1024
"""Longest message, bytes: two session descriptions and room."""
Sdp = Annotated[str, Field(max_length=65_535)]
Srtp: TypeAlias = Literal["off", "optional", "required"]


class LineMedia(Wire):
    """What the trunk allows for media."""

    codecs: tuple[Literal["opus", "g722", "pcmu", "pcma"], ...] = Field(min_length=1, max_length=8)
    srtp: Srtp


# --- the dispatcher speaks -----------------------------------------------------------------------


class Open(Wire):
    """Take this call. ``sdp`` is the far end's offer; None asks the worker for one."""

    kind: Literal["open"] = "open"
    caller: Admitted
    sdp: Sdp | None
    media: LineMedia
    trunk: Identifier
    """Whose call it is, by the settings' name: for the receipt."""
    source: Annotated[str, Field(max_length=64)] | None
    """The numeric address that the call's signalling came from: its media may come from there."""
    after: tuple[int, int] | None
    """Session id and version of our last description, when the call was another worker's."""
    can_transfer: bool
    until: float
    """When the dispatcher gives up and asks another worker, by the machine's monotonic clock."""


class TheirOffer(Wire):
    """The far end wants to change the media; None: it asks for an offer."""

    kind: Literal["their_offer"] = "their_offer"
    sdp: Sdp | None


class TheirAnswer(Wire):
    """The far end's answer to the worker's offer."""

    kind: Literal["their_answer"] = "their_answer"
    sdp: Sdp


class Established(Wire):
    """The call stands: the conversation may begin."""

    kind: Literal["established"] = "established"


class Pressed(Wire):
    """A key that came by signalling (INFO)."""

    kind: Literal["pressed"] = "pressed"
    digit: Annotated[str, Field(pattern=r"^[0-9A-D*#]$")]


class Transferred(Wire):
    """What became of a :class:`Transfer`."""

    kind: Literal["transferred"] = "transferred"
    ok: bool
    status: int
    reason: Annotated[str, Field(max_length=200)]


class HangUp(Wire):
    """The far end is gone: it said goodbye, or nothing reaches it any more."""

    kind: Literal["hang_up"] = "hang_up"
    why: Literal["hangup", "lost"]


ToWorker: TypeAlias = Annotated[
    Open | TheirOffer | TheirAnswer | Established | Pressed | Transferred | HangUp,
    Field(discriminator="kind"),
]

# --- the worker speaks ---------------------------------------------------------------------------


class Opened(Wire):
    """The call has a place; ``sdp`` is the answer, or the offer that was asked for."""

    kind: Literal["opened"] = "opened"
    call_id: str
    sdp: Sdp


class Refused(Wire):
    """It has none; the last message."""

    kind: Literal["refused"] = "refused"
    code: str
    detail: str


class OurDescription(Wire):
    """The answer to :class:`TheirOffer`, or the offer it asked for."""

    kind: Literal["our_description"] = "our_description"
    sdp: Sdp


class Unacceptable(Wire):
    """:class:`TheirOffer` or :class:`TheirAnswer` cannot be used; what stood still stands."""

    kind: Literal["unacceptable"] = "unacceptable"
    code: str


class Transfer(Wire):
    """Give the caller to a person; :class:`Transferred` is awaited."""

    kind: Literal["transfer"] = "transfer"
    to: Annotated[str, Field(max_length=1024)]
    how: Literal["blind", "attended"]
    reference: Annotated[str, Field(max_length=128)]


class Ended(Wire):
    """The call is over on the worker's side; the last message."""

    kind: Literal["ended"] = "ended"
    reason: str


ToDispatcher: TypeAlias = Annotated[
    Opened | Refused | OurDescription | Unacceptable | Transfer | Ended,
    Field(discriminator="kind"),
]

to_worker: TypeAdapter[ToWorker] = TypeAdapter(ToWorker)
to_dispatcher: TypeAdapter[ToDispatcher] = TypeAdapter(ToDispatcher)
