"""What a call needs of the media connection it was given, whichever kind that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TypeAlias

from edge.events import JsonValue
from edge.media.frames import Samples
from edge.media.playout import Playout

LegEnd: TypeAlias = Literal["hangup", "closed", "lost", "failed"]
"""Why the far end is gone: it said goodbye, it closed the connection without a goodbye (a page that
reloads, a client that changes edges), it went silent, or the transport broke."""


class Leg(Protocol):
    """One media connection of a session.

    The leg calls ``on_audio`` in order with frames of 320 samples (16 kHz mono, 20 ms), gaps
    filled; ``on_message`` with every JSON object that the far end sent on its event channel. It
    pulls ``playout`` once per 20 ms. None of the callbacks is called after ``closed`` is done.
    """

    kind: str
    """``webrtc``, ``sip`` or ``websocket``."""
    playout: Playout
    on_audio: Callable[[Samples], None]
    on_message: Callable[[Mapping[str, JsonValue]], None]

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
