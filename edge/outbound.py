"""The one factory of every outbound client of a node.

A client is given out for an endpoint and a class of data, and only when the endpoint's region may
process that class for this call, and the provider catalogue lists it there for that class. It fails
closed: no rule for a class means no region, no entry means no client. What is
given out can reach the endpoint's own origin and nothing else: redirects are not followed, proxies
of the environment are ignored, certificates are verified, plain HTTP is for loopback only.
What was sent, and what was refused, is in the call's ledger.

When the law is tightened during a call, what is under way to a region that it excludes is cut at
once, also an answer that only comes back: somebody there would go on with the caller's data until
it is whole. What a tool had done by then is as open as after a broken line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace, TracebackType
from typing import Literal, Protocol, Self
from urllib.parse import urlsplit

import aiohttp

from edge.events import JsonValue
from edge.ledger import Ledger, Place
from regions.models import DataClass, Operation
from regions.providers import Providers, Purpose, address_fault

HERE = "here"
"""An endpoint in the node's own region, whichever that is."""
Method = Literal["GET", "POST", "PUT", "DELETE"]
MAX_CONNECTIONS = 100
CONNECT_SECONDS = 3.0
NOBODY = Providers()
"""Without a catalogue there is this machine itself, and no other."""
_PORTS = {"http": 80, "https": 443}
CUT = "a law that came into force keeps the data from there"


class OutboundRefused(Exception):
    """This data may not go there. No retry helps; ``str()`` says which rule."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service outside this process: ``url`` is its base, without query or fragment."""

    name: str
    url: str
    region: str
    purpose: Purpose
    data_classes: frozenset[DataClass]
    """What it is meant to receive; anything else is refused whatever the region."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether data may go to an endpoint, and why."""

    allowed: bool
    reason: str


class Account(Protocol):
    """Where the sizes of an exchange are counted."""

    def __call__(self, *, sent: int = 0, received: int = 0) -> None: ...


class OutboundSession:
    """An HTTP client that can reach one endpoint. Get it from :meth:`Outbound.session`."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        endpoint: Endpoint,
        begin: Callable[[], AbstractContextManager[Exchange]],
    ) -> None:
        self._http = http
        self._base = endpoint.url.rstrip("/")
        self._begin = begin
        self.endpoint = endpoint

    def request(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: JsonValue = None,
        headers: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request to ``path`` below the endpoint's base; use it as ``async with``.

        ``path`` starts with ``/`` and is already quoted. A 3xx comes back as it is. There is no
        total timeout: the caller sets the deadline. Raises ``aiohttp.ClientError`` and ``OSError``,
        also when the law is tightened meanwhile; ``OutboundRefused`` when that was before.
        """
        if not path.startswith("/") or "/../" in f"{path}/":
            raise ValueError("a path below the endpoint starts with / and does not climb")
        request = partial(
            self._http.request,
            method,
            self._base + path,
            params=query,
            json=json,
            headers=headers,
            allow_redirects=False,
        )
        return self._exchange(request)

    @asynccontextmanager
    async def _exchange(
        self, request: Callable[..., AbstractAsyncContextManager[aiohttp.ClientResponse]]
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        with self._begin() as exchange:
            async with exchange.until_cut(), request(trace_request_ctx=exchange.count) as response:
                exchange.answered(response)
                yield response


class Exchange:
    """One request and its answer, which a tightened law may cut."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._limit = asyncio.timeout(None)
        self._response: aiohttp.ClientResponse | None = None
        self._over = False
        self._cut = False

    def count(self, *, sent: int = 0, received: int = 0) -> None:
        """An :class:`Account`. Asked before bytes leave; raises ``ConnectionAbortedError`` when
        they may not any more."""
        if self._cut:
            raise ConnectionAbortedError(CUT)
        self._account(sent=sent, received=received)

    def answered(self, response: aiohttp.ClientResponse) -> None:
        """The answer begins."""
        self._response = response

    @asynccontextmanager
    async def until_cut(self) -> AsyncGenerator[None, None]:
        """Raises ``ConnectionAbortedError`` at once when it is cut while no answer is there."""
        try:
            async with self._limit:
                yield
        except TimeoutError:
            if self._cut:
                raise ConnectionAbortedError(CUT) from None
            raise

    def cut(self) -> None:
        """End it, with what came by now in the account."""
        self.end()
        self._cut = True
        if self._response is not None:
            self._response.close()  # whoever reads is told at once
        else:
            self._limit.reschedule(asyncio.get_running_loop().time())

    def end(self) -> None:
        """Enter what came of the answer; once.

        The client's own trace tells of bodies that are read at once, not of streams.
        """
        if self._response is not None and not self._over:
            self._over = True
            self.count(received=self._response.content.total_bytes)


class Outbound:
    """What may leave this call, and the clients for it.

    ``allowed`` gives the regions that may process each class of data; ``here`` is the node's own
    region. One :class:`Pool` serves all calls of a node, one ``ledger`` this one. ``providers`` are
    the services of the site.
    """

    def __init__(
        self,
        *,
        here: str,
        allowed: Mapping[DataClass, Collection[str]],
        pool: Pool,
        ledger: Ledger,
        providers: Providers = NOBODY,
    ) -> None:
        self.here = here
        self._providers = providers
        self._ledger = ledger
        self._allowed = {data_class: frozenset(regions) for data_class, regions in allowed.items()}
        self._pool = pool
        self._live: dict[Exchange, tuple[Endpoint, DataClass]] = {}

    def narrow(self, allowed: Mapping[DataClass, Collection[str]]) -> None:
        """From here on only ``allowed``, of what was allowed so far, is; what is under way
        elsewhere is cut, and counts as refused."""
        self._allowed = {
            data_class: regions & frozenset(allowed.get(data_class, ()))
            for data_class, regions in self._allowed.items()
        }
        for exchange, (endpoint, data_class) in list(self._live.items()):
            verdict = self.verdict(endpoint, data_class)
            if not verdict.allowed:
                exchange.cut()
                self._ledger.refuse(self._place(endpoint), data_class, verdict.reason)

    def verdict(self, endpoint: Endpoint, data_class: DataClass) -> Verdict:
        """Whether ``data_class`` may go to ``endpoint``, and why. Pure."""
        region = self._region(endpoint)
        if data_class not in endpoint.data_classes:
            return Verdict(False, f"{endpoint.name} is not meant for {data_class.value}")
        if region not in self._allowed.get(data_class, frozenset()):
            return Verdict(False, f"{data_class.value} may not be processed in {region}")
        fault = address_fault(endpoint.url) or self._providers.fault(
            endpoint.url,
            region=region,
            here=self.here,
            purpose=endpoint.purpose,
            data_class=data_class,
        )
        if fault is not None:
            return Verdict(False, f"{endpoint.name}: {fault}")
        return Verdict(True, f"{region} may process {data_class.value}")

    def session(self, endpoint: Endpoint, data_class: DataClass) -> OutboundSession:
        """A client for ``endpoint``; it needs no closing. Raises ``OutboundRefused``."""
        self._require(endpoint, data_class)
        begin = partial(self._begin, endpoint, data_class)
        return OutboundSession(self._pool.http, endpoint, begin)

    @contextmanager
    def _begin(self, endpoint: Endpoint, data_class: DataClass) -> Iterator[Exchange]:
        """Asks once more: a session may be older than the law. Raises ``OutboundRefused``."""
        place = self._require(endpoint, data_class)
        exchange = Exchange(partial(self._ledger.touch, place, data_class, Operation.PROCESS))
        self._live[exchange] = endpoint, data_class
        try:
            yield exchange
        finally:
            del self._live[exchange]
            exchange.end()

    def _require(self, endpoint: Endpoint, data_class: DataClass) -> Place:
        verdict = self.verdict(endpoint, data_class)
        place = self._place(endpoint)
        if not verdict.allowed:
            self._ledger.refuse(place, data_class, verdict.reason)
            raise OutboundRefused(verdict.reason)
        return place

    def _place(self, endpoint: Endpoint) -> Place:
        return Place(endpoint.purpose, endpoint.name, self._region(endpoint), _origin(endpoint.url))

    def inside(self, name: str, data_class: DataClass) -> Account:
        """Where a tool counts that runs in this very process, and so in the node's own region."""
        place = Place("tool", name, self.here)
        return partial(self._ledger.touch, place, data_class, Operation.PROCESS)

    def _region(self, endpoint: Endpoint) -> str:
        return self.here if endpoint.region == HERE else endpoint.region


class Pool:
    """The node's connections, kept alive between requests. Enter it before any call."""

    def __init__(self) -> None:
        self._http: aiohttp.ClientSession | None = None

    @property
    def http(self) -> aiohttp.ClientSession:
        """The session. Raises ``RuntimeError`` outside ``async with``."""
        if self._http is None:
            raise RuntimeError("enter the pool first")
        return self._http

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
            trust_env=False,
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
            trace_configs=[_trace()],
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None


def _trace() -> aiohttp.TraceConfig:
    """Counts what leaves, as it leaves: the path with its query, and the body.

    Headers hold nothing of the call but the idempotency key. An endpoint that no connection could
    be made to was sent nothing.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_headers_sent)
    trace.on_request_chunk_sent.append(_chunk_sent)
    return trace


async def _headers_sent(
    http: aiohttp.ClientSession,
    context: SimpleNamespace,
    sent: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    context.trace_request_ctx(sent=len(sent.url.raw_path_qs))


async def _chunk_sent(
    http: aiohttp.ClientSession,
    context: SimpleNamespace,
    sent: aiohttp.TraceRequestChunkSentParams,
) -> None:
    context.trace_request_ctx(sent=len(sent.chunk))


def _origin(address: str) -> str:
    """Scheme, host and port of an endpoint: nothing of it that could be a secret or a word."""
    try:
        url = urlsplit(address)
        host, port = url.hostname, url.port
    except ValueError:
        return ""
    if not host:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{shown}:{port or _PORTS.get(url.scheme, 0)}"
