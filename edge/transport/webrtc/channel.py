"""JSON events over one data channel, with bounds in both directions."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import Protocol

from aiortc.exceptions import InvalidStateError

from edge.clock import Clock
from edge.events import JsonValue
from edge.transport.rtp.budget import Budget

logger = logging.getLogger(__name__)

LABEL = "oai-events"

MAX_BACKLOG = 64
"""Events kept until the channel opens; later ones are dropped."""

MAX_EVENT_BYTES = 16 * 1024
MAX_EVENTS_PER_SECOND = 20

FLOOD_EVENTS = 200
FLOOD_SECONDS = 10.0
"""So many refused events within so many seconds are a flood. The rates above bound what is answered
and delivered; only this bounds the work of refusing."""

MAX_BUFFERED = 256 * 1024
"""Bytes that a far end may leave unread; events beyond are dropped."""


class DataChannel(Protocol):
    """What is used of aiortc's data channel."""

    @property
    def label(self) -> str: ...

    @property
    def readyState(self) -> str: ...  # noqa: N802

    @property
    def bufferedAmount(self) -> int: ...  # noqa: N802

    def send(self, data: str, /) -> None: ...

    def on(self, event: str, listener: Callable[..., None], /) -> object: ...

    def remove_all_listeners(self) -> None: ...


class EventChannel:
    """The event channel of a leg, before and after it opens.

    ``on_message`` gets every well-formed JSON object that arrives within the bounds; anything else
    is answered with an ``error`` event, at most :data:`MAX_EVENTS_PER_SECOND` times a second.
    ``on_flood`` is called once when :data:`FLOOD_EVENTS` were refused within :data:`FLOOD_SECONDS`;
    nothing is read after that.
    """

    def __init__(
        self,
        clock: Clock,
        on_message: Callable[[Mapping[str, JsonValue]], None],
        *,
        max_bytes: int = MAX_EVENT_BYTES,
        max_rate: float = MAX_EVENTS_PER_SECOND,
        strict: bool = True,
    ) -> None:
        self.dropped = 0
        self.on_flood: Callable[[], None] = _nothing
        self._clock = clock
        self._on_message = on_message
        self._max_bytes = max_bytes
        self._incoming = Budget(max_rate, max_rate)
        self._errors = Budget(max_rate, max_rate)
        self._refused: deque[float] = deque(maxlen=FLOOD_EVENTS)
        self._flooded = False
        self._strict = strict
        self._backlog: deque[str] = deque()
        self._channel: DataChannel | None = None

    @property
    def open(self) -> bool:
        return self._channel is not None and self._channel.readyState == "open"

    def attach(self, channel: DataChannel) -> None:
        """Use ``channel`` if it is the first one with our label; others are ignored."""
        if self._channel is not None or channel.label != LABEL:
            return
        self._channel = channel
        channel.on("message", self._received)
        if channel.readyState == "open":
            self._flush()
        else:
            channel.on("open", self._flush)

    def send(self, event: Mapping[str, JsonValue]) -> None:
        """Send, or keep until the channel opens. Never blocks; beyond the bounds, drops.

        An event that is no JSON is a mistake of ours; it is dropped too, and logged.
        """
        try:
            text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
        except (TypeError, ValueError, RecursionError) as error:
            self._drop(error)
            return
        if self._channel is None or self._channel.readyState == "connecting":
            if len(self._backlog) < MAX_BACKLOG:
                self._backlog.append(text)
            else:
                self.dropped += 1
            return
        self._write(text)

    def close(self) -> None:
        """Drop what waits; nothing is sent or reported any more."""
        self._backlog.clear()
        if self._channel is not None:
            self._channel.remove_all_listeners()

    def _flush(self) -> None:
        while self._backlog:
            self._write(self._backlog.popleft())

    def _write(self, text: str) -> None:
        channel = self._channel
        if channel is None or channel.bufferedAmount > MAX_BUFFERED:
            self.dropped += 1
            return
        try:
            channel.send(text)
        except (InvalidStateError, ValueError):
            # Closed meanwhile, or longer than the far end takes.
            self.dropped += 1
        except Exception as error:
            # A boundary: what a library makes of a channel that the far end controls.
            self._drop(error)

    def _drop(self, error: Exception) -> None:
        self.dropped += 1
        logger.error("an event could not be sent", extra={"code": type(error).__name__})

    def _received(self, message: str | bytes) -> None:
        if self._flooded:
            return
        if self._strict and not self._incoming.take(1, self._clock.monotonic()):
            self._refuse("rate_limited", "too many events")
            return
        size = len(message) if isinstance(message, bytes) else len(message.encode())
        if size > self._max_bytes:
            self._refuse("event_too_large", f"an event is at most {self._max_bytes} bytes")
            return
        try:
            event = json.loads(message)
        except (ValueError, RecursionError):
            self._refuse("bad_event", "an event is a JSON object")
            return
        if not isinstance(event, dict):
            self._refuse("bad_event", "an event is a JSON object")
            return
        self._on_message(event)

    def _refuse(self, code: str, message: str) -> None:
        if not self._strict:
            return
        now = self._clock.monotonic()
        self._refused.append(now)
        if len(self._refused) == FLOOD_EVENTS and now - self._refused[0] <= FLOOD_SECONDS:
            self._flooded = True
            self.on_flood()
        elif self._errors.take(1, now):
            error = {"type": "invalid_request_error", "code": code, "message": message}
            self.send({"type": "error", "event_id": f"evt_{token_hex(8)}", "error": error})


def _nothing() -> None:
    pass
