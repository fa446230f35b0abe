"""Whatever is sent to a node's phone: an answer that blames the sender, or none, and the phone is
there for the next caller."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import count

import pytest

from edge.transport.sip.core.flow import Address
from edge.transport.sip.wire.message import Headers, Request, Response, parse_message
from edge.transport.sip.wire.uri import SipUri
from inland.phone.telephone import Telephone
from tests.edge.transport.sip.net.desk import Datagrams, datagrams, options, read_message
from tests.edge.transport.sip.net.hostile import HOSTILE
from tests.system.phone import Caller, desk_phone
from tests.system.world import HANG_SECONDS, World, until

pytestmark = pytest.mark.system

EU = "eu-central-1"
T1_SECONDS = 0.5
"""Until a request is sent again (RFC 3261, 17.1.1.1)."""
GOOD = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\n"
)
STRANGE_MEDIA = {
    "nothing at all": "\x00\x01",
    "no media": GOOD.partition("m=")[0],
    "a thousand media": GOOD + "m=audio 40000 RTP/AVP 0\r\n" * 1_000,
    "a group": GOOD.replace("c=IN IP4 127.0.0.1", "c=IN IP4 239.1.2.3"),
    "everybody": GOOD.replace("c=IN IP4 127.0.0.1", "c=IN IP4 255.255.255.255"),
    "no port": GOOD.replace("40000", "0"),
    "a port beyond all": GOOD.replace("40000", "70000"),
    "no codec of ours": GOOD.replace("AVP 0", "AVP 18"),
    "encryption without a key": GOOD.replace("RTP/AVP", "RTP/SAVP"),
}
WRONG = {
    "an unknown number": ({"uri": "sip:nobody@127.0.0.1", "to": "<sip:nobody@127.0.0.1>"}, 404),
    "an unknown number as a telephone writes it": (
        {"uri": "tel:+4969123456789", "to": "<tel:+4969123456789>"},
        404,
    ),
    "another scheme": ({"uri": "mailto:clinic@127.0.0.1"}, 416),
    "an unknown dialog": ({"to": "<sip:clinic@127.0.0.1>;tag=guessed"}, 481),
    "an unknown extension": ({"require": "magic"}, 420),
    "a session of a second": ({"supported": "timer", "session_expires": "1"}, 422),
    "no interval": ({"session_expires": "soon"}, 400),
    "an unknown content": ({"content_type": "text/plain"}, 415),
}
numbers = count(1)


@pytest.fixture
async def phone(world: World) -> AsyncIterator[Address]:
    """Where a node's phone listens; it must come out of it as it went in."""
    uri = SipUri.parse(world.phones[EU])
    assert uri.port is not None
    before = world.faults()
    yield (uri.host, uri.port)
    assert world.faults() == before
    async with desk_phone() as desk:
        await talk(world, desk)
    await world.idle(EU)


async def talk(world: World, desk: Telephone) -> None:
    caller = Caller(desk.dial(world.phones[EU]))
    await caller.answered()
    await caller.hears()
    await caller.hangs_up()


def invite(far: Datagrams, body: str = GOOD, **changes: str) -> Request:
    """An INVITE by hand."""
    assert far.transport is not None
    host, port = far.transport.get_extra_info("sockname")
    number = next(numbers)
    uri = changes.pop("uri", "sip:clinic@127.0.0.1")
    fields = {
        "via": f"SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bKbad{number}",
        "max-forwards": "0",
        "from": f"<sip:caller@{host}>;tag=bad{number}",
        "to": "<sip:clinic@127.0.0.1>",
        "call-id": f"bad-{number}@{host}",
        "cseq": "1 INVITE",
        "contact": f"<sip:caller@{host}:{port}>",
        "content-type": "application/sdp",
    }
    fields |= {name.replace("_", "-"): value for name, value in changes.items()}
    return Request("INVITE", uri, headers=Headers(fields.items()), body=body.encode())


async def final(far: Datagrams, request: Request, where: Address) -> Response:
    """The final answer to an INVITE, acknowledged."""
    far.send(request.encode(), where)
    async with asyncio.timeout(HANG_SECONDS):
        answer = await answer_to(far, request.call_id)
    kept = [field for field in request.headers if field[0] in ("via", "from", "call-id")]
    to = ("to", answer.headers.get("to") or "")
    ack = Headers([*kept, to, ("cseq", "1 ACK"), ("max-forwards", "70")])
    far.send(Request("ACK", request.uri, headers=ack).encode(), where)
    return answer


async def answer_to(far: Datagrams, call: str) -> Response:
    """The final answer in a call; whatever else is answered is passed over."""
    while True:
        message = parse_message(await far.heard.get())
        if isinstance(message, Response) and message.call_id == call and message.status >= 200:
            return message


async def still_answers(far: Datagrams, where: Address) -> None:
    """OPTIONS is answered, whatever was answered before."""
    call = f"still-{next(numbers)}"
    answer = None
    async with asyncio.timeout(HANG_SECONDS):
        while answer is None:
            # Again and again (RFC 3261, 17.1.2.2): a socket that was flooded drops what comes next.
            far.send(options(branch=f"z9hG4bK{call}", call_id=call), where)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(T1_SECONDS):
                    answer = await answer_to(far, call)
    assert answer.status == 200


async def test_one_bad_datagram_of_each_kind_and_the_phone_still_answers(phone: Address) -> None:
    async with datagrams() as bad, datagrams() as far:
        for data in HOSTILE.values():
            bad.send(data, phone)
            await still_answers(far, phone)


async def test_a_bad_stream_of_each_kind_and_the_phone_still_answers(phone: Address) -> None:
    for bad in HOSTILE.values():
        _, torn = await asyncio.open_connection(*phone)
        torn.write(bad)
        reader, writer = await asyncio.open_connection(*phone)
        call = f"stream-{next(numbers)}"
        writer.write(options("TCP", branch=f"z9hG4bK{call}", call_id=call))
        answer = await read_message(reader)
        assert isinstance(answer, Response)
        assert answer.status == 200
        for each in (torn, writer):
            each.transport.abort()


@pytest.mark.parametrize("what", WRONG)
async def test_a_call_that_cannot_be_is_refused_with_its_reason(phone: Address, what: str) -> None:
    changes, status = WRONG[what]
    async with datagrams() as far:
        assert (await final(far, invite(far, **changes), phone)).status == status
        await still_answers(far, phone)


async def test_media_that_cannot_be_is_refused_and_nothing_is_sent_there(phone: Address) -> None:
    async with datagrams() as far:
        for what, description in STRANGE_MEDIA.items():
            answer = await final(far, invite(far, description), phone)
            assert answer.status == 488, what
        await still_answers(far, phone)


async def test_a_conversation_goes_on_while_others_flood(world: World, phone: Address) -> None:
    async with desk_phone() as desk, datagrams("127.0.0.9") as far:
        caller = Caller(desk.dial(world.phones[EU]))
        await caller.answered()
        before = await world.metric(EU, "inland_phone_transactions")
        for number in range(500):
            tag = f"<sip:x@127.0.0.1>;tag=guess{number}"
            for method in ("BYE", "CANCEL", "INFO"):
                forged = invite(far, to=tag, cseq=f"1 {method}")
                forged.method = method
                far.send(forged.encode(), phone)
            if number % 20 == 0:
                await asyncio.sleep(0)
        await still_answers(far, phone)
        assert await world.metric(EU, "inland_phone_transactions") <= before + 5
        frames = caller.frames
        await caller.until(lambda: caller.frames > frames + 25)
        assert caller.line.stands
        await caller.hangs_up()


async def test_a_caller_whose_connection_breaks_while_it_rings_is_forgotten(
    world: World, phone: Address
) -> None:
    sessions = await world.metric(EU, "inland_phone_sessions")
    async with datagrams() as far:
        calling = invite(far).encode().replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
    _, writer = await asyncio.open_connection(*phone)
    writer.write(calling)
    await writer.drain()
    writer.transport.abort()

    async def forgotten() -> bool:
        return await world.metric(EU, "inland_phone_sessions") <= sessions

    await until(forgotten)
