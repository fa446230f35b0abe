"""Whatever a stranger sends, the answer is below 500 and the next caller is served."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from control_plane.contract import Problem
from control_plane.server import Serving, serve
from tests.control_plane.helpers import BROWSER, CLINIC, REGIONS, node_secret, settings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
ROUTE = st.fixed_dictionaries(
    {},
    optional={
        "agent": JSON | st.just("clinic-reception"),
        "country": JSON | st.sampled_from(("DE", "US", "XX", "de")),
        "media": JSON | st.just("webrtc"),
    },
)
COUNTRY = JSON | st.sampled_from(("DE", "US", "XX", "de"))
PHONE_ROUTE = st.fixed_dictionaries(
    {},
    optional={
        "tenant": JSON | st.just("demo-clinic"),
        "agent": JSON | st.just("clinic-reception"),
        "dialled_country": COUNTRY,
        "caller_country": COUNTRY,
        "media": JSON | st.just("sip"),
    },
)
BEAT = st.fixed_dictionaries(
    {
        "node": JSON | st.just("n"),
        "region": JSON | st.sampled_from(REGIONS),
        "url": JSON | st.sampled_from(("http://x", "https://[", "http://\x00")),
        "boot": JSON | st.text(min_size=8, max_size=12),
        "sequence": JSON | st.integers(0, 10**30),
        "capacity": JSON | st.integers(-1, 100_001),
        "active": JSON | st.integers(-1, 100_001),
        "draining": JSON | st.booleans(),
        "policy": JSON,
        "version": JSON,
    },
    optional={
        "sip": JSON | st.sampled_from(("sip:x", "sip:[::1]:1;transport=tls", "sip:x\r\n")),
        "serial": JSON | st.integers(-1, 2**53),
    },
)
HEADERS = st.dictionaries(
    st.sampled_from(("Origin", "X-Forwarded-For", "CF-IPCountry", "Content-Type", "Authorization")),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")),
)


class Target:
    """A control plane in a thread, spoken to by a plain client."""

    def __init__(self, base: str) -> None:
        self.address = urlsplit(base).netloc

    def send(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(
                method, path, body, {k: v.encode("latin-1") for k, v in headers.items()}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def check(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        status, content = self.send(method, path, body, headers)
        problem = Problem.model_validate_json(content) if status >= 400 else None
        if status >= 500:  # the one answer above 499 that a caller can ask for
            assert problem is not None
            assert problem.code == "no_region_available"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    started = threading.Event()
    found: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, Serving]] = []

    async def main() -> None:
        stop = asyncio.Event()

        def ready(serving: Serving) -> None:
            found.append((asyncio.get_running_loop(), stop, serving))
            started.set()

        await serve(
            settings(folder, trust_country_header="CF-IPCountry", trusted_proxies=1),
            stop,
            on_ready=ready,
        )

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert started.wait(20)
    loop, stop, serving = found[0]
    try:
        yield Target(serving.url)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)


quick = examples(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(body=st.binary(max_size=200) | JSON.map(lambda j: json.dumps(j).encode()))
def test_any_body_is_answered_below_500(target: Target, body: bytes) -> None:
    target.check("POST", "/v1/route", body, CLINIC)


@quick
@given(body=ROUTE, headers=HEADERS, key=st.sampled_from((CLINIC, BROWSER)))
def test_any_route_request_is_answered_below_500_or_finds_no_node(
    target: Target, body: object, headers: dict[str, str], key: dict[str, str]
) -> None:
    target.check("POST", "/v1/route", json.dumps(body).encode(), headers | key)
    target.check("POST", "/v1/route", json.dumps(body).encode(), key | headers)


@quick
@given(body=BEAT, region=st.sampled_from(REGIONS), node=st.sampled_from(("n", "%00", "a%2fb")))
def test_any_heartbeat_is_answered_below_500_and_leaves_placement_working(
    target: Target, body: object, region: str, node: str
) -> None:
    secret = {"Authorization": f"Bearer {node_secret(region)}"}
    target.check("POST", f"/v1/nodes/{node}/beat", json.dumps(body).encode(), secret)
    wanted = json.dumps({"agent": "clinic-reception", "country": "DE"}).encode()
    target.check("POST", "/v1/route", wanted, CLINIC)


@quick
@given(
    body=PHONE_ROUTE, region=st.sampled_from(REGIONS), node=st.sampled_from(("n", "%00", "a%2fb"))
)
def test_any_question_about_a_phone_call_is_answered_below_500_or_finds_no_node(
    target: Target, body: object, region: str, node: str
) -> None:
    secret = {"Authorization": f"Bearer {node_secret(region)}"}
    target.check("POST", f"/v1/nodes/{node}/route", json.dumps(body).encode(), secret)


@quick
@given(
    method=st.sampled_from(("GET", "PUT", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW")),
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40).map(
        lambda tail: "/" + tail
    ),
)
def test_any_path_and_method_is_answered_below_500(target: Target, method: str, path: str) -> None:
    status, _ = target.send(method, path, b"", {})
    assert status < 500
