"""The whole endpoint over real sockets on loopback."""

from __future__ import annotations

import os

import pytest

from edge.transport.sip.core.flow import Destination, Transport
from edge.transport.sip.net.settings import ListenSettings
from edge.transport.sip.wire.message import Request, Response
from tests.edge.transport.sip.net.desk import (
    LOOPBACK,
    Desk,
    datagrams,
    needs_ipv6,
    options,
)

BOTH = ListenSettings(udp=((LOOPBACK, 0),), tcp=((LOOPBACK, 0),))
BOTH_6 = ListenSettings(udp=(("::1", 0),), tcp=(("::1", 0),))

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


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_one_endpoint_asks_another_and_is_answered(transport: Transport) -> None:
    async with Desk(BOTH) as here, Desk(BOTH) as there:
        answer = await here.ask(Destination(transport, *there.address(transport)))
        assert isinstance(answer, Response)
        assert answer.status == 200
        seen = there.seen[0]
        assert isinstance(seen, Request)
        assert (seen.via.host, seen.via.port) == here.address(transport)


@needs_ipv6
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_ipv6_is_spoken_like_ipv4(transport: Transport) -> None:
    async with Desk(BOTH_6) as here, Desk(BOTH_6) as there:
        answer = await here.ask(Destination(transport, *there.address(transport)))
        assert isinstance(answer, Response)
        assert answer.via.host == "::1"


@pytest.mark.parametrize("kind", HOSTILE)
async def test_the_listener_still_answers_after_one_bad_datagram(kind: str) -> None:
    async with Desk(BOTH) as desk, datagrams() as phone:
        phone.send(HOSTILE[kind], desk.address())
        phone.send(options(branch="z9hG4bKafter", call_id="after"), desk.address())
        while b"z9hG4bKafter" not in (heard := await phone.hear()):
            pass  # a 400 to the bad one
        assert heard.startswith(b"SIP/2.0 200 ")
        assert desk.endpoint.intake.counts.faults == 0
