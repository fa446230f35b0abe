"""What a voice client and the voice worker say to each other, in bytes. Pure: no sockets.

A message is a 4-byte length (of what follows), a 1-byte kind, a 4-byte request number and a body;
integers are unsigned and big-endian, text is UTF-8, samples are signed 16-bit little-endian.

==== ======= ================ ===================================================================
kind message from             body
==== ======= ================ ===================================================================
1    Speak   client           u32 rate, u8 length and language, the text
2    Cancel  client           empty
3    More    client           empty: one more chunk may be sent
16   Hello   worker           u16 version, the engine's name; first message of a connection
17   Chunk   worker           u16 count of marks; each u32 sample, u16 length, text; the samples
18   Done    worker           empty: every chunk was sent
19   Failed  worker           u8: 1 if trying again may help; a reason for the log
==== ======= ================ ===================================================================

A worker sends ``WINDOW`` chunks of a request unasked, then one for each More: a client that does
not listen holds up nobody else, and neither side keeps more than that in memory. A request ends
with Done, Failed or Cancel; messages about an unknown request are late, and ignored.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from edge.media.playout import Mark
from edge.speech.voice import MAX_TEXT, Speech

VERSION = 1
READY = b"ready\n"
"""What the worker writes to its standard output when it can be connected to."""
WINDOW = 4
MAX_MESSAGE = 256 * 1024
"""Bytes of one message without its length; more closes the connection."""
RATES = range(8_000, 48_001)
_MAX_LANGUAGE = 35
"""A BCP 47 tag needs no more (RFC 5646 section 4.4.1)."""
_MAX_REASON = 200

_HEAD = struct.Struct(">IBI")
_SPEAK = struct.Struct(">IB")
_MARK = struct.Struct(">IH")
_U16 = struct.Struct(">H")


@dataclass(frozen=True, slots=True)
class Speak:
    """Say ``text``; at most ``MAX_TEXT`` characters."""

    request: int
    text: str
    language: str
    rate: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """The rest is not needed."""

    request: int


@dataclass(frozen=True, slots=True)
class More:
    """One chunk was taken."""

    request: int


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks."""

    engine: str
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of the speech."""

    request: int
    speech: Speech


@dataclass(frozen=True, slots=True)
class Done:
    """That was all of it."""

    request: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The request ends here."""

    request: int
    reason: str
    retry: bool


Message: TypeAlias = Speak | Cancel | More | Hello | Chunk | Done | Failed


class ProtocolError(Exception):
    """The far end does not speak this protocol; the connection is of no use any more."""


def encode(message: Message) -> bytes:
    """The bytes of ``message``, its length in front."""
    match message:
        case Speak(request, text, language, rate):
            tag = language.encode()
            if len(tag) > _MAX_LANGUAGE or len(text) > MAX_TEXT or rate not in RATES:
                raise ValueError("not a request that a worker would take")
            return _message(1, request, _SPEAK.pack(rate, len(tag)) + tag + text.encode())
        case Cancel(request):
            return _message(2, request)
        case More(request):
            return _message(3, request)
        case Hello(engine, version):
            return _message(16, 0, _U16.pack(version) + engine.encode())
        case Chunk(request, speech):
            body = [_U16.pack(len(speech.marks))]
            for mark in speech.marks:
                words = mark.text.encode()
                body += (_MARK.pack(mark.sample, len(words)), words)
            body.append(speech.samples.astype("<i2", copy=False).tobytes())
            return _message(17, request, b"".join(body))
        case Done(request):
            return _message(18, request)
        case Failed(request, reason, retry):
            return _message(19, request, bytes([retry]) + reason[:_MAX_REASON].encode())


class Decoder:
    """Bytes in, in any pieces; messages out, in order."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now. Raises ``ProtocolError``; do not feed it again."""
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= 4:
            (length,) = struct.unpack_from(">I", self._buffer)
            if not _HEAD.size - 4 <= length <= MAX_MESSAGE:
                raise ProtocolError(f"a message of {length} bytes")
            if len(self._buffer) < 4 + length:
                break
            _, kind, request = _HEAD.unpack_from(self._buffer)
            body = bytes(self._buffer[_HEAD.size : 4 + length])
            del self._buffer[: 4 + length]
            try:
                messages.append(_decode(kind, request, body))
            except (struct.error, UnicodeDecodeError, IndexError) as error:
                raise ProtocolError(f"a broken message of kind {kind}") from error
        return messages


def _message(kind: int, request: int, body: bytes = b"") -> bytes:
    length = _HEAD.size - 4 + len(body)
    if length > MAX_MESSAGE:
        raise ValueError(f"a message of {length} bytes")
    return _HEAD.pack(length, kind, request) + body


def _decode(kind: int, request: int, body: bytes) -> Message:
    match kind:
        case 1:
            rate, length = _SPEAK.unpack_from(body)
            language = body[_SPEAK.size : _SPEAK.size + length].decode("ascii")
            text = body[_SPEAK.size + length :].decode()
            if length > _MAX_LANGUAGE or len(text) > MAX_TEXT or rate not in RATES:
                raise ProtocolError("a request out of bounds")
            return Speak(request, text, language, rate)
        case 2:
            return Cancel(request)
        case 3:
            return More(request)
        case 16:
            return Hello(body[2:].decode(), _U16.unpack_from(body)[0])
        case 17:
            return Chunk(request, _speech(body))
        case 18:
            return Done(request)
        case 19:
            return Failed(request, body[1:].decode(), body[0] != 0)
        case _:
            raise ProtocolError(f"an unknown kind of message: {kind}")


def _speech(body: bytes) -> Speech:
    (count,) = _U16.unpack_from(body)
    position = _U16.size
    marks: list[Mark] = []
    for _ in range(count):
        sample, length = _MARK.unpack_from(body, position)
        position += _MARK.size
        if position + length > len(body):
            raise ProtocolError("a mark that ends outside its chunk")
        marks.append(Mark(sample, body[position : position + length].decode()))
        position += length
    if (len(body) - position) % 2:
        raise ProtocolError("half a sample")
    samples = np.frombuffer(body, "<i2", offset=position).astype(np.int16, copy=False)
    if any(mark.sample > len(samples) for mark in marks):
        raise ProtocolError("a mark behind the end of its chunk")
    return Speech(samples, tuple(marks))
