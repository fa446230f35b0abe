from __future__ import annotations

from typing import Any

import pytest

from edge.production import production_problems
from edge.settings import NodeSettings

SOUND: dict[str, Any] = {
    "node": "a",
    "region": "eu-central-1",
    "public_url": "https://a.example.org",
    "data": "/var/lib/inland",
    "agents": "/etc/inland/agents",
    "control_planes": ["https://control.example.org"],
    "store": {
        "redis": "rediss://store.example.org",
        "users": {"clinic": {"username": "inland-clinic", "password_file": "/etc/inland/clinic"}},
    },
}


def problems(**changes: object) -> tuple[str, ...]:
    return production_problems(NodeSettings.model_validate(SOUND | changes))


def store(address: str) -> Any:
    return SOUND["store"] | {"redis": address}


def watched(**changes: Any) -> Any:
    return {
        "users": SOUND["store"]["users"],
        "sentinels": [f"rediss://s{n}.example.org" for n in (1, 2, 3)],
        "master": "inland",
        "nodes": ["rediss://r1.example.org", "rediss://r2.example.org"],
    } | changes


PLAIN = [f"redis://{n}.example.org" for n in (1, 2, 3)]


def test_a_node_with_tls_everywhere_may_serve() -> None:
    assert problems() == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"public_url": None, "tls": {"certificate": "/c.pem", "key": "/c.key"}},
        {"control_planes": ["http://127.0.0.1:7000", "http://[::1]:7000"]},
        {"store": store("redis://127.0.0.1:6379")},
        {"store": store("unix:///run/redis.sock")},
        {"store": watched()},
        {"store": None},
    ],
)
def test_what_does_not_leave_the_machine_needs_no_tls(changes: dict[str, Any]) -> None:
    assert problems(**changes) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"drills": True}, "drills: "),
        ({"public_url": "http://a.example.org"}, "public_url: "),
        ({"public_url": None}, "public_url: "),
        ({"store": store("redis://store.example.org")}, "store.redis: "),
        ({"keys": {"redis": "redis://keys.example.org"}}, "keys.redis: "),
        ({"store": watched(sentinels=PLAIN)}, "store.sentinels: "),
        ({"store": watched(nodes=PLAIN)}, "store.nodes: "),
        (
            {"store": watched(), "keys": {"master": "keys", "nodes": PLAIN}},
            "keys.nodes: ",
        ),
        (
            {"control_planes": ["https://control.example.org", "http://192.0.2.1:7000"]},
            "control_planes[1]: ",
        ),
    ],
)
def test_what_only_a_rehearsal_may_do_is_refused_by_its_key(
    changes: dict[str, Any], said: str
) -> None:
    (problem,) = problems(**changes)
    assert problem.startswith(said)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert len(problems(drills=True, public_url=None, store=store("redis://192.0.2.1"))) == 3
