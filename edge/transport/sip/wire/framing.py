"""Messages out of a stream of bytes (RFC 3261 section 18.3), and pings (RFC 5626 section 4.4.1)."""

from __future__ import annotations

from collections.abc import Iterator

from edge.transport.sip.wire.errors import MessageError, StreamBroken
from edge.transport.sip.wire.message import MAX_MESSAGE, Head

PING = b"\r\n\r\n"
"""Asks whether the connection stands."""
PONG = b"\r\n"
"""The answer to ``PING``."""

_BLANK = b"\r\n\r\n"


class StreamFramer:
    """Cuts one connection's bytes into messages. Holds at most one message and what came with it.

    What is wrong with a message of known length is found by ``parse_message`` and concerns that
    message alone: answer it and read on. When the length is not known, or beyond the bounds,
    nobody can say where the next message begins: that is ``StreamBroken``, and the connection must
    be closed.
    """

    __slots__ = ("_awaited", "_broken", "_buffer", "_half", "_scanned", "_total")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._total: int | None = None
        self._half = False
        self._awaited = False
        self._broken = False

    @property
    def pending(self) -> bool:
        """Whether a message has begun that has not ended, once a feed has been iterated."""
        return bool(self._buffer)

    def ping(self) -> bytes:
        """A ping to send. From here on a single CRLF is its answer, and not half a ping."""
        self._awaited = True
        return PING

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` completes, in order: whole messages, ``PING`` (send ``PONG``), ``PONG``.

        ``data`` is taken at once, whether or not the iterator is used up; many pings in a row are
        one. The iterator raises ``StreamBroken`` where the stream ends to make sense; after that
        nothing more comes.
        """
        if not self._broken:
            self._buffer += data
        return self._frames()

    def _frames(self) -> Iterator[bytes]:
        while self._buffer and not self._broken:
            if self._total is None:
                yield from self._pings()
                try:
                    self._total = self._measure()
                except MessageError as error:
                    self._broken = True
                    self._buffer.clear()
                    raise StreamBroken(error.detail, error.status, error.headers) from error
            if self._total is None or len(self._buffer) < self._total:
                return
            frame = bytes(self._buffer[: self._total])
            del self._buffer[: self._total]
            self._total = None
            self._scanned = 0
            yield frame

    def _pings(self) -> Iterator[bytes]:
        """Take the line ends between two messages."""
        if self._scanned:
            return  # inside a header
        rest = self._buffer.lstrip(b"\r\n")
        length = len(self._buffer) - len(rest)
        if not length:
            self._half = self._half and not rest
            return
        pairs = self._buffer.count(PONG, 0, length)
        if not rest and self._buffer.endswith(b"\r"):
            length -= 1  # the rest of this line end is still under way
        del self._buffer[:length]
        answered = self._awaited and pairs > 0
        if answered:
            self._awaited = False
            pairs -= 1
        pairs += self._half
        self._half = pairs % 2 == 1 and not rest
        if answered:
            yield PONG
        if pairs > 1:
            yield PING

    def _measure(self) -> int | None:
        """How long the message is, header and body; None until the header is whole."""
        end = self._buffer.find(_BLANK, self._scanned)
        if end < 0:
            if len(self._buffer) >= MAX_MESSAGE:
                raise MessageError("the header does not end", 513)
            self._scanned = max(0, len(self._buffer) - len(_BLANK) + 1)
            return None
        head = Head.read(bytes(self._buffer[:end]))
        length = head.length()
        if length is None:
            raise head.explained(MessageError("there is no Content-Length"))
        total = end + len(_BLANK) + length
        if total > MAX_MESSAGE:
            raise head.explained(MessageError("the message is too long", 513))
        return total
