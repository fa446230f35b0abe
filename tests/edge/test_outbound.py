from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from edge.ledger import Ledger, Place
from edge.outbound import Endpoint, Outbound, OutboundRefused, Pool
from regions.models import DataClass
from regions.providers import Operator, Provider, Providers
from tests.fakes.clock import FakeClock
from tests.fakes.dialog import serving

ALLOWED: Mapping[DataClass, list[str]] = {DataClass.VARIABLES: ["eu-central-1", "eu-west-1"]}

SITE = Providers(
    providers=(
        Provider(
            id="service",
            purposes=("tool",),
            endpoints=("https://x.example",),
            region="eu-central-1",
            operator=Operator(name="Service GmbH", country="DE"),
            data_classes=(DataClass.VARIABLES,),
        ),
    )
)


def endpoint(region: str = "here", url: str = "https://x.example/v1") -> Endpoint:
    return Endpoint("service", url, region, "tool", frozenset({DataClass.VARIABLES}))


def outbound(pool: Pool, here: str = "eu-central-1", ledger: Ledger | None = None) -> Outbound:
    ledger = ledger or Ledger(FakeClock())
    return Outbound(here=here, allowed=ALLOWED, pool=pool, ledger=ledger, providers=SITE)


@pytest.mark.parametrize(
    ("here", "region", "data_class", "reason"),
    [
        ("eu-central-1", "us-east-1", DataClass.VARIABLES, "may not be processed in us-east-1"),
        ("us-east-1", "here", DataClass.VARIABLES, "may not be processed in us-east-1"),
        ("eu-central-1", "", DataClass.VARIABLES, "may not be processed"),
        ("eu-central-1", "here", DataClass.TRANSCRIPT, "not meant for transcript"),
    ],
)
def test_data_is_refused_outside_its_regions_and_purposes(
    here: str, region: str, data_class: DataClass, reason: str
) -> None:
    with pytest.raises(OutboundRefused, match=reason):
        outbound(Pool(), here).session(endpoint(region), data_class)


def test_a_class_of_data_without_a_rule_goes_nowhere() -> None:
    empty = Outbound(
        here="eu-central-1", allowed={}, pool=Pool(), ledger=Ledger(FakeClock()), providers=SITE
    )
    assert not empty.verdict(endpoint(), DataClass.VARIABLES).allowed


def test_a_law_that_is_tightened_takes_regions_away_and_one_that_is_widened_gives_none() -> None:
    alone = outbound(Pool())
    alone.narrow({DataClass.VARIABLES: ("eu-central-1", "us-east-1"), DataClass.AUDIO: ("x",)})
    assert alone.verdict(endpoint(), DataClass.VARIABLES).allowed
    assert not alone.verdict(endpoint("us-east-1"), DataClass.VARIABLES).allowed
    assert not alone.verdict(endpoint("x"), DataClass.AUDIO).allowed
    alone.narrow({DataClass.TRANSCRIPT: ("eu-central-1",)})
    assert not alone.verdict(endpoint(), DataClass.VARIABLES).allowed
    alone.narrow(ALLOWED)
    assert not alone.verdict(endpoint(), DataClass.VARIABLES).allowed


@pytest.mark.parametrize(
    "url",
    [
        "http://x.example/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example/",
        "ftp://x.example/",
        "https://user:secret@x.example/",
        "https://x.example/?q=1",
        "https://x.example:port/",
        "https:///path",
        "",
    ],
)
def test_an_address_that_is_not_safe_gets_no_client(url: str) -> None:
    verdict = outbound(Pool()).verdict(endpoint(url=url), DataClass.VARIABLES)
    assert not verdict.allowed
    assert "secret" not in verdict.reason


@pytest.mark.parametrize(
    "url", ["https://x.example/", "http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost:1/"]
)
def test_https_and_loopback_are_allowed(url: str) -> None:
    assert outbound(Pool()).verdict(endpoint(url=url), DataClass.VARIABLES).allowed


@pytest.mark.parametrize(
    ("url", "region", "reason"),
    [
        ("https://y.example/", "here", "y.example:443 is not in the provider catalogue"),
        ("https://x.example/", "eu-west-1", "service runs in eu-central-1 and not in eu-west-1"),
        ("http://127.0.0.1:1/", "eu-west-1", "is not in the provider catalogue"),
    ],
)
def test_an_endpoint_that_the_catalogue_does_not_have_there_is_refused_in_an_allowed_region(
    url: str, region: str, reason: str
) -> None:
    ledger = Ledger(FakeClock())
    with pytest.raises(OutboundRefused, match=reason):
        outbound(Pool(), ledger=ledger).session(endpoint(region, url), DataClass.VARIABLES)
    assert [attempt.place.region for attempt in ledger.attempts] == [
        "eu-central-1" if region == "here" else region
    ]


def test_without_a_catalogue_only_this_machine_is_reached() -> None:
    alone = Outbound(here="eu-central-1", allowed=ALLOWED, pool=Pool(), ledger=Ledger(FakeClock()))
    assert not alone.verdict(endpoint(), DataClass.VARIABLES).allowed
    assert alone.verdict(endpoint(url="http://127.0.0.1:1/"), DataClass.VARIABLES).allowed


async def test_a_redirect_is_not_followed_and_the_environments_proxy_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{elsewhere}/"})

    async def welcome(request: web.Request) -> web.Response:
        return web.Response(text="whatever is sent here has left the region")

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.9:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.9:9")
    app, other = web.Application(), web.Application()
    app.router.add_get("/", away)
    other.router.add_get("/", welcome)
    async with serving(other) as elsewhere, serving(app) as url, Pool() as pool:
        session = outbound(pool).session(endpoint(url=url), DataClass.VARIABLES)
        async with session.request("GET", "/") as response:
            assert response.status == 302


@pytest.mark.parametrize("path", ["x", "http://other/", "/a/../b", "/.."])
async def test_a_path_stays_below_its_endpoint(path: str) -> None:
    async with Pool() as pool:
        session = outbound(pool).session(endpoint(), DataClass.VARIABLES)
        with pytest.raises(ValueError, match="below the endpoint"):
            session.request("GET", path)


def test_a_pool_that_was_not_entered_says_so() -> None:
    with pytest.raises(RuntimeError, match="enter the pool"):
        outbound(Pool()).session(endpoint(), DataClass.VARIABLES)


# --- the account ---------------------------------------------------------------------------------


async def _stream(request: web.Request) -> web.StreamResponse:
    """Takes everything, and answers in three pieces of 1,000 bytes."""
    await request.read()
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(3):
        await response.write(bytes(1000))
    await response.write_eof()
    return response


@asynccontextmanager
async def streaming() -> AsyncIterator[tuple[str, Pool]]:
    app = web.Application()
    app.router.add_route("*", "/v1/{path:.*}", _stream)
    async with serving(app) as url, Pool() as pool:
        yield f"{url}/v1", pool


async def test_a_body_and_a_streamed_answer_are_counted_to_the_byte() -> None:
    ledger = Ledger(FakeClock())
    async with streaming() as (url, pool):
        session = outbound(pool, ledger=ledger).session(endpoint(url=url), DataClass.VARIABLES)
        for _ in range(2):
            async with session.request("POST", "/book", json={"day": "ü"}) as response:
                assert len(await response.content.read()) == 3000
    (entry,) = ledger.entries
    body, path = b'{"day": "\\u00fc"}', b"/v1/book"
    assert (entry.sent, entry.received) == (2 * len(body + path), 6000)
    assert entry.place == Place("tool", "service", "eu-central-1", url.removesuffix("/v1"))


async def test_what_is_asked_in_the_address_counts_as_sent() -> None:
    ledger = Ledger(FakeClock())
    async with streaming() as (url, pool):
        session = outbound(pool, ledger=ledger).session(endpoint(url=url), DataClass.VARIABLES)
        async with session.request("GET", "/slots", query={"name": "a b"}):
            pass
    assert ledger.entries[0].sent == len("/v1/slots?name=a+b")


async def test_an_answer_that_is_given_up_counts_for_what_came() -> None:
    """A model is cut off in mid-stream at each barge-in."""
    ledger = Ledger(FakeClock())
    async with streaming() as (url, pool):
        session = outbound(pool, ledger=ledger).session(endpoint(url=url), DataClass.VARIABLES)
        with pytest.raises(asyncio.CancelledError):
            async with session.request("POST", "/chat", json={}) as response:
                await response.content.readexactly(1000)
                raise asyncio.CancelledError
    assert ledger.entries[0].received >= 1000


async def test_two_calls_on_one_pool_have_accounts_of_their_own() -> None:
    ledgers = Ledger(FakeClock()), Ledger(FakeClock())
    async with streaming() as (url, pool):
        for ledger, size in zip(ledgers, (10, 200), strict=True):
            session = outbound(pool, ledger=ledger).session(endpoint(url=url), DataClass.VARIABLES)
            async with session.request("POST", "/", json="x" * size):
                pass
    first, second = (ledger.entries[0].sent for ledger in ledgers)
    assert second - first == 190


async def test_an_endpoint_that_cannot_be_reached_was_sent_nothing() -> None:
    ledger = Ledger(FakeClock())
    async with Pool() as pool:
        here = endpoint(url="http://127.0.0.1:1")
        session = outbound(pool, ledger=ledger).session(here, DataClass.VARIABLES)
        with pytest.raises(OSError, match="Connect call failed"):
            async with session.request("POST", "/", json={}):
                pass
    assert not ledger.entries
    assert not ledger.attempts


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x.example/v1/secret-path", "https://x.example:443"),
        ("https://user:secret@x.example:8443/", "https://x.example:8443"),
        ("http://[::1]/", "http://[::1]:80"),
        ("https://x.example:port/", ""),
        ("", ""),
    ],
)
def test_a_refusal_is_in_the_account_by_its_origin_alone(url: str, shown: str) -> None:
    ledger = Ledger(FakeClock())
    for _ in range(2):
        with pytest.raises(OutboundRefused):
            outbound(Pool(), ledger=ledger).session(endpoint("us-east-1", url), DataClass.VARIABLES)
    (attempt,) = ledger.attempts
    assert attempt.place == Place("tool", "service", "us-east-1", shown)
    assert attempt.reason == "variables may not be processed in us-east-1"
    assert attempt.count == 2
    assert ledger.entries == ()


def test_asking_for_a_verdict_is_no_attempt() -> None:
    ledger = Ledger(FakeClock())
    outbound(Pool(), ledger=ledger).verdict(endpoint("us-east-1"), DataClass.VARIABLES)
    assert ledger.attempts == ()


def test_a_tool_of_this_process_is_in_the_nodes_own_region() -> None:
    ledger = Ledger(FakeClock())
    outbound(Pool(), ledger=ledger).inside("hours", DataClass.VARIABLES)(sent=5)
    (entry,) = ledger.entries
    assert (entry.place, entry.sent) == (Place("tool", "hours", "eu-central-1"), 5)
