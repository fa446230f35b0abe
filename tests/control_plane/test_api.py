"""The HTTP API as a client meets it: over a socket, against the whole control plane."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from control_plane.contract import (
    DEAD_SECONDS,
    JWKS_PATH,
    SUSPECT_SECONDS,
    Problem,
    RouteClaims,
    RouteResponse,
    State,
)
from tests.control_plane.helpers import (
    BANK,
    BROWSER,
    CLINIC,
    OPERATOR,
    POLICY,
    REGIONS,
    heartbeat,
    node_secret,
    post_beat,
    post_route,
    serving,
    settings,
)
from tests.fakes.clock import FakeClock

GERMAN = {"agent": "clinic-reception", "country": "DE"}
BY_DISTANCE = ("eu-central-1", "eu-north-1", "eu-south-1", "eu-west-3", "eu-west-1", "eu-south-2")
"""The regions of the EEA as a caller in Germany has them: 422, 810, 836, 871, 1,320, 1,620 km."""


async def test_a_german_caller_gets_frankfurt_first_the_rest_of_the_eea_next_and_a_token_for_all(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with serving(settings(tmp_path), clock) as client:
        for region in REGIONS:
            assert await post_beat(client, region) == 204
        status, body = await post_route(client, GERMAN)
        async with client.get(JWKS_PATH) as answer:
            keys = jwt.PyJWKSet.from_dict(await answer.json(content_type=None))
            assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert status == 200
    response = RouteResponse.model_validate_json(json.dumps(body))
    assert [c.region for c in response.candidates] == list(BY_DISTANCE)
    assert response.jurisdictions == ("eea",)
    assert response.policy == POLICY
    assert {v.region for v in response.regions if v.allowed} == {*BY_DISTANCE}
    key = keys[jwt.get_unverified_header(response.token)["kid"]]
    payload = jwt.decode(
        response.token,
        key,
        algorithms=["EdDSA"],
        audience="inland-edge",
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    claims = RouteClaims.model_validate_json(json.dumps(payload))
    assert (claims.sub, claims.ten, claims.agent, claims.med) == (
        response.session_id,
        "demo-clinic",
        "clinic-reception",
        "webrtc",
    )
    assert claims.reg["audio"] == claims.reg["transcript"] == BY_DISTANCE
    assert claims.exp == response.expires_at == int(clock.wall()) + 60


async def test_a_german_caller_is_refused_while_mumbai_is_free_when_all_of_europe_is_down(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with serving(settings(tmp_path), clock) as client:
        await post_beat(client, "eu-central-1")
        await post_beat(client, "eu-west-1")
        clock.advance(DEAD_SECONDS)
        await post_beat(client, "ap-south-1", capacity=1000)
        await post_beat(client, "me-central-1", capacity=1000)
        status, body = await post_route(client, GERMAN)
        assert status == 503
        problem = Problem.model_validate_json(json.dumps(body))
        assert problem.code == "no_region_available"
        verdicts = {v.region: v for v in problem.regions}
        assert set(verdicts) == set(REGIONS)
        assert {r for r, v in verdicts.items() if v.allowed} == {*BY_DISTANCE}
        assert verdicts["eu-west-1"].reason.endswith("no node can take a call: 1 dead")
        async with client.post("/v1/route", json=GERMAN, headers=CLINIC) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert (await post_route(client, {**GERMAN, "country": "IN"}))[0] == 200


async def test_a_caller_under_no_known_law_is_refused_by_every_region(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as client:
        for region in REGIONS:
            await post_beat(client, region)
        status, body = await post_route(client, {**GERMAN, "country": "CH"})
    assert (status, body["code"]) == (403, "no_region_allowed")
    assert "CH" in body["detail"]
    assert [v["allowed"] for v in body["regions"]] == [False] * len(REGIONS)


async def test_a_contract_only_narrows(tmp_path: Path) -> None:
    wanted = {"agent": "bank-callback", "country": "DE"}
    async with serving(settings(tmp_path)) as client:
        await post_beat(client, "eu-west-1")
        await post_beat(client, "ap-south-1")
        refused = await post_route(client, wanted, BANK)
        elsewhere = await post_route(client, {**wanted, "country": "IN"}, BANK)
        await post_beat(client, "eu-central-1")
        placed = await post_route(client, wanted, BANK)
    assert (refused[0], refused[1]["code"]) == (503, "no_region_available")
    assert (elsewhere[0], elsewhere[1]["code"]) == (403, "no_region_allowed")
    assert [c["region"] for c in placed[1]["candidates"]] == ["eu-central-1"]


async def test_a_node_that_drains_is_full_or_follows_another_policy_gets_no_caller(
    tmp_path: Path,
) -> None:
    async with serving(settings(tmp_path)) as client:
        faults: tuple[dict[str, Any], ...] = (
            {"draining": True},
            {"active": 10},
            {"policy": "1#other"},
        )
        for number, fault in enumerate(faults, start=1):
            await post_beat(client, sequence=number, **fault)
            assert (await post_route(client, GERMAN))[0] == 503
        await post_beat(client, sequence=9)
        assert (await post_route(client, GERMAN))[0] == 200


async def test_a_node_that_missed_beats_is_still_offered_when_there_is_no_other(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with serving(settings(tmp_path), clock) as client:
        await post_beat(client)
        clock.advance(SUSPECT_SECONDS)
        status, body = await post_route(client, GERMAN)
    assert status == 200
    assert "last resort" in body["candidates"][0]["reason"]


@pytest.mark.parametrize(
    ("body", "status", "code", "word"),
    [
        (b"", 400, "bad_request", "JSON"),
        (b"{", 400, "bad_request", "JSON"),
        (b"[]", 400, "bad_request", "body"),
        (b'{"country":"DE"}', 400, "bad_request", "agent"),
        (b'{"agent":"Clinic"}', 400, "bad_request", "agent"),
        (b'{"agent":"clinic-reception","country":"de"}', 400, "bad_request", "country"),
        (b'{"agent":"clinic-reception","phone":"+49"}', 400, "bad_request", "phone"),
        (b'{"agent":"clinic-reception","media":"fax"}', 400, "bad_request", "media"),
        (b'{"agent":"' + b"\xff" + b'"}', 400, "bad_request", "body"),
        (b'{"agent":"nobody","country":"DE"}', 404, "unknown_agent", "nobody"),
        (b'{"agent":"clinic-reception"}', 422, "location_unknown", "country"),
        (b"x" * 65_537, 413, "body_too_large", "64 KiB"),
        (b"[" * 60_000, 400, "bad_request", "body"),
    ],
)
async def test_a_wrong_body_is_refused_with_the_key_that_is_wrong(
    tmp_path: Path, body: bytes, status: int, code: str, word: str
) -> None:
    async with (
        serving(settings(tmp_path)) as client,
        client.post("/v1/route", data=body, headers=CLINIC) as answer,
    ):
        assert answer.content_type == "application/problem+json"
        problem = Problem.model_validate_json(await answer.text())
    assert (answer.status, problem.status, problem.code) == (status, status, code)
    assert word in problem.detail


async def test_a_large_body_without_a_length_is_cut_off_too(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 8192

    async with (
        serving(settings(tmp_path)) as client,
        client.post("/v1/route", data=endless(), headers=CLINIC) as answer,
    ):
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (
            413,
            "body_too_large",
        )


async def test_a_refused_value_is_not_repeated(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as client:
        _, body = await post_route(client, {"agent": "clinic-reception", "country": "+4915123456"})
    assert "15123456" not in json.dumps(body)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, "unknown_key"),
        ({"Authorization": "Bearer"}, 401, "unknown_key"),
        ({"Authorization": "Bearer sk_nobody_at_all"}, 401, "unknown_key"),
        ({"Authorization": "Basic sk_demo_clinic_local_only"}, 401, "unknown_key"),
        ({**BROWSER, "Origin": "https://evil.example"}, 403, "origin_not_allowed"),
        ({"Authorization": "Bearer pk_demo_clinic"}, 403, "origin_not_allowed"),
        ({**CLINIC, "Origin": "http://127.0.0.1:8080"}, 403, "origin_not_allowed"),
    ],
)
async def test_a_key_that_is_unknown_or_used_from_elsewhere_is_refused(
    tmp_path: Path, headers: dict[str, str], status: int, code: str
) -> None:
    async with serving(settings(tmp_path)) as client:
        await post_beat(client)
        found, body = await post_route(client, GERMAN, headers)
        async with client.post("/v1/route", json=GERMAN, headers=headers) as answer:
            assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert (found, body["code"]) == (status, code)


async def test_a_page_of_an_allowed_origin_may_ask_and_read_the_answer(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as client:
        await post_beat(client)
        preflight = {
            "Origin": BROWSER["Origin"],
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        async with client.options("/v1/route", headers=preflight) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Methods"] == "POST"
            assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
            assert answer.headers["Access-Control-Allow-Origin"] == BROWSER["Origin"]
        for body, status in ((GERMAN, 200), ({"agent": "nobody", "country": "DE"}, 404)):
            async with client.post("/v1/route", json=body, headers=BROWSER) as answer:
                assert answer.status == status
                assert answer.headers["Access-Control-Allow-Origin"] == BROWSER["Origin"]
                assert answer.headers["Vary"] == "Origin"


async def test_a_page_of_another_origin_may_neither_ask_nor_read(tmp_path: Path) -> None:
    evil = {"Origin": "https://evil.example"}
    async with serving(settings(tmp_path)) as client:
        async with client.options("/v1/route", headers=evil) as answer:
            assert answer.status == 403
            assert "Access-Control-Allow-Origin" not in answer.headers
        async with client.post("/v1/route", json=GERMAN, headers=BROWSER | evil) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_client_that_asks_too_often_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    clock = FakeClock()
    async with serving(settings(tmp_path), clock) as client:
        await post_beat(client)
        for _ in range(60):
            assert (await post_route(client, GERMAN, BROWSER))[0] == 200
        async with client.post("/v1/route", json=GERMAN, headers=BROWSER) as answer:
            assert answer.status == 429
            wait = int(answer.headers["Retry-After"])
        assert (await post_route(client, GERMAN))[0] == 200  # the server's own key is not affected
        clock.advance(wait)
        await post_beat(client, sequence=2)
        assert (await post_route(client, GERMAN, BROWSER))[0] == 200


async def test_a_key_has_a_rate_of_its_own_that_no_number_of_clients_can_pass(
    tmp_path: Path,
) -> None:
    async with serving(settings(tmp_path, trusted_proxies=1)) as client:
        await post_beat(client)
        by_server = [(await post_route(client, GERMAN))[0] for _ in range(201)]
        by_pages = [
            (await post_route(client, GERMAN, BROWSER | {"X-Forwarded-For": f"192.0.2.{n}"}))[0]
            for n in range(201)
        ]
    assert by_server == by_pages == [200] * 200 + [429]


async def test_behind_a_trusted_proxy_clients_are_told_apart_and_cannot_forge_it(
    tmp_path: Path,
) -> None:
    async with serving(settings(tmp_path, trusted_proxies=1)) as client:
        await post_beat(client)

        async def ask(forwarded: str) -> int:
            return (await post_route(client, GERMAN, BROWSER | {"X-Forwarded-For": forwarded}))[0]

        for number in range(60):
            assert await ask(f"198.51.100.{number}, 192.0.2.1") == 200
        assert await ask("198.51.100.99, 192.0.2.1") == 429
        assert await ask("192.0.2.1, 192.0.2.2") == 200


async def test_the_country_header_counts_only_when_the_settings_trust_it(tmp_path: Path) -> None:
    asked = {"agent": "clinic-reception"}
    headers = CLINIC | {"CF-IPCountry": "DE"}
    async with serving(settings(tmp_path)) as client:
        await post_beat(client)
        assert (await post_route(client, asked, headers))[0] == 422
    async with serving(settings(tmp_path, trust_country_header="CF-IPCountry")) as client:
        await post_beat(client)
        assert (await post_route(client, asked, headers))[0] == 200
        other = CLINIC | {"CloudFront-Viewer-Country": "DE"}
        assert (await post_route(client, asked, other))[0] == 422


async def test_a_node_cannot_beat_for_another_region_or_without_its_secret(tmp_path: Path) -> None:
    beat = heartbeat("ap-south-1")
    async with serving(settings(tmp_path)) as client:
        found = []
        for path, secret in (
            (beat.node, node_secret("eu-central-1")),
            (beat.node, "guess"),
            (beat.node, CLINIC["Authorization"].removeprefix("Bearer ")),
            ("another-node", node_secret("ap-south-1")),
            (beat.node, node_secret("ap-south-1")),
            (beat.node, node_secret("ap-south-1")),
        ):
            async with client.post(
                f"/v1/nodes/{path}/beat",
                data=beat.model_dump_json(),
                headers={"Authorization": f"Bearer {secret}"},
            ) as answer:
                body = await answer.json(content_type=None) if answer.status != 204 else {}
                found.append((answer.status, body.get("code")))
    assert found == [
        (403, "wrong_region"),
        (401, "unknown_key"),
        (401, "unknown_key"),
        (400, "bad_request"),
        (204, None),
        (409, "stale_beat"),
    ]


async def test_the_state_is_for_operators_and_servers_and_counts_calls(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as client:
        await post_beat(client, active=4)
        await post_route(client, GERMAN)
        statuses = []
        for headers in (BROWSER, {}, CLINIC, {"Authorization": f"Bearer {OPERATOR}"}):
            async with client.get("/v1/state", headers=headers) as answer:
                statuses.append(answer.status)
                text = await answer.text()
    assert statuses == [401, 401, 200, 200]
    state = State.model_validate_json(text)
    (node,) = state.nodes
    assert (node.region, node.health, node.active, node.in_flight) == (
        "eu-central-1",
        "live",
        4,
        1,
    )
    assert [r.region for r in state.regions] == list(REGIONS)
    assert (state.regions[0].live, state.regions[0].capacity, state.regions[0].active) == (1, 10, 4)
    assert state.policy == POLICY


async def test_it_is_ready_once_every_node_had_the_time_to_beat(tmp_path: Path) -> None:
    clock = FakeClock()
    async with serving(settings(tmp_path), clock) as client:
        statuses = []
        for seconds in (0.0, 1.0):
            clock.advance(seconds)
            async with client.get("/healthz") as health, client.get("/readyz") as ready:
                statuses.append((health.status, ready.status))
    assert statuses == [(200, 503), (200, 200)]


async def test_metrics_ask_for_the_operators_key_when_there_is_one(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as client:
        await post_beat(client)
        await post_route(client, GERMAN)
        async with client.get("/metrics") as answer:
            assert answer.status == 401
        async with client.get(
            "/metrics", headers={"Authorization": f"Bearer {OPERATOR}"}
        ) as answer:
            text = await answer.text()
    assert 'inland_control_routes_total{outcome="placed"} 1.0' in text
    assert 'inland_control_nodes{health="live",region="eu-central-1"} 1.0' in text
    async with (
        serving(settings(tmp_path, operator_key=None)) as client,
        client.get("/metrics") as answer,
    ):
        assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", "/", {}, 404, "not_found"),
        ("GET", "/v1/route", {}, 405, "method_not_allowed"),
        ("DELETE", "/v1/nodes/x/beat", {}, 405, "method_not_allowed"),
        ("POST", "/../../etc/passwd", {}, 404, "not_found"),
        ("GET", "/healthz", {"Expect": "a miracle"}, 400, "bad_request"),
        ("GET", "/nowhere", {"Expect": "a miracle"}, 400, "bad_request"),
    ],
)
async def test_the_server_librarys_own_errors_are_problems_too(
    tmp_path: Path, method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    async with (
        serving(settings(tmp_path)) as client,
        client.request(method, path, headers=headers) as answer,
    ):
        problem = Problem.model_validate_json(await answer.text())
        assert answer.content_type == "application/problem+json"
    assert (answer.status, problem.code) == (status, code)
    assert ("Allow" in answer.headers) == (status == 405)


async def test_every_answer_carries_the_security_headers(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as client:
        for path in ("/healthz", "/nowhere", JWKS_PATH, "/v1/state"):
            async with client.get(path) as answer:
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["Server"] == "inland"
