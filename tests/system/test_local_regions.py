"""`inland regions up --target local`: regions as namespaces, with real barriers between them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inland.provision.project import copy_projects

PREFIX = "ilt"
EU, IN = "10.16.0.10", "10.32.0.10"
EU_STORE, IN_STORE = "10.16.128.10", "10.32.128.10"
CONTROL = "10.0.0.10"

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root"),
    *(
        pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")
        for tool in ("ip", "nft", "redis-server", "flite")
    ),
]


def inland(*arguments: str, seconds: int = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inland", *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two regions and their control plane; the folder that they run from."""
    folder = tmp_path_factory.mktemp("regions")
    copy_projects(folder / "project")
    data = folder / "data"
    place = ("--project", str(folder / "project"), "--data", str(data), "--prefix", PREFIX)
    done = inland("regions", "up", "eu-central-1", "ap-south-1", "--target", "local", *place)
    assert done.returncode == 0, done.stderr
    yield data
    ended = inland(
        "regions", "down", "--target", "local", "--data", str(data), "--erase-data", "--yes"
    )
    assert ended.returncode == 0, ended.stderr
    assert PREFIX not in subprocess.check_output(["ip", "netns"], text=True)
    assert not data.exists()


def reaches(namespace: str, address: str, port: int) -> bool:
    """Whether a TCP connection from a namespace is taken; a refusal by a barrier is at once."""
    script = f"import socket; socket.create_connection(({address!r}, {port}), 10)"
    command = ["ip", "netns", "exec", f"{PREFIX}-{namespace}", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "timed out" not in done.stderr, "a barrier drops where it should refuse"
    return done.returncode == 0


def barriers(data: Path) -> dict[str, int]:
    done = inland("regions", "status", "--target", "local", "--data", str(data), "--json")
    lines = json.loads(done.stdout)["lines"]
    assert all(line["ok"] for line in lines), lines
    return {
        line["name"]: int(line["detail"].split()[0]) for line in lines if line["what"] == "barrier"
    }


def test_a_caller_books_in_their_own_region(regions: Path) -> None:
    done = inland(
        "call",
        "--control-plane",
        f"http://{CONTROL}:7000",
        "--from",
        "IN",
        "--json",
        "--say",
        "what are your opening hours",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["region"] for one in records if one["record"] == "connected"} == {"ap-south-1"}


def test_a_tenant_with_a_fleet_of_its_own_is_served_by_that_alone(regions: Path) -> None:
    done = inland(
        *("call", "--control-plane", f"http://{CONTROL}:7000", "--from", "DE", "--json"),
        *("--key", "sk_demo_bank_local_only", "--agent", "bank-callback"),
        *("--say", "arrange a callback"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    nodes = {one["node"] for one in records if one["record"] == "connected"}
    assert nodes == {"eu-central-1-demo-bank"}


def test_a_node_reaches_its_store_and_the_control_plane(regions: Path) -> None:
    assert reaches("eu-central-1-node", EU_STORE, 6379)
    assert reaches("eu-central-1-node", CONTROL, 7000)
    assert reaches("callers", EU, 7100)


@pytest.mark.parametrize(
    ("namespace", "address", "port"),
    [
        ("eu-central-1-node", IN, 7100),
        ("eu-central-1-node", IN_STORE, 6379),
        ("ap-south-1-node", EU_STORE, 6379),
        ("ap-south-1-store", EU_STORE, 6379),
        ("eu-central-1-store", CONTROL, 7000),
        ("callers", EU_STORE, 6379),
        ("callers", EU, 22),
        ("control-eu-central-1-a", EU, 7100),
        ("control-eu-central-1-a", EU_STORE, 6379),
        ("eu-central-1", IN, 7100),
    ],
)
def test_what_no_rule_names_is_refused_at_once(
    regions: Path, namespace: str, address: str, port: int
) -> None:
    assert not reaches(namespace, address, port)


def test_what_a_node_tries_is_counted(regions: Path) -> None:
    before = barriers(regions)
    assert not reaches("eu-central-1-node", IN, 7100)
    after = barriers(regions)
    changed = [name for name in after if after[name] > before[name]]
    assert changed == [f"{PREFIX}-eu-central-1-node"]


def test_a_second_barrier_stands_behind_the_node_s_own(regions: Path) -> None:
    node = ["ip", "netns", "exec", f"{PREFIX}-ap-south-1-node"]
    rules = subprocess.check_output([*node, "nft", "list", "ruleset"], text=True)
    subprocess.run([*node, "nft", "flush", "ruleset"], check=True)
    try:
        before = subprocess.check_output([*node, "nft", "list", "ruleset"], text=True)
        assert before == ""
        assert not reaches("ap-south-1-node", EU, 7100)
        assert not reaches("ap-south-1-node", EU_STORE, 6379)
    finally:
        subprocess.run([*node, "nft", "-f", "-"], input=rules, text=True, check=True)


def test_a_second_up_over_the_first_is_refused(regions: Path) -> None:
    place = ("--project", str(regions.parent / "project"), "--prefix", PREFIX)
    done = inland(
        "regions",
        "up",
        "eu-central-1",
        "--target",
        "local",
        *place,
        "--data",
        str(regions.parent / "other"),
    )
    assert done.returncode == 1
    assert "is there already" in done.stderr


def test_a_tenant_s_user_sees_no_other_tenant_s_keys(regions: Path) -> None:
    password = (regions / "eu-central-1" / "passwords" / "demo-clinic").read_text()
    script = f"""
import redis, sys
ca = {str(regions / "ca.pem")!r}
user = {{"username": "inland-demo-clinic", "password": sys.stdin.read()}}
store = redis.Redis(host={EU_STORE!r}, port=6379, ssl=True, ssl_ca_certs=ca, **user)
try:
    store.hset("inland:demo-bank:{{s}}", "a", "b")
except redis.exceptions.NoPermissionError:
    print("refused")
"""
    command = ["ip", "netns", "exec", f"{PREFIX}-eu-central-1-node", sys.executable, "-c", script]
    done = subprocess.run(
        command, input=password, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "refused"


def test_a_part_of_what_runs_together_cannot_be_ended_alone(regions: Path) -> None:
    done = inland("regions", "down", "ap-south-1", "--target", "local", "--data", str(regions))
    assert done.returncode == 2
    assert "end together" in done.stderr
    assert barriers(regions), "everything still runs"
