"""The messages of RFC 4475, written out anew: each makes the point that the RFC's case makes."""

from __future__ import annotations


def wire(text: str, body: bytes = b"") -> bytes:
    """``text`` (without its last line end) and ``body`` as they go over the wire.

    Characters up to U+00FF stand for one byte each, so that any byte can be written, and
    ``$LENGTH`` for the length of the body.
    """
    text = text.replace("$LENGTH", str(len(body)))
    return text.strip("\n").replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body


SDP = (
    b"v=0\r\n"
    b"o=mhandley 29739 7272939 IN IP4 192.0.2.3\r\n"
    b"s=-\r\n"
    b"c=IN IP4 192.0.2.4\r\n"
    b"t=0 0\r\n"
    b"m=audio 49217 RTP/AVP 0 12\r\n"
    b"m=video 3227 RTP/AVP 31\r\n"
    b"a=rtpmap:31 LPC\r\n"
)
