"""A receipt names every server that the store may be on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.settings import NodeSettings
from edge.worker_receipts import store_place

USERS = {"clinic": {"username": "inland-clinic", "password_file": "/run/clinic"}}
WATCHED = {
    "sentinels": [f"rediss://s{n}.example.org" for n in (1, 2, 3)],
    "master": "inland",
    "nodes": ["rediss://r1.example.org", "rediss://[2001:db8::1]:6380"],
}


@pytest.mark.parametrize(
    ("store", "name", "endpoint"),
    [
        (None, "sqlite", ""),
        ({"redis": "unix:///run/redis.sock"}, "redis", "unix:"),
        ({"redis": "redis://R.example.org"}, "redis", "redis://r.example.org:6379"),
        (WATCHED, "redis", "rediss://r1.example.org:6379,rediss://[2001:db8::1]:6380"),
    ],
)
def test_the_store_is_in_the_nodes_region_at_the_servers_of_its_settings(
    tmp_path: Path, store: dict[str, Any] | None, name: str, endpoint: str
) -> None:
    settings = NodeSettings.model_validate(
        {
            "node": "a",
            "region": "eu-central-1",
            "data": tmp_path,
            "agents": tmp_path,
            "control_planes": ["http://127.0.0.1:7000"],
            "store": store and store | {"users": USERS},
        }
    )
    place = store_place(settings)
    assert (place.kind, place.name, place.region) == ("store", name, "eu-central-1")
    assert place.endpoint == endpoint
