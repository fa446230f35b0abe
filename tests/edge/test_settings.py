"""What a node is told: the keys of a provisioned node, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.settings import NodeSettings, load_settings
from regions.strict_yaml import ConfigError

LEAST = """\
node: eu-central-1-a
region: eu-central-1
data: /var/lib/inland
agents: /etc/inland/agents
control_planes: [http://127.0.0.1:7000]
"""
PROVISIONED = """\
host: 0.0.0.0
port: 443
tls: {certificate: /run/inland/tls.pem, key: /run/inland/tls.key}
public_url: https://node.eu-central-1.example.org
health_host: 0.0.0.0
health_port: 8080
key_file: /run/inland/region.key
tenants: [clinic]
store:
  redis: rediss://store.example.org:6379
  aws_cache: inland-eu-central-1
  users: {clinic: {username: inland-clinic}}
"""


def settings(tmp_path: Path, text: str) -> NodeSettings:
    path = tmp_path / "edge.yaml"
    path.write_text(LEAST + text)
    return load_settings(path)


def test_a_provisioned_node_is_told_everything_in_one_file(tmp_path: Path) -> None:
    found = settings(tmp_path, PROVISIONED)
    assert found.tls is not None and found.tls.key == Path("/run/inland/tls.key")
    assert (found.health_host, found.health_port) == ("0.0.0.0", 8080)
    assert found.key_path == Path("/run/inland/region.key")
    assert found.tenants == ("clinic",)
    assert found.store is not None and found.store.users["clinic"].username == "inland-clinic"
    # A worker is told the same, as JSON.
    assert NodeSettings.model_validate(found.model_dump(mode="json")) == found


def test_without_these_keys_a_node_is_what_it_was(tmp_path: Path) -> None:
    found = settings(tmp_path, "")
    assert (found.tls, found.health_port, found.store, found.tenants) == (None,) * 4
    assert found.key_path == Path("/var/lib/inland/region.key")
    assert found.url == "http://127.0.0.1:7100"


def test_a_node_that_serves_https_says_so_to_callers(tmp_path: Path) -> None:
    found = settings(tmp_path, "tls: {certificate: a.pem, key: a.key}\n")
    assert found.url == "https://127.0.0.1:7100"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tls: {certificate: a.pem}\n", "tls.key"),
        ("tenants: []\n", "tenants"),
        ("health_port: 70000\n", "health_port"),
        (PROVISIONED.replace("[clinic]", "[clinic, bank]"), "no user for bank of tenants"),
        (PROVISIONED.replace("rediss", "redis"), "aws_cache: logging in by IAM takes TLS"),
        (PROVISIONED + "  password: x\n", "password"),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        settings(tmp_path, text)
