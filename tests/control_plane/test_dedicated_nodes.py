"""A tenant with nodes of its own, over a socket, against the whole control plane."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml

from control_plane.settings import Settings
from tests.control_plane.helpers import (
    CLINIC,
    DEMO_TENANTS,
    OPERATOR,
    heartbeat,
    node_secret,
    post_beat,
    post_phone_route,
    post_route,
    serving,
    settings,
)

WEB = {"agent": "clinic-reception", "country": "DE"}
PHONE = {"tenant": "demo-clinic", "agent": "clinic-reception", "dialled_country": "DE"}
OWN = ("demo-clinic",)


@pytest.fixture
def dedicated(tmp_path: Path) -> Settings:
    """The demo's tenants, of which the clinic has nodes of its own."""
    tenants = yaml.safe_load(DEMO_TENANTS.read_text())
    (clinic,) = (one for one in tenants["tenants"] if one["id"] == "demo-clinic")
    clinic["isolation"] = "dedicated"
    path = tmp_path / "tenants.yaml"
    path.write_text(yaml.safe_dump(tenants))
    return settings(tmp_path, tenants=path)


def claims(body: dict[str, Any]) -> dict[str, Any]:
    return jwt.decode(body["token"], options={"verify_signature": False})


async def test_its_callers_go_to_its_nodes_and_its_token_says_so(dedicated: Settings) -> None:
    async with serving(dedicated) as client:
        await post_beat(client, node="shared")
        await post_beat(client, node="banks", tenants=("demo-bank",))
        await post_beat(client, "eu-west-1", node="own", tenants=OWN)
        status, body = await post_route(client, WEB)
    assert status == 200
    assert [c["node"] for c in body["candidates"]] == ["own"]
    assert claims(body)["ded"] is True


async def test_without_a_node_of_its_own_nobody_else_serves_it(dedicated: Settings) -> None:
    async with serving(dedicated) as client:
        await post_beat(client, node="shared")
        await post_beat(client, node="banks", tenants=("demo-bank",))
        await post_beat(client, node="own", tenants=OWN, draining=True)
        status, body = await post_route(client, WEB)
    assert (status, body["code"]) == (503, "no_region_available")
    (verdict,) = [v for v in body["regions"] if v["region"] == "eu-central-1"]
    words = "; no node can take a call: 1 draining, 1 kept for other tenants, 1 shared by tenants"
    assert verdict["reason"].endswith(words)


async def test_a_pooled_tenants_token_has_no_claim_that_an_older_edge_would_refuse(
    tmp_path: Path,
) -> None:
    async with serving(settings(tmp_path)) as client:
        await post_beat(client, node="own", tenants=OWN, capacity=1000)
        await post_beat(client, node="banks", tenants=("demo-bank",))
        await post_beat(client, node="shared")
        _, body = await post_route(client, WEB)
    assert sorted(c["node"] for c in body["candidates"]) == ["own", "shared"]
    assert "ded" not in claims(body)


async def test_a_phone_call_of_it_stays_only_at_a_node_that_names_it(dedicated: Settings) -> None:
    async with serving(dedicated) as client:
        await post_beat(client, node="shared", sip="sip:shared.example.org")
        nobody = [await post_phone_route(client, PHONE, node=n) for n in ("shared", "unheard-of")]
        await post_beat(client, node="own", tenants=OWN, sip="sip:own.example.org")
        elsewhere = await post_phone_route(client, PHONE, node="shared")
        here = await post_phone_route(client, PHONE, node="own")
        async with client.get("/v1/state", headers=CLINIC) as answer:
            placed = {n["node"]: n["in_flight"] for n in (await answer.json())["nodes"]}
    assert [(status, body["code"]) for status, body in nobody] == [
        (503, "no_region_available"),
        (503, "no_region_available"),
    ]
    for status, body in (elsewhere, here):
        assert status == 200
        assert [c["sip"] for c in body["candidates"]] == ["sip:own.example.org"]
        assert claims(body)["ded"] is True
    assert placed == {"shared": 0, "own": 2}


async def test_only_the_operator_learns_whose_nodes_they_are(dedicated: Settings) -> None:
    async with serving(dedicated) as client:
        await post_beat(client, node="own", tenants=OWN)
        await post_beat(client, node="shared")
        seen = []
        for headers in (CLINIC, {"Authorization": f"Bearer {OPERATOR}"}):
            async with client.get("/v1/state", headers=headers) as answer:
                nodes = (await answer.json())["nodes"]
                seen.append({node["node"]: node.get("tenants") for node in nodes})
    assert seen == [
        {"own": None, "shared": None},
        {"own": ["demo-clinic"], "shared": None},
    ]


@pytest.mark.parametrize("tenants", [[], ["Clinic"], "demo-clinic", ["a"] * 65])
async def test_a_beat_that_names_no_tenants_properly_is_refused(
    dedicated: Settings, tenants: Any
) -> None:
    body = heartbeat().model_dump(mode="json", exclude_none=True) | {"tenants": tenants}
    async with (
        serving(dedicated) as client,
        client.post(
            f"/v1/nodes/{body['node']}/beat",
            json=body,
            headers={"Authorization": f"Bearer {node_secret('eu-central-1')}"},
        ) as answer,
    ):
        assert answer.status == 400
        assert "tenants" in (await answer.json())["detail"]
