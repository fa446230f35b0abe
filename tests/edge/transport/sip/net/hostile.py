"""Messages that are none, by what is wrong with them."""

from __future__ import annotations

import os

from tests.edge.transport.sip.net.desk import options

HOSTILE = {
    "nothing": b"",
    "a keep-alive": b"\r\n\r\n",
    "zeros": bytes(64),
    "noise": bytes(range(256)) * 8,
    "the longest": os.urandom(60_000),
    "a request line alone": b"OPTIONS sip:x SIP/2.0\r\n\r\n",
    "half a message": options()[:80],
    "an unclosed quote": options(subject='"').replace(b"<sip:here", b'"<sip:here'),
    "no version": options().replace(b" SIP/2.0", b" HTTP/1.1", 1),
    "a port beyond all": options().replace(b"rport", b"rport=99999999"),
    "a sent-by beyond all": options().replace(b"127.0.0.1:9;", b"127.0.0.1:99999999;"),
    "a sent-by that is no host": options().replace(b"127.0.0.1:9;", b"[::zz]:9;"),
    "a Content-Length below zero": options().replace(b"Length: 0", b"Length: -1"),
    "a Content-Length beyond it": options().replace(b"Length: 0", b"Length: 999999"),
    "a CSeq beyond all": options().replace(b"1 OPTIONS", b"4294967296000 OPTIONS"),
    "another method in the CSeq": options().replace(b"1 OPTIONS", b"1 INVITE"),
    "bytes that are no UTF-8": options(subject="x").replace(b"Subject: x", b"Subject: \xff\xfe"),
    "a response to nothing": b"SIP/2.0 200 OK\r\n" + options().partition(b"\r\n")[2],
    "a status beyond all": b"SIP/2.0 999999 OK\r\n" + options().partition(b"\r\n")[2],
    "a STUN request": b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
}
