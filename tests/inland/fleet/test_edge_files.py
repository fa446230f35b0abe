"""What a node that takes calls is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.settings import NodeSettings, load_settings
from infra.cloud_init.document import RecordingsPlace
from inland.fleet.edge_files import (
    edge_settings,
    environment_file,
    password_variables,
    read_phone,
    share,
)
from inland.fleet.errors import Unusable
from inland.fleet.places import Places
from inland.fleet.yaml_text import to_yaml
from regions.policy_keys import policy_key_text
from tests.inland.fleet.documents import EDGE, MACHINE, document

POLICY_KEY = policy_key_text(Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key())
PHONE = """\
trunks:
  - name: carrier
    address: sip:sip.carrier.example.org
    networks: [198.51.100.0/24]
    routes: [eu-central-1]
    username: inland
    password_env: CARRIER_PASSWORD
    national_format: "NO"
numbers:
  - number: "+496912345678"
    tenant: clinic
    agent: reception
codecs: [g722, pcma]
"""


def loaded(tmp_path: Path, phone: str | None = None, **changes: object) -> NodeSettings:
    """``edge.yaml`` written and read again as the edge does."""
    places = Places(run=tmp_path / "run", site=tmp_path / "site", state=tmp_path / "state")
    places.run.mkdir(parents=True)
    (places.site / "agents").mkdir(parents=True)
    if phone is not None:
        (places.site / "phone.yaml").write_text(phone)
    role = EDGE.model_copy(update=changes)
    found = None if phone is None else read_phone(places)
    places.edge.write_bytes(to_yaml(edge_settings(document(role), role, MACHINE, places, found)))
    return load_settings(places.edge)


def test_a_node_is_named_after_region_and_instance_and_reached_at_its_own_name(
    tmp_path: Path,
) -> None:
    settings = loaded(tmp_path)
    assert settings.node == "eu-central-1-i-0123456789abcdef0"
    assert settings.url == "https://eu-central-1-i-0123456789abcdef0.eu.voice.example.org"
    assert (settings.host, settings.port, settings.health_port) == ("0.0.0.0", 443, 8080)
    assert (settings.media_host, settings.advertised_host) == ("10.20.0.10", "203.0.113.10")


def test_calls_are_shared_out_to_a_worker_per_processor(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert (settings.workers, settings.capacity) == (4, 25)


def test_no_more_calls_are_promised_than_the_stack_allows() -> None:
    assert share(10, 4, (20_000, 29_999)).capacity * 4 <= 10
    assert share(2, 64, (20_000, 29_999)).workers == 2


def test_sessions_are_kept_by_tls_and_iam_with_a_user_per_tenant(tmp_path: Path) -> None:
    store = loaded(tmp_path).store
    assert store is not None
    assert (store.redis, store.aws_cache) == (
        "rediss://store.example.org:6379",
        "inland-eu-central-1",
    )
    assert {tenant: user.username for tenant, user in store.users.items()} == EDGE.store.users


def test_keys_of_sessions_are_wrapped_by_a_key_of_kms_for_each_tenant_and_none_for_others(
    tmp_path: Path,
) -> None:
    kms = loaded(tmp_path).keys.kms
    assert kms is not None
    assert kms.account == "111122223333"
    assert kms.key_of("clinic") == "alias/inland/eu-central-1/clinic"
    assert kms.key_of("acme") == "alias/inland/eu-central-1/acme"
    assert kms.key_of("somebody-else") is None


def test_a_node_goes_by_bundles_of_the_stacks_policy_keys_alone(tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    assert loaded(tmp_path / "without").policy is None
    policy = loaded(tmp_path, policy_keys=(POLICY_KEY,)).policy
    assert policy is not None
    assert (policy.keys, policy.file) == ((POLICY_KEY,), None)


def test_the_last_law_that_was_in_force_outlives_a_restart(tmp_path: Path) -> None:
    assert loaded(tmp_path).data.is_relative_to(tmp_path / "state")


def test_recordings_go_to_the_stacks_bucket_under_the_fleets_prefix_or_nowhere(
    tmp_path: Path,
) -> None:
    (tmp_path / "without").mkdir()
    assert loaded(tmp_path / "without").recordings is None
    key = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    place = RecordingsPlace(
        bucket="inland-recordings-x", prefix="edge", account="111122223333", key=key, days=400
    )
    found = loaded(tmp_path, recordings=place).recordings
    assert found is not None
    assert (found.bucket, found.prefix, found.account) == (place.bucket, "edge", "111122223333")
    assert (found.kms_key, found.keep) == (key, 365 * 86_400)


def test_the_audit_log_is_where_a_restart_leaves_it(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert settings.audit.log == tmp_path / "state" / "audit.jsonl"
    assert settings.audit.heads == tmp_path / "state" / "audit.heads"
    assert not settings.audit.log.is_relative_to(settings.data)


def test_a_dedicated_fleet_serves_its_tenant_only(tmp_path: Path) -> None:
    assert loaded(tmp_path, tenants=("acme",)).tenants == ("acme",)


def test_a_shared_fleet_names_no_tenants(tmp_path: Path) -> None:
    assert loaded(tmp_path).tenants is None


def test_calls_for_a_tenant_s_own_fleet_are_sent_to_one_of_its_nodes(tmp_path: Path) -> None:
    users = {"clinic": EDGE.store.users["clinic"]}
    store = EDGE.store.model_copy(update={"users": users})
    sip = loaded(tmp_path, PHONE, tenants=("clinic",), store=store).sip
    assert sip is not None
    assert sip.public_uri == "sip:eu-central-1-i-0123456789abcdef0.eu.voice.example.org"


@pytest.mark.parametrize("key", ["catalogue", "providers"])
def test_a_site_s_own_catalogues_are_used_when_there_are_some(tmp_path: Path, key: str) -> None:
    assert getattr(loaded(tmp_path / "without"), key) is None
    (tmp_path / "with" / "site").mkdir(parents=True)
    path = tmp_path / "with" / "site" / f"{key}.yaml"
    path.touch()
    assert getattr(loaded(tmp_path / "with"), key) == path


def test_the_telephone_listens_on_all_three_transports_with_the_node_s_certificate(
    tmp_path: Path,
) -> None:
    settings = loaded(tmp_path, PHONE)
    assert settings.sip is not None and settings.tls is not None
    assert settings.sip.listen == (
        "udp://10.20.0.10:5060",
        "tcp://10.20.0.10:5060",
        "tls://10.20.0.10:5061",
    )
    assert settings.sip.public_uri == "sip:sip.eu.voice.example.org"
    assert settings.sip.advertised_host == "203.0.113.10"
    assert settings.sip.tls is not None
    assert settings.sip.tls.certificate == settings.tls.certificate


def test_what_the_site_says_of_the_telephone_stays_as_it_is(tmp_path: Path) -> None:
    settings = loaded(tmp_path, PHONE)
    assert settings.sip is not None
    assert settings.sip.codecs == ("g722", "pcma")
    assert settings.sip.trunks[0].national_format == "NO"
    assert settings.sip.numbers[0].number == "+496912345678"
    assert password_variables(settings.sip) == {"CARRIER_PASSWORD"}


@pytest.mark.parametrize("ports", [(20_000, 29_999), (20_001, 29_998), (20_001, 29_999)])
@pytest.mark.parametrize("cpus", [1, 2, 3, 64])
def test_ports_of_webrtc_and_of_the_telephone_never_meet(ports: tuple[int, int], cpus: int) -> None:
    found = share(100, cpus, ports)
    first, last = found.sip_ports
    assert found.media_port == ports[0]
    assert found.media_port + found.workers <= first
    assert last <= ports[1]
    assert first % 2 == 0 and last % 2 == 1


@pytest.mark.parametrize("key", ["listen: ['udp://0.0.0.0:5060']", "media_ports: [3000, 3999]"])
def test_a_site_that_says_what_only_the_node_knows_is_refused(tmp_path: Path, key: str) -> None:
    (tmp_path / "phone.yaml").write_text(f"{PHONE}{key}\n")
    with pytest.raises(Unusable, match="every node has its own"):
        read_phone(Places(run=tmp_path, site=tmp_path))


def test_a_stack_with_telephone_and_a_site_without_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"phone\.yaml: cannot be read"):
        read_phone(Places(run=tmp_path, site=tmp_path))


def test_callers_are_sent_to_the_relays_of_a_stack_that_has_some(tmp_path: Path) -> None:
    turn = loaded(tmp_path, turn_secret="inland/eu-central-1/turn").turn
    assert turn is not None
    assert turn.urls == (
        "turn:turn.eu.voice.example.org:3478",
        "turns:turn.eu.voice.example.org:5349?transport=tcp",
    )
    assert turn.secret_file == tmp_path / "run" / "turn-secret"


def test_a_stack_without_relays_has_no_turn(tmp_path: Path) -> None:
    assert loaded(tmp_path).turn is None


def test_a_machine_without_a_public_address_takes_no_calls(tmp_path: Path) -> None:
    from dataclasses import replace

    places = Places(run=tmp_path, site=tmp_path)
    with pytest.raises(Unusable, match="public IPv4"):
        edge_settings(document(), EDGE, replace(MACHINE, public_ipv4=None), places, None)


def test_passwords_pass_through_systemd_s_quoting() -> None:
    text = environment_file({"A": 'x "$HOME" `id` \\ #;', "B": "plain"})
    assert text == b'A="x \\"\\$HOME\\" \\`id\\` \\\\ #;"\nB="plain"\n'


def test_a_password_cannot_add_a_variable() -> None:
    with pytest.raises(Unusable, match="control characters") as refused:
        environment_file({"A": "hunter2\nLD_PRELOAD=x"})
    assert "hunter2" not in str(refused.value)
