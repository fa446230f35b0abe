"""What a node is told about a phone call: over a socket, against the whole control plane."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import ValidationError

from control_plane.auth import REGION_CALLS
from control_plane.contract import DEAD_SECONDS, RouteResponse
from tests.control_plane.helpers import (
    CLINIC,
    EEA,
    OPERATOR,
    POLICY,
    REGIONS,
    heartbeat,
    post_beat,
    post_phone_route,
    post_route,
    serving,
    settings,
)
from tests.fakes.clock import FakeClock

GERMAN = {"tenant": "demo-clinic", "agent": "clinic-reception", "dialled_country": "DE"}
FRANKFURT = "sip:eu-central-1.example.org;transport=tls"
IRELAND = "sips:eu-west-1.example.org:5061"


def claims(body: dict[str, Any]) -> dict[str, Any]:
    return jwt.decode(body["token"], options={"verify_signature": False})


async def test_a_call_to_a_german_number_gets_a_token_for_a_phone_call_in_the_eea(
    tmp_path: Path,
) -> None:
    async with serving(settings(tmp_path)) as client:
        await post_beat(client, "eu-central-1", sip=FRANKFURT)
        await post_beat(client, "eu-west-1", sip=IRELAND)
        await post_beat(client, "ap-south-1", sip="sip:in.example.org")
        status, body = await post_phone_route(client, GERMAN | {"caller_country": "IN"})
    assert status == 200
    answer = RouteResponse.model_validate_json(json.dumps(body))
    assert [(c.region, c.sip) for c in answer.candidates] == [
        ("eu-central-1", FRANKFURT),
        ("eu-west-1", IRELAND),
    ]
    token = claims(body)
    assert (token["med"], token["jur"], token["ten"]) == ("sip", ["eea"], "demo-clinic")
    assert token["reg"]["audio"][:2] == ["eu-central-1", "eu-west-1"]
    assert {*token["reg"]["audio"]} == {*EEA}
    assert (answer.policy, token["sub"]) == (POLICY, answer.session_id)


async def test_a_node_of_a_region_that_may_not_have_the_call_is_told_who_may(
    tmp_path: Path,
) -> None:
    async with serving(settings(tmp_path)) as client:
        await post_beat(client, "eu-central-1", sip=FRANKFURT)
        await post_beat(client, "ap-south-1", sip="sip:in.example.org")
        status, body = await post_phone_route(client, GERMAN, "ap-south-1", "ap-south-1-a")
    assert status == 200
    assert [c["sip"] for c in body["candidates"]] == [FRANKFURT]
    assert "ap-south-1" not in claims(body)["reg"]["audio"]


async def test_candidates_without_an_address_for_phone_calls_keep_their_place(
    tmp_path: Path,
) -> None:
    async with serving(settings(tmp_path)) as client:
        await post_beat(client, "eu-central-1")
        await post_beat(client, "eu-west-1", sip=IRELAND)
        _, body = await post_phone_route(client, GERMAN, "ap-south-1")
    assert [(c["region"], c.get("sip", "-")) for c in body["candidates"]] == [
        ("eu-central-1", "-"),
        ("eu-west-1", IRELAND),
    ]


async def test_a_node_that_asks_needs_no_candidate_where_it_may_take_the_call_itself(
    tmp_path: Path,
) -> None:
    """A replica that has just started has heard no beat of it yet; that it asks is enough."""
    async with serving(settings(tmp_path)) as client:
        status, body = await post_phone_route(client, GERMAN)
        elsewhere = await post_phone_route(client, GERMAN, "ap-south-1")
    assert (status, body["candidates"]) == (200, [])
    assert (elsewhere[0], elsewhere[1]["code"]) == (503, "no_region_available")


async def test_no_live_region_is_a_503_that_says_which_regions_may_have_the_call(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with serving(settings(tmp_path), clock) as client:
        await post_beat(client, "eu-central-1", sip=FRANKFURT)
        clock.advance(DEAD_SECONDS)
        status, body = await post_phone_route(client, GERMAN, "ap-south-1")
    assert (status, body["code"]) == (503, "no_region_available")
    allowed = {verdict["region"] for verdict in body["regions"] if verdict["allowed"]}
    assert allowed == {*EEA}


async def test_a_number_under_no_law_is_refused_with_every_region_s_reason(tmp_path: Path) -> None:
    async with serving(settings(tmp_path)) as client:
        status, body = await post_phone_route(
            client, GERMAN | {"dialled_country": "CH", "caller_country": "DE"}
        )
    assert (status, body["code"]) == (403, "no_region_allowed")
    assert {verdict["region"] for verdict in body["regions"]} == set(REGIONS)
    assert not any(verdict["allowed"] for verdict in body["regions"])


async def test_the_contract_narrows_phone_calls_too(tmp_path: Path) -> None:
    bank = {"tenant": "demo-bank", "agent": "bank-callback", "dialled_country": "IE"}
    async with serving(settings(tmp_path)) as client:
        await post_beat(client, "eu-west-1", sip=IRELAND)
        status, body = await post_phone_route(client, bank, "eu-west-1")
        assert (status, body["code"]) == (503, "no_region_available")
        await post_beat(client, "eu-central-1", sip=FRANKFURT)
        status, body = await post_phone_route(client, bank, "eu-west-1")
    assert (status, claims(body)["reg"]["audio"]) == (200, ["eu-central-1"])


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"tenant": "nobody"}, 404, "unknown_tenant"),
        ({"agent": "nobody"}, 404, "unknown_agent"),
        ({"dialled_country": None}, 422, "location_unknown"),
        ({"dialled_country": "+496912345678"}, 400, "bad_request"),
        ({"caller_number": "+496912345678"}, 400, "bad_request"),
        ({"media": "webrtc"}, 400, "bad_request"),
    ],
    ids=str,
)
async def test_what_is_not_a_question_about_countries_is_refused(
    tmp_path: Path, change: dict[str, Any], status: int, code: str
) -> None:
    async with serving(settings(tmp_path)) as client:
        found, body = await post_phone_route(client, GERMAN | change)
    assert (found, body["code"]) == (status, code)
    assert "+49" not in json.dumps(body), "a number is never repeated"


async def test_only_nodes_may_ask(tmp_path: Path) -> None:
    keys = ("sk_demo_clinic_local_only", OPERATOR, "another-secret-of-a-node")
    async with serving(settings(tmp_path)) as client:
        for key in keys:
            async with client.post(
                "/v1/nodes/n/route", json=GERMAN, headers={"Authorization": f"Bearer {key}"}
            ) as answer:
                assert answer.status == 401
        async with client.post("/v1/nodes/n/route", json=GERMAN) as answer:
            assert answer.status == 401


async def test_a_region_asks_at_its_rate_and_slows_no_other_region_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "control_plane.auth.REGION_CALLS", type(REGION_CALLS)(per_second=1, burst=2)
    )
    async with serving(settings(tmp_path)) as client:
        statuses = [(await post_phone_route(client, GERMAN))[0] for _ in range(3)]
        other = await post_phone_route(client, GERMAN, "eu-west-1")
        beat = await post_beat(client)
    assert statuses == [200, 200, 429]
    assert (other[0], beat) == (200, 204)


async def test_a_call_is_counted_where_it_will_be(tmp_path: Path) -> None:
    async def in_flight() -> dict[str, int]:
        async with client.get(
            "/v1/state", headers={"Authorization": f"Bearer {OPERATOR}"}
        ) as answer:
            return {node["node"]: node["in_flight"] for node in (await answer.json())["nodes"]}

    async with serving(settings(tmp_path)) as client:
        await post_beat(client, "eu-central-1", sip=FRANKFURT)
        await post_beat(client, "eu-west-1", sip=IRELAND)
        await post_phone_route(client, GERMAN, "eu-west-1", "eu-west-1-a")
        assert await in_flight() == {"eu-central-1-a": 0, "eu-west-1-a": 1}
        await post_phone_route(client, GERMAN, "ap-south-1")
        assert await in_flight() == {"eu-central-1-a": 1, "eu-west-1-a": 1}


async def test_an_order_to_call_somebody_takes_the_tenant_s_key_and_the_callee_s_country(
    tmp_path: Path,
) -> None:
    wanted = {"agent": "clinic-reception", "country": "IE", "media": "sip"}
    async with serving(settings(tmp_path)) as client:
        await post_beat(client, "eu-west-1", sip=IRELAND)
        status, body = await post_route(client, wanted, CLINIC)
    assert (status, claims(body)["med"], body["candidates"][0]["sip"]) == (200, "sip", IRELAND)


async def test_whoever_knows_no_sip_key_is_sent_none(tmp_path: Path) -> None:
    """Every model refuses unknown keys, so a client of the version before must not meet this."""
    async with serving(settings(tmp_path)) as client:
        await post_beat(client)
        _, body = await post_route(client, {"agent": "clinic-reception", "country": "DE"})
        async with client.get(
            "/v1/state", headers={"Authorization": f"Bearer {OPERATOR}"}
        ) as answer:
            state = await answer.json()
    assert "sip" not in body["candidates"][0]
    assert "sip" not in state["nodes"][0]


@pytest.mark.parametrize(
    "address",
    [
        "sip:a.example.org>\r\nX-Evil: 1",
        "sip:a.example.org\n",
        "sip:user@a.example.org",
        "sip:a.example.org;maddr=evil.example",
        "tel:+496912345678",
        "https://a.example.org",
        "sip:",
    ],
    ids=repr,
)
def test_a_beat_s_address_can_carry_nothing_but_a_host(address: str) -> None:
    with pytest.raises(ValidationError):
        heartbeat(sip=address)
