"""``inland edge --check`` finds the files that a node could not start with."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.check import node_problems
from edge.session.errors import KeyFileError
from edge.session.keys import LocalKeyFile
from edge.settings import NodeSettings
from tests.edge.transport.sip.net.certificates import Authority

EU = "eu-central-1"
NOW = datetime.now(UTC)


def problems(tmp_path: Path, now: datetime = NOW, **changes: Any) -> tuple[str, ...]:
    settings = NodeSettings(
        node="n",
        region=EU,
        data=tmp_path,
        agents=tmp_path,
        control_planes=("http://127.0.0.1:1",),
        **changes,
    )
    return node_problems(settings, now)


def test_a_node_with_files_that_fit_has_no_problems(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue("node.example.org")
    LocalKeyFile.open(tmp_path / "region.key", EU)
    password = tmp_path / "clinic.password"
    password.write_text("secret")
    store = {
        "redis": "redis://127.0.0.1",
        "users": {"clinic": {"username": "inland-clinic", "password_file": password}},
    }
    tls = {"certificate": files.certificate, "key": files.key}
    assert problems(tmp_path, tls=tls, key_file=tmp_path / "region.key", store=store) == ()
    assert problems(tmp_path) == ()


def test_a_certificate_that_is_missing_or_no_good_is_said_with_its_file(tmp_path: Path) -> None:
    one, other = (Authority(tmp_path).issue("node.example.org") for _ in range(2))
    old = Authority(tmp_path).issue("node.example.org", days=-1)
    cases = [
        (tmp_path / "none.pem", one.key, "tls: .*none.pem: No such file"),
        (one.certificate, tmp_path / "none.key", "tls: .*none.key: No such file"),
        (one.certificate, other.key, "tls: .*key values mismatch"),
        (one.key, one.key, "tls: .*no certificate with its key"),
        (old.certificate, old.key, "tls: .*ran out at .* UTC: put a newer one there"),
    ]
    for certificate, key, words in cases:
        (problem,) = problems(tmp_path, tls={"certificate": certificate, "key": key})
        assert re.search(words, problem), problem


def test_a_certificate_counts_until_it_runs_out(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue("node.example.org")
    tls = {"certificate": files.certificate, "key": files.key}
    assert problems(tmp_path, NOW + timedelta(hours=23), tls=tls) == ()
    assert problems(tmp_path, NOW + timedelta(hours=25), tls=tls) != ()


def test_a_key_file_that_is_named_is_never_made(tmp_path: Path) -> None:
    """Two nodes that each made one could not open one another's sessions."""
    path = tmp_path / "region.key"
    (problem,) = problems(tmp_path, key_file=path)
    assert problem.startswith("key_file: ") and "No such file" in problem
    with pytest.raises(KeyFileError, match="No such file"):
        LocalKeyFile.open(path, EU, make=False)
    assert not path.exists()
    LocalKeyFile.open(path, "ap-south-1")
    (problem,) = problems(tmp_path, key_file=path)
    assert "holds the key of region ap-south-1" in problem


def test_a_store_with_files_that_are_not_there_is_said_by_key(tmp_path: Path) -> None:
    store = {
        "redis": "rediss://store.example.org",
        "ca": tmp_path / "ca.pem",
        "users": {"clinic": {"username": "inland-clinic", "password_file": tmp_path / "x"}},
    }
    watched = {
        "sentinels": [f"rediss://s{n}.example.org" for n in (1, 2, 3)],
        "sentinel_user": {"username": "inland_node", "password_file": tmp_path / "y"},
        "master": "inland",
        "nodes": ["rediss://r1.example.org", "rediss://r2.example.org"],
    }
    _, _, node = problems(tmp_path, store=store | watched | {"redis": None})
    assert node.startswith("store.sentinel_user.password_file: ")
    ca, password = problems(tmp_path, store=store)
    assert ca.startswith("store.ca: ")
    assert password.startswith("store.users.clinic.password_file: ")
