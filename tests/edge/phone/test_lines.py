"""Both ends of a phone call's line, over a real socket; the worker's book is a fake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from edge.clock import SystemClock
from edge.internal import Admitted, WorkerStatus
from edge.leg import TransferRequest, TransferResult
from edge.media.ticker import Ticker
from edge.phone.dispatcher_line import DispatcherLine, LineBroke, open_line, origin_of
from edge.phone.line import (
    LINE_PATH,
    Ended,
    Established,
    HangUp,
    LineMedia,
    OurDescription,
    Pressed,
    TheirAnswer,
    TheirOffer,
    Transfer,
    Transferred,
    Unacceptable,
)
from edge.phone.worker_line import serve_line
from edge.pool import WorkerPool
from edge.problem import EdgeRefusal
from edge.slot import WorkerAway, WorkerSlot
from edge.transport.sip.media.agreement import MediaPolicy
from edge.transport.sip.media.leg import SipLeg
from edge.transport.sip.media.legs import SipMedia
from edge.worker import Worker

HOST = "127.0.0.1"
CALLER = Admitted(
    session_id="s_" + "a" * 22,
    tenant="clinic",
    agent="clinic-reception",
    jurisdictions=("eea",),
    policy="1#abc",
    regions={"audio": ("eu-central-1",)},
    resumed=False,
)
MEDIA = LineMedia(codecs=("pcmu", "pcma"), srtp="off")


@dataclass(frozen=True, slots=True)
class Place:
    """As ``edge.worker.Taken``."""

    call_id: str
    leg: SipLeg
    description: str


class Book:
    """Takes calls as ``edge.worker.Worker`` does, or refuses as told."""

    def __init__(self) -> None:
        self.refusal: EdgeRefusal | None = None
        self.hangs = False
        self.leg: SipLeg | None = None
        self.end: Callable[[str], None] = lambda reason: None

    async def take(
        self,
        caller: Admitted,
        medium: str,
        make_leg: Callable[[], Awaitable[tuple[SipLeg, str]]],
        on_ended: Callable[[str], None],
    ) -> Place:
        assert (caller, medium) == (CALLER, "sip")
        if self.hangs:
            await asyncio.Event().wait()
        if self.refusal is not None:
            raise self.refusal
        self.leg, description = await make_leg()
        self.end = on_ended
        return Place("sip_w0_a", self.leg, description)


class Node:
    """Two workers behind sockets, and as much of a pool as a line needs."""

    def __init__(self, slots: list[WorkerSlot], books: list[Book], media: SipMedia) -> None:
        self.slots = slots
        self.books = books
        self.media = media
        self.clock = SystemClock()

    def least_loaded(self, but: WorkerSlot | None = None) -> WorkerSlot:
        found = [slot for slot in self.slots if slot is not but]
        if not found:
            raise EdgeRefusal("not_ready", "no worker")
        return found[0]

    async def open(self, sdp: bytes | None, **changes: Any) -> DispatcherLine:
        wanted = {
            "caller": CALLER,
            "media": MEDIA,
            "trunk": "carrier-a",
            "source": HOST,
            "after": None,
            "can_transfer": False,
        }
        return await open_line(
            cast("WorkerPool", self), self.clock, sdp=sdp, **{**wanted, **changes}
        )


@asynccontextmanager
async def node(folder: Path, workers: int = 1, *, phone: bool = True) -> AsyncIterator[Node]:
    clock, ticker = SystemClock(), Ticker()
    media = SipMedia(HOST, range(40_000, 60_000), None, ticker, clock)
    async with AsyncExitStack() as closing:
        closing.push_async_callback(media.close)
        slots, books = [], []
        for index in range(workers):
            book = Book()

            async def line(request: web.Request, book: Book = book) -> web.StreamResponse:
                try:
                    return await serve_line(
                        request, cast("Worker", book), media if phone else None, clock
                    )
                except EdgeRefusal as refusal:
                    return refusal.response()

            app = web.Application()
            app.router.add_get(LINE_PATH, line)
            runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
            await runner.setup()
            closing.push_async_callback(runner.cleanup)
            socket = folder / f"{index}.sock"
            await web.UnixSite(runner, str(socket)).start()
            connector = aiohttp.UnixConnector(path=str(socket))
            client = await closing.enter_async_context(aiohttp.ClientSession(connector=connector))
            slot = WorkerSlot(index, socket, client)
            slot.status = WorkerStatus(pid=1, media_port=0, active=0, capacity=9)
            slots.append(slot)
            books.append(book)
        yield Node(slots, books, media)


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as found:
        yield found


def offer(node: Node) -> bytes:
    """What a far end offers."""
    _, description = node.media.offer(MediaPolicy(codecs=("pcmu",), srtp="off"))
    return description


def leg_of(node: Node) -> SipLeg:
    leg = node.books[0].leg
    assert leg is not None
    return leg


async def said(line: DispatcherLine) -> Any:
    async with asyncio.timeout(60):
        return await line.receive()


async def test_an_offer_is_answered_and_the_call_has_an_id(one: Node) -> None:
    line = await one.open(offer(one))
    assert line.call_id == "sip_w0_a"
    assert b"m=audio" in line.description
    assert one.slots[0].opening == 0
    await line.close()


async def test_without_an_offer_the_worker_makes_one_and_takes_the_answer(one: Node) -> None:
    line = await one.open(None)
    _, answer = one.media.answer(line.description, MediaPolicy(srtp="off"))
    await line.send(TheirAnswer(sdp=answer.decode()))
    await line.send(Established())
    async with asyncio.timeout(60):
        await leg_of(one).connected()
    await line.close()


async def test_the_offer_of_a_moved_call_follows_its_last_description(one: Node) -> None:
    first = await one.open(offer(one))
    identity, version = origin_of(first.description)
    second = await one.open(None, after=first.description)
    assert origin_of(second.description) == (identity, version + 1)
    await first.close()
    await second.close()


@pytest.mark.parametrize(
    ("sdp", "code"),
    [(b"nonsense", "bad_sdp"), (b"v=0\r\nm=video 9 RTP/AVP 31\r\n", "no_common_codec")],
)
async def test_an_offer_of_no_use_is_refused_by_name(one: Node, sdp: bytes, code: str) -> None:
    with pytest.raises(EdgeRefusal) as refused:
        await one.open(sdp)
    assert refused.value.code in (code, "bad_sdp")


async def test_a_description_that_is_no_text_asks_no_worker(one: Node) -> None:
    with pytest.raises(EdgeRefusal) as refused:
        await one.open(b"v=0\r\n\xff\xfe")
    assert refused.value.code == "bad_sdp"


async def test_what_the_worker_refuses_is_ours_to_say(one: Node) -> None:
    one.books[0].refusal = EdgeRefusal("full", "no place")
    with pytest.raises(EdgeRefusal) as refused:
        await one.open(offer(one))
    assert refused.value.code == "full"


async def test_a_node_without_a_phone_takes_no_line(tmp_path: Path) -> None:
    async with node(tmp_path, phone=False) as found:
        with pytest.raises(WorkerAway):
            await found.open(offer(found))


async def test_a_worker_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    async with node(tmp_path, workers=2) as found:
        found.slots[0].socket.unlink()
        line = await found.open(offer(found))
        assert line.slot is found.slots[1]
        await line.close()


async def test_a_caller_hears_of_the_worker_that_went_away_when_it_was_the_last(
    one: Node,
) -> None:
    one.slots[0].socket.unlink()
    with pytest.raises(WorkerAway):
        await one.open(offer(one))


async def test_a_dispatcher_that_gives_up_takes_its_call_back(one: Node) -> None:
    one.books[0].hangs = True
    asking = asyncio.ensure_future(one.open(offer(one)))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert one.slots[0].opening == 0


async def test_the_far_ends_goodbye_is_a_hangup(one: Node) -> None:
    line = await one.open(offer(one))
    await line.send(HangUp(why="hangup"))
    async with asyncio.timeout(60):
        assert await leg_of(one).closed() == "hangup"
    await line.close()


async def test_a_line_that_breaks_loses_the_leg(one: Node) -> None:
    line = await one.open(offer(one))
    await line.close()
    async with asyncio.timeout(60):
        assert await leg_of(one).closed() == "lost"


async def test_the_end_of_the_call_is_the_workers_last_word(one: Node) -> None:
    line = await one.open(offer(one))
    one.books[0].end("completed")
    assert await said(line) == Ended(reason="completed")
    with pytest.raises(LineBroke):
        await said(line)


async def test_hold_is_answered_and_nonsense_changes_nothing(one: Node) -> None:
    line = await one.open(offer(one))
    held = offer(one).replace(b"a=sendrecv", b"a=sendonly")
    await line.send(TheirOffer(sdp=held.decode()))
    answer = await said(line)
    assert isinstance(answer, OurDescription)
    assert "a=recvonly" in answer.sdp
    await line.send(TheirOffer(sdp="nonsense"))
    assert isinstance(await said(line), Unacceptable)
    await line.send(TheirOffer(sdp=None))
    ours = await said(line)
    assert isinstance(ours, OurDescription)
    await line.send(TheirAnswer(sdp="nonsense"))
    assert isinstance(await said(line), Unacceptable)
    await line.close()


async def test_a_key_that_came_by_signalling_reaches_the_call(one: Node) -> None:
    line = await one.open(offer(one))
    pressed: asyncio.Queue[str] = asyncio.Queue()
    leg_of(one).on_digit = pressed.put_nowait
    await line.send(Pressed(digit="7"))
    async with asyncio.timeout(60):
        assert await pressed.get() == "7"
    await line.close()


async def test_a_transfer_is_asked_over_the_line_and_its_outcome_awaited(one: Node) -> None:
    line = await one.open(offer(one), can_transfer=True)
    leg = leg_of(one)
    assert leg.can_transfer
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(leg.transfer(TransferRequest("+4969123456", "blind", "ref")))
        assert await said(line) == Transfer(to="+4969123456", how="blind", reference="ref")
        await line.send(Transferred(ok=False, status=486, reason="Busy Here"))
    assert asking.result() == TransferResult(False, 486, "Busy Here")
    await line.close()


async def test_the_leg_knows_the_trunk_that_the_call_came_through(one: Node) -> None:
    line = await one.open(offer(one), trunk="pbx")
    assert leg_of(one).trunk == "pbx"
    await line.close()


async def test_a_trunk_without_targets_gives_the_agent_no_transfer(one: Node) -> None:
    line = await one.open(offer(one))
    assert not leg_of(one).can_transfer
    await line.close()


async def test_a_line_that_says_something_unknown_is_cut(one: Node) -> None:
    line = await one.open(offer(one))
    await line._socket.send_str('{"kind": "sing"}')
    async with asyncio.timeout(60):
        assert await leg_of(one).closed() == "lost"
    one.books[0].end("lost")  # as a call does whose leg is lost
    assert await said(line) == Ended(reason="lost")
    await line.close()
