"""The demo page's server gives out the page, and nothing else of its folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from inland.demo.page import FOLDER, KINDS, create_page

CONNECT = ["http://127.0.0.1:7000", "http://127.0.0.1:7101"]
CONFIG = {"controlPlane": CONNECT[0], "tenants": []}


@pytest.fixture
async def page() -> AsyncIterator[TestClient[aiohttp.web.Request, aiohttp.web.Application]]:
    async with TestClient(TestServer(create_page(CONFIG, CONNECT))) as client:
        yield client


Page = TestClient[aiohttp.web.Request, aiohttp.web.Application]


async def test_every_answer_tells_the_browser_what_it_may_do(page: Page) -> None:
    for path in ("/", "/app.js", "/config.json"):
        answer = await page.get(path)
        assert answer.status == 200
        rules = dict(
            rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; ")
        )
        assert rules["default-src"] == "'none'"
        assert rules["script-src"] == rules["style-src"] == "'self'"
        assert rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
        assert rules["connect-src"].split() == ["'self'", *CONNECT]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "camera=()" in answer.headers["Permissions-Policy"]


async def test_configuration_is_the_demo_s_own(page: Page) -> None:
    answer = await page.get("/config.json")
    assert await answer.json() == CONFIG


async def test_everything_the_page_needs_is_served_as_what_it_is(page: Page) -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/index.html", "text/html"),
        ("/style.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
        ("/sdk/leg.js", "text/javascript"),
        ("/ui/conversation.js", "text/javascript"),
    ):
        answer = await page.get(path)
        assert (answer.status, answer.content_type) == (200, kind), path


async def test_other_kinds_of_files_are_not_served(page: Page) -> None:
    others = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in KINDS]
    assert FOLDER / "README.md" in others
    for path in others:
        answer = await page.get(f"/{path.relative_to(FOLDER).as_posix()}")
        assert answer.status == 404, path


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/sdk/../../pyproject.toml",
        "/%2e%2e/pyproject.toml",
        "/..%2fpyproject.toml",
        "/sdk/%2e%2e/README.md",
        "//etc/passwd",
        "/sdk",
        "/sdk/",
        "/app.js%00.md",
    ],
)
async def test_no_path_leads_out_of_the_page(page: Page, path: str) -> None:
    url = URL(str(page.make_url("")).rstrip("/") + path, encoded=True)
    answer = await page.session.get(url, allow_redirects=False)
    assert answer.status == 404
    assert b"inland" not in await answer.read()
