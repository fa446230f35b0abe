"""What a call needs of the media connection it was given, whichever kind that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from edge.events import JsonValue
from edge.events import TransferKind as TransferKind
from edge.media.frames import Band, Samples
from edge.media.playout import Playout

LegEnd: TypeAlias = Literal["hangup", "closed", "lost", "failed"]
"""Why the far end is gone: it said goodbye, it closed the connection without a goodbye (a page that
reloads, a client that changes edges), it went silent, or the transport broke."""


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """Give the caller to somebody else.

    ``to`` is an E.164 number (``+49…``) or a ``sip:`` or ``sips:`` URI. ``reference`` names the
    summary in the session's journal, for the ``User-to-User`` header (RFC 7433); the summary itself
    never leaves the session.
    """

    to: str
    kind: TransferKind
    reference: str


@dataclass(frozen=True, slots=True)
class TransferResult:
    """What became of it.

    ``status`` is the SIP status that decided it, 0 when none came; ``reason`` its reason phrase, or
    a word of our own (``timeout``).
    """

    ok: bool
    status: int
    reason: str


class Leg(Protocol):
    """One media connection of a session.

    The leg calls ``on_audio`` in order with frames of 320 samples (16 kHz mono, 20 ms), gaps
    filled; ``on_message`` with every JSON object that the far end sent on its event channel;
    ``on_digit`` once per key that was pressed (``0`` to ``9``, ``*``, ``#``, ``A`` to ``D``). It
    pulls ``playout`` once per 20 ms. None of the callbacks is called after ``closed`` is done.
    """

    kind: str
    """``webrtc``, ``sip`` or ``websocket``."""
    trunk: str
    """The operator's name of the trunk that carries it; empty where none does."""
    playout: Playout
    on_audio: Callable[[Samples], None]
    on_message: Callable[[Mapping[str, JsonValue]], None]
    on_digit: Callable[[str], None]

    @property
    def band(self) -> Band:
        """What the audio holds; may change when the codec is negotiated anew."""
        ...

    @property
    def can_transfer(self) -> bool:
        """Whether :meth:`transfer` can work at all."""
        ...

    async def connected(self) -> None:
        """Returns when media can flow both ways.

        Raises ``LegError`` when the far end did not get that far in time.
        """
        ...

    def send(self, event: Mapping[str, JsonValue]) -> None:
        """Send a JSON event to the far end if it has an event channel; never blocks.

        Events sent before the channel opens are kept, up to a bound, and sent in order.
        """
        ...

    async def transfer(self, request: TransferRequest) -> TransferResult:
        """Ask for the caller to be taken over; returns when it is known what became of that.

        After success the far end is leaving: ``closed`` may return at any time. After a failure the
        leg is as it was. Bounded in time by the leg. Raises nothing but ``CancelledError``, which
        does not take the request back; one at a time.
        """
        ...

    async def closed(self) -> LegEnd:
        """Returns when the far end is gone, with the reason.

        Only after ``hangup`` is the conversation over; after the others the caller may come back.
        """
        ...

    async def close(self) -> None:
        """End the connection and free its sockets and tasks. Idempotent."""
        ...


class LegError(Exception):
    """The far end never became able to talk."""
