from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web

import edge
from edge.outbound import Endpoint, Outbound, OutboundRefused, Pool
from regions.models import DataClass
from tests.fakes.dialog import serving

ALLOWED: Mapping[DataClass, list[str]] = {DataClass.VARIABLES: ["eu-central-1", "eu-west-1"]}


def endpoint(region: str = "here", url: str = "https://x.example/v1") -> Endpoint:
    return Endpoint("service", url, region, "tool", frozenset({DataClass.VARIABLES}))


def outbound(pool: Pool, here: str = "eu-central-1") -> Outbound:
    return Outbound(here=here, allowed=ALLOWED, pool=pool)


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
    empty = Outbound(here="eu-central-1", allowed={}, pool=Pool())
    assert not empty.verdict(endpoint(), DataClass.VARIABLES).allowed


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


async def test_a_redirect_is_not_followed_and_the_environments_proxy_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.2:9/"})

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.9:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.9:9")
    app = web.Application()
    app.router.add_get("/", away)
    async with serving(app) as url, Pool() as pool:
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


CLIENTS = {"ClientSession", "TCPConnector", "request", "open_connection", "create_connection"}
MODULES = {"httpx", "requests", "urllib.request", "urllib3", "http.client", "socket", "litellm"}


@pytest.mark.parametrize(
    "path", sorted((Path(edge.__file__).parent / "dialog").rglob("*.py")), ids=lambda p: p.name
)
def test_the_dialog_makes_no_client_of_its_own(path: Path) -> None:
    """The factory is the only way out: a client made elsewhere would know no region."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not MODULES & {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.module not in MODULES
            assert not (node.module == "aiohttp" and CLIENTS & {a.name for a in node.names})
        if isinstance(node, ast.Attribute) and node.attr in CLIENTS:
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            assert owner not in ("aiohttp", "asyncio", "loop")
