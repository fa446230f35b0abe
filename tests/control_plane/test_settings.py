from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError

from control_plane.auth import Secrets
from control_plane.errors import KeyFileError, SettingsError
from control_plane.server import serve
from control_plane.settings import Settings, read_settings
from regions.errors import ConfigError
from regions.policy_keys import policy_key_text
from tests.control_plane.bundles import KEY
from tests.control_plane.helpers import CATALOGUE, settings, sha256

PUBLIC = policy_key_text(KEY.public_key())


def test_flags_beat_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    path = tmp_path / "control-plane.yaml"
    path.write_text("host: 127.0.0.2\nport: 1\nidle_seconds: 30\n")
    environment = {"INLAND_CONTROL_PORT": "2", "INLAND_CONTROL_HOST": "127.0.0.3"}
    found = read_settings(path, environment, {"port": 3, "host": None})
    assert (found.host, found.port, found.idle_seconds) == ("127.0.0.3", 3, 30)


def test_paths_in_a_file_are_relative_to_that_file(tmp_path: Path) -> None:
    path = tmp_path / "control-plane.yaml"
    path.write_text("tenants: t.yaml\nkey_file: /etc/inland.key\npublished_keys: [old.pem]\n")
    found = read_settings(path, {}, {})
    assert found.tenants == tmp_path / "t.yaml"
    assert found.key_file == Path("/etc/inland.key")
    assert found.published_keys == (tmp_path / "old.pem",)


def test_paths_of_the_policy_are_relative_to_the_file_too(tmp_path: Path) -> None:
    path = tmp_path / "control-plane.yaml"
    path.write_text(f'policy: {{bundle: law/b, keys: ["{PUBLIC}"]}}\n')
    found = read_settings(path, {}, {}).policy
    assert found is not None
    assert (found.bundle, found.state) == (tmp_path / "law/b", tmp_path / "policy.state")
    assert found.keys == (PUBLIC,)


def test_the_environment_gives_the_policy_as_json() -> None:
    text = f'{{"bundle": "/etc/law", "keys": ["{PUBLIC}"]}}'
    found = read_settings(None, {"INLAND_CONTROL_POLICY": text}, {}).policy
    assert found is not None
    assert (found.bundle, found.keys) == (Path("/etc/law"), (PUBLIC,))


@pytest.mark.parametrize("keys", ["[]", '["ed25519:AAAA"]', f'["{PUBLIC[8:]}"]'])
def test_a_policy_without_a_key_that_can_verify_it_is_named(tmp_path: Path, keys: str) -> None:
    path = tmp_path / "control-plane.yaml"
    path.write_text(f"policy: {{bundle: b, keys: {keys}}}\n")
    with pytest.raises(ConfigError, match=r"control-plane\.yaml:1: policy\.keys"):
        read_settings(path, {}, {})


def test_the_environment_alone_is_enough() -> None:
    digest = sha256("x")
    found = read_settings(
        None,
        {
            "INLAND_CONTROL_TENANTS": "/etc/tenants.yaml",
            "INLAND_CONTROL_NODE_SECRETS": f'{{"eu-central-1": "{digest}"}}',
            "INLAND_CONTROL_TRUST_COUNTRY_HEADER": "CF-IPCountry",
            "INLAND_CONTROL_OPERATOR_KEY": "",
        },
        {},
    )
    assert found.tenants == Path("/etc/tenants.yaml")
    assert found.node_secrets == {"eu-central-1": (digest,)}
    assert found.trust_country_header == "CF-IPCountry"
    assert found.operator_key is None


def test_by_default_it_listens_on_loopback_and_trusts_no_header() -> None:
    found = Settings()
    assert (found.host, found.trust_country_header, found.trusted_proxies) == ("127.0.0.1", None, 0)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"INLAND_CONTROL_PORT": "70000"}, "port .*INLAND_CONTROL_PORT"),
        ({"INLAND_CONTROL_PORT": "http"}, "port"),
        ({"INLAND_CONTROL_TRUST_COUNTRY_HEADER": "X-Country"}, "trust_country_header"),
        ({"INLAND_CONTROL_NODE_SECRETS": "eu=1"}, "INLAND_CONTROL_NODE_SECRETS: not JSON"),
        ({"INLAND_CONTROL_OPERATOR_KEY": "plain"}, "operator_key"),
    ],
)
def test_a_wrong_variable_is_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read_settings(None, environment, {})


def test_a_wrong_key_in_the_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "control-plane.yaml"
    path.write_text("port: 7000\nhots: 127.0.0.1\n")
    with pytest.raises(ConfigError, match=r"control-plane\.yaml:2"):
        read_settings(path, {}, {})


def test_two_regions_may_not_share_a_node_secret() -> None:
    same = (sha256("x"),)
    with pytest.raises(ValidationError, match="stands twice"):
        Settings(node_secrets={"eu-central-1": same, "ap-south-1": same})


def test_a_region_may_have_several_node_secrets(tmp_path: Path) -> None:
    path = tmp_path / "control-plane.yaml"
    path.write_text(f"node_secrets: {{eu-central-1: [{sha256('old')}, {sha256('new')}]}}\n")
    secrets = Secrets(read_settings(path, {}, {}).node_secrets, None)
    assert secrets.region_of("old") == secrets.region_of("new") == "eu-central-1"
    assert secrets.region_of("other") is None


async def test_a_node_secret_for_an_unknown_region_stops_the_start(tmp_path: Path) -> None:
    wanted = settings(tmp_path, node_secrets={"moon-base-1": sha256("x")})
    assert "moon-base-1" not in {region.id for region in CATALOGUE.regions}
    with pytest.raises(SettingsError, match="moon-base-1"):
        await serve(wanted, asyncio.Event())


async def test_missing_files_stop_the_start_and_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        await serve(settings(tmp_path, tenants=tmp_path / "nowhere.yaml"), asyncio.Event())
    with pytest.raises(KeyFileError, match=r"gone\.pem"):
        await serve(settings(tmp_path, published_keys=(tmp_path / "gone.pem",)), asyncio.Event())
