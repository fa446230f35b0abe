"""The bench of the session store: a file, or the Redis of a node's settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inland.__main__ import main
from tests.edge.session.redis_server import redis_server

FEW = ("--sessions", "3", "--turns", "2", "--json")


def settings(folder: Path, store: Any) -> str:
    path = folder / "edge.yaml"
    path.write_text(
        json.dumps(
            {
                "node": "a",
                "region": "eu-central-1",
                "data": str(folder),
                "agents": str(folder),
                "control_planes": ["http://127.0.0.1:9"],
                "store": store,
            }
        )
    )
    return str(path)


def test_without_settings_a_file_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "store", *FEW]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["store"], found["commits"], found["sessions"]) == ("SQLite", 6, 3)
    assert 0 < found["p50"] <= found["p99"] <= found["max"]
    assert found["targets"][0]["bound"] == 5


def test_the_redis_of_a_node_is_measured_as_its_first_tenant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with redis_server() as server:
        store = server.settings("clinic").model_dump(mode="json", exclude_none=True)
        config = settings(tmp_path, store)
        assert main(["bench", "store", "--config", config, *FEW[:-1]]) == 0
        assert "Redis by a unix socket" in capsys.readouterr().out
        with server.admin() as admin:
            keys = admin.keys()
            assert len([key for key in keys if key.endswith(b":journal")]) == 3
            assert all(0 < admin.ttl(key) <= 600 for key in keys)
        server.kill()
        assert main(["bench", "store", "--config", config, *FEW]) == 1
        assert "cannot be reached" in capsys.readouterr().err
