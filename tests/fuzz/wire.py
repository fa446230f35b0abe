"""Targets over the text of SIP: any bytes are read or refused with ``MessageError``, and what was
read is written so that it is read the same again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from edge.transport.sip.wire.digest import (
    Authorization,
    Challenge,
    Credentials,
    DigestClient,
    DigestServer,
)
from edge.transport.sip.wire.errors import MessageError, MessageTooLarge, StreamBroken
from edge.transport.sip.wire.extras.reason import Reason
from edge.transport.sip.wire.extras.refer_to import ReferTo
from edge.transport.sip.wire.extras.replaces import Replaces
from edge.transport.sip.wire.extras.retry_after import RetryAfter
from edge.transport.sip.wire.extras.sipfrag import format_sipfrag, parse_sipfrag
from edge.transport.sip.wire.extras.user_to_user import UserToUser
from edge.transport.sip.wire.framing import PING, PONG, StreamFramer
from edge.transport.sip.wire.grammar import is_token, one_line, to_text
from edge.transport.sip.wire.headers import Headers
from edge.transport.sip.wire.message import MAX_MESSAGE, Message, parse_message
from edge.transport.sip.wire.uri import MAX_URI, SipUri
from edge.transport.sip.wire.values import CSeq, NameAddr, Via


class Readable(Protocol):
    """A value with ``parse`` and ``str``."""

    def parse(self, text: str, /) -> Any: ...


VALUES: tuple[Readable, ...] = (
    SipUri,
    NameAddr,
    Via,
    CSeq,
    Reason,
    ReferTo,
    Replaces,
    RetryAfter,
    UserToUser,
)
PROPERTIES = ("via", "cseq", "from_", "to", "contact", "call_id", "content_type")


def message(data: bytes) -> None:
    """One datagram."""
    try:
        read = parse_message(data)
    except MessageError as error:
        if error.headers is not None:
            Via.parse(error.headers.all("via")[0])
        return
    for name in PROPERTIES:
        try:
            getattr(read, name)
        except MessageError:
            assert name == "contact", "the parser has read all others"
    for name, value in read.headers:
        assert not set("\r\n\0") & set(value)
        try:
            read.headers.all(name)
        except MessageError:
            continue
    _written_as_read(read)


def _written_as_read(read: Message) -> None:
    data = read.encode()
    if len(data) > MAX_MESSAGE:
        return  # compact names have become long ones
    try:
        again = parse_message(data)
    except MessageTooLarge:
        return
    for side in (read, again):
        side.headers.remove("content-length")
    assert again == read


def stream(data: bytes) -> None:
    """One connection; the first byte says how its bytes are divided."""
    size = 1 + data[0] if data else 1
    whole, divided = _frames(data[1:], len(data) + 1), _frames(data[1:], size)
    assert [frame for frame in whole if frame != PING] == [
        frame for frame in divided if frame != PING
    ]


def _frames(data: bytes, size: int) -> list[bytes]:
    framer = StreamFramer()
    framer.ping()
    found: list[bytes] = []
    try:
        for start in range(0, len(data), size):
            found += framer.feed(data[start : start + size])
            assert len(framer._buffer) <= MAX_MESSAGE + size
    except StreamBroken:
        assert list(framer.feed(data)) == []
        assert not framer.pending
        return [frame for frame in found if frame in (PING, PONG)]
    return found


def values(data: bytes) -> None:
    """One header value or URI of each kind."""
    text = to_text(data)
    for kind in VALUES:
        try:
            value = kind.parse(text)
        except MessageError:
            continue
        written = str(value)
        if len(written) <= MAX_URI:
            assert kind.parse(written) == value
    try:
        status, reason = parse_sipfrag(data)
    except MessageError:
        return
    if len(data) < 8_000:
        assert parse_sipfrag(format_sipfrag(status, reason)) == (status, one_line(reason).rstrip())


def digest(data: bytes) -> None:
    """A challenge, an answer, and the other side's view of each."""
    text = to_text(data)
    try:
        challenge = Challenge.parse(text)
    except MessageError:
        pass
    else:
        if is_token(challenge.algorithm or "none"):
            assert Challenge.parse(str(challenge)) == challenge
        _answered(text, challenge)
    server = DigestServer("r", secret=b"s" * 32)
    assert server.verify(text, "INVITE", {"u": "p"}.get, 0.0).outcome != "ok"
    server.find(Headers([("authorization", text)]))


def _answered(text: str, challenge: Challenge) -> None:
    headers = Headers([("www-authenticate", text)])
    found = DigestClient().answer(headers, Credentials("u", "p"), "INVITE", "sip:h")
    assert (found is not None) == (Challenge.parse(one_line(text)).strength > 0)
    if found is not None and one_line(text) == text:
        given = Authorization.parse(found[1])
        assert (given.realm, given.nonce) == (challenge.realm, challenge.nonce)
        assert Authorization.parse(str(given)) == given


TARGETS: dict[str, Callable[[bytes], None]] = {
    "message": message,
    "stream": stream,
    "values": values,
    "digest": digest,
}
