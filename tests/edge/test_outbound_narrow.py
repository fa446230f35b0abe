"""A law that is tightened during a call cuts what is under way to where it closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from edge.ledger import Ledger
from edge.outbound import Endpoint, Exchange, Outbound, OutboundRefused, OutboundSession, Pool
from regions.models import DataClass
from regions.providers import Operator, Provider, Providers
from tests.fakes.clock import FakeClock
from tests.fakes.dialog import serving

HERE, WEST = "eu-central-1", "eu-west-1"
WORDS = DataClass.TRANSCRIPT
HANG_SECONDS = 60.0


@dataclass
class Service:
    """Begins its answer when told, and never ends it."""

    begins: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    bodies: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.text())
        self.asked.set()
        await self.begins.wait()
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"once upon a time")
        await asyncio.Event().wait()
        return response


@dataclass
class Stage:
    service: Service
    outbound: Outbound
    ledger: Ledger
    clock: FakeClock
    there: Endpoint

    def session(self) -> OutboundSession:
        return self.outbound.session(self.there, WORDS)

    def narrow(self) -> None:
        self.outbound.narrow({WORDS: (HERE,)})


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A model in the west, which a call from here may be given to."""
    service, clock = Service(), FakeClock()
    app = web.Application()
    app.router.add_post("/", service.answer)
    async with asyncio.timeout(HANG_SECONDS), serving(app) as base, Pool() as pool:
        provider = Provider(
            id="words",
            purposes=("model",),
            endpoints=(base,),
            region=WEST,
            operator=Operator(name="Words", country="IE"),
            data_classes=(WORDS,),
        )
        ledger = Ledger(clock)
        outbound = Outbound(
            here=HERE,
            allowed={WORDS: (HERE, WEST)},
            pool=pool,
            ledger=ledger,
            providers=Providers(providers=(provider,)),
        )
        there = Endpoint("words", base, WEST, "model", frozenset({WORDS}))
        yield Stage(service, outbound, ledger, clock, there)


async def ask(session: OutboundSession, seen: asyncio.Event | None = None) -> bytes:
    """The whole answer, of which there is no end."""
    found = b""
    async with session.request("POST", "/", json={"said": "hello"}) as response:
        async for piece in response.content.iter_any():
            found += piece
            if seen is not None:
                seen.set()
    return found


async def test_an_answer_that_is_on_its_way_is_cut_and_counted_until_then() -> None:
    async with stage() as on, asyncio.TaskGroup() as group:
        on.service.begins.set()
        seen = asyncio.Event()
        asking = group.create_task(failing(on.session(), seen))
        await seen.wait()
        on.clock.advance(1)
        on.narrow()
        at = on.clock.wall()
        on.clock.advance(1)
        assert isinstance(await asking, aiohttp.ClientError | OSError)
        (entry,) = on.ledger.entries
        assert entry.received == len(b"once upon a time")
        assert entry.last == at, "nothing was there any more after the law"
        (attempt,) = on.ledger.attempts
        assert "may not be processed in eu-west-1" in attempt.reason


async def failing(
    session: OutboundSession, seen: asyncio.Event | None = None
) -> BaseException | None:
    try:
        await ask(session, seen)
    except (aiohttp.ClientError, OSError, OutboundRefused) as error:
        return error
    return None


async def test_a_question_without_an_answer_yet_is_given_up_at_once() -> None:
    async with stage() as on, asyncio.TaskGroup() as group:
        asking = group.create_task(failing(on.session()))
        await on.service.asked.wait()
        on.narrow()
        assert isinstance(await asking, ConnectionAbortedError)


async def test_what_was_about_to_be_sent_is_not() -> None:
    """A connection is being made while the law changes."""
    async with stage() as on, asyncio.TaskGroup() as group:
        asking = group.create_task(failing(on.session()))
        for _ in range(3):
            await asyncio.sleep(0)
        assert on.ledger.entries == ()
        on.narrow()
        assert isinstance(await asking, ConnectionAbortedError)
        assert on.ledger.entries == ()
        assert on.service.bodies == []


async def test_not_a_byte_leaves_between_the_cut_and_its_being_noticed() -> None:
    """A connection that stands at this very moment would send the words in its next step."""
    counted: list[int] = []
    exchange = Exchange(lambda *, sent=0, received=0: counted.append(sent))
    with pytest.raises(ConnectionAbortedError):
        async with exchange.until_cut():
            exchange.count(sent=1)
            exchange.cut()
            with pytest.raises(ConnectionAbortedError):
                exchange.count(sent=2)
            await asyncio.Event().wait()
    assert counted == [1]


async def test_a_client_that_is_older_than_the_law_gets_no_further() -> None:
    async with stage() as on:
        session = on.session()
        on.narrow()
        assert isinstance(await failing(session), OutboundRefused)
        with pytest.raises(OutboundRefused):
            on.session()
        assert on.service.bodies == []


async def test_what_goes_to_a_region_that_stays_is_not_disturbed() -> None:
    async with stage() as on, asyncio.TaskGroup() as group:
        on.service.begins.set()
        seen = asyncio.Event()
        asking = group.create_task(failing(on.session(), seen))
        await seen.wait()
        on.outbound.narrow({WORDS: (WEST,)})
        for _ in range(5):
            await asyncio.sleep(0)
        assert not asking.done()
        on.outbound.narrow({})
        assert await asking is not None


async def test_nothing_is_ever_won_back() -> None:
    async with stage() as on:
        on.narrow()
        on.outbound.narrow({WORDS: (HERE, WEST), DataClass.VARIABLES: (HERE,)})
        assert not on.outbound.verdict(on.there, WORDS).allowed
        with pytest.raises(OutboundRefused):
            on.session()


async def test_a_deadline_of_the_caller_is_still_its_own() -> None:
    async with stage() as on:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ask(on.session())
