"""The one factory of every outbound client of a node.

A client is given out for an endpoint and a class of data, and only when the endpoint's region may
process that class for this call. It fails closed: no rule for a class means no region. What is
given out can reach the endpoint's own origin and nothing else: redirects are not followed, proxies
of the environment are ignored, certificates are verified, plain HTTP is for loopback only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self
from urllib.parse import SplitResult, urlsplit

import aiohttp

from edge.events import JsonValue
from regions.models import DataClass

HERE = "here"
"""An endpoint in the node's own region, whichever that is."""
Purpose = Literal["model", "tool", "webhook", "stt", "tts"]
Method = Literal["GET", "POST", "PUT", "DELETE"]
MAX_CONNECTIONS = 100
CONNECT_SECONDS = 3.0


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


class OutboundSession:
    """An HTTP client that can reach one endpoint. Get it from :meth:`Outbound.session`."""

    def __init__(self, http: aiohttp.ClientSession, endpoint: Endpoint) -> None:
        self._http = http
        self._base = endpoint.url.rstrip("/")
        self.endpoint = endpoint

    def request(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: JsonValue = None,
        headers: Mapping[str, str] | None = None,
    ) -> aiohttp.client._RequestContextManager:
        """Send a request to ``path`` below the endpoint's base; use it as ``async with``.

        ``path`` starts with ``/`` and is already quoted. A 3xx comes back as it is. There is no
        total timeout: the caller sets the deadline. Raises ``aiohttp.ClientError`` and ``OSError``.
        """
        if not path.startswith("/") or "/../" in f"{path}/":
            raise ValueError("a path below the endpoint starts with / and does not climb")
        return self._http.request(
            method,
            self._base + path,
            params=query,
            json=json,
            headers=headers,
            allow_redirects=False,
        )


class Outbound:
    """What may leave this call, and the clients for it.

    ``allowed`` gives the regions that may process each class of data; ``here`` is the node's own
    region. ``http`` is the node's pool: one :class:`Pool` serves all its calls.
    """

    def __init__(
        self, *, here: str, allowed: Mapping[DataClass, Collection[str]], pool: Pool
    ) -> None:
        self.here = here
        self._allowed = {data_class: frozenset(regions) for data_class, regions in allowed.items()}
        self._pool = pool

    def verdict(self, endpoint: Endpoint, data_class: DataClass) -> Verdict:
        """Whether ``data_class`` may go to ``endpoint``, and why. Pure."""
        region = self.here if endpoint.region == HERE else endpoint.region
        if data_class not in endpoint.data_classes:
            return Verdict(False, f"{endpoint.name} is not meant for {data_class.value}")
        if region not in self._allowed.get(data_class, frozenset()):
            return Verdict(False, f"{data_class.value} may not be processed in {region}")
        fault = _fault(urlsplit(endpoint.url))
        if fault is not None:
            return Verdict(False, f"{endpoint.name}: {fault}")
        return Verdict(True, f"{region} may process {data_class.value}")

    def session(self, endpoint: Endpoint, data_class: DataClass) -> OutboundSession:
        """A client for ``endpoint``; it needs no closing. Raises ``OutboundRefused``."""
        verdict = self.verdict(endpoint, data_class)
        if not verdict.allowed:
            raise OutboundRefused(verdict.reason)
        return OutboundSession(self._pool.http, endpoint)


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


def _fault(url: SplitResult) -> str | None:
    """Why no client may be made for this address at all, or None."""
    try:
        host, _ = url.hostname, url.port
    except ValueError:
        return "the port is not a number"
    if not host or url.username or url.password or url.query or url.fragment:
        return "the address must be scheme://host[:port][/path]"
    if url.scheme == "https" or (url.scheme == "http" and _loopback(host)):
        return None
    return "https is required beyond loopback"


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
