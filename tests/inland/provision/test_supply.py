"""Secrets and bundles: what no stack holds, put where nodes look for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge.session.keys import LocalKeyFile
from inland.provision.cloud import Cloud
from inland.provision.errors import CloudFailed, GateClosed
from inland.provision.placed import SECRET
from inland.provision.supply import read_phone, supply_bundles, supply_secrets
from tests.inland.provision.clouds import ACCOUNT, REGION, SOFTWARE, client, graph, resource, value


def test_every_empty_secret_gets_a_value_and_a_second_time_none_changes(cloud: Cloud) -> None:
    first = list(supply_secrets(cloud, graph()))
    assert {one.outcome for one in first} == {"filled"}
    kept = {name: value(name) for name in ("node-secret", "region-key", "turn", "phone")}
    assert None not in kept.values()
    second = list(supply_secrets(cloud, graph()))
    assert {one.outcome for one in second} == {"has a value"}
    assert kept == {name: value(name) for name in kept}


def test_the_node_secret_s_digest_is_told_and_nothing_else_is(cloud: Cloud) -> None:
    told = {one.what: one.sha256 for one in supply_secrets(cloud, graph())}
    secret = value("node-secret")
    assert secret is not None
    digest = hashlib.sha256(secret.encode()).hexdigest()
    assert {name: found for name, found in told.items() if found} == {
        f"inland/{REGION}/node-secret": digest
    }


def test_the_region_key_is_a_key_file_of_this_region(cloud: Cloud, tmp_path: Path) -> None:
    list(supply_secrets(cloud, graph()))
    path = tmp_path / "region.key"
    path.write_text(value("region-key") or "")
    path.chmod(0o600)
    assert LocalKeyFile.open(path, REGION).region == REGION


def test_phone_passwords_that_are_given_replace_the_former_ones(cloud: Cloud) -> None:
    list(supply_secrets(cloud, graph()))
    assert value("phone") == "{}"
    done = list(supply_secrets(cloud, graph(), phone={"CARRIER_PASSWORD": "x"}))
    assert [one.outcome for one in done if one.what.endswith("/phone")] == ["replaced"]
    assert json.loads(value("phone") or "") == {"CARRIER_PASSWORD": "x"}


def test_a_signing_key_is_an_ed25519_key(cloud: Cloud) -> None:
    name = f"inland/control-plane/{REGION}/a/signing-key"
    client("secretsmanager").create_secret(Name=name)
    list(supply_secrets(cloud, graph(resource(SECRET, "signing", name=name))))
    pem = client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    assert isinstance(load_pem_private_key(pem.encode(), None), Ed25519PrivateKey)


def test_without_an_operator_key_its_secret_is_named_as_empty(cloud: Cloud) -> None:
    name = f"inland/control-plane/{REGION}/operator-key"
    client("secretsmanager").create_secret(Name=name)
    wanted = graph(resource(SECRET, "operator", name=name))
    (found,) = [one for one in supply_secrets(cloud, wanted) if one.what == name]
    assert found.outcome == "EMPTY: give --operator-key FILE"
    (found,) = [
        one for one in supply_secrets(cloud, wanted, operator_sha256="0" * 64) if one.what == name
    ]
    assert found.outcome == "filled"


def test_a_secret_that_is_not_there_is_refused_in_words(cloud: Cloud) -> None:
    missing = graph(resource(SECRET, "later", name=f"inland/{REGION}/turn-later/turn"))
    with pytest.raises(CloudFailed, match=r"turn-later.*ResourceNotFoundException"):
        list(supply_secrets(cloud, missing))


def test_a_secret_of_an_unknown_kind_is_not_filled_with_a_guess(cloud: Cloud) -> None:
    name = f"inland/{REGION}/mystery"
    client("secretsmanager").create_secret(Name=name)
    with pytest.raises(CloudFailed, match="knows how to fill"):
        list(supply_secrets(cloud, graph(resource(SECRET, "mystery", name=name))))


def test_a_bundle_lies_under_its_digest_in_the_software_bucket(
    cloud: Cloud, tmp_path: Path
) -> None:
    bundle = tmp_path / "release.tar"
    bundle.write_bytes(b"wheels")
    digest = hashlib.sha256(b"wheels").hexdigest()
    (done,) = supply_bundles(cloud, graph(), {digest: bundle})
    assert done.outcome == "uploaded"
    found = client("s3").get_object(Bucket=SOFTWARE, Key=f"software/{digest}.tar")
    assert found["Body"].read() == b"wheels"


def test_another_bundle_than_the_stack_names_is_not_sent(cloud: Cloud, tmp_path: Path) -> None:
    bundle = tmp_path / "release.tar"
    bundle.write_bytes(b"others")
    with pytest.raises(GateClosed, match="the stack file names"):
        list(supply_bundles(cloud, graph(), {"0" * 64: bundle}))
    assert "Contents" not in client("s3").list_objects_v2(Bucket=SOFTWARE)


@pytest.mark.parametrize("text", ["[]", '{"A": 1}', "not json, but a password"])
def test_a_wrong_file_of_passwords_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "phone.json"
    path.write_text(text)
    with pytest.raises(GateClosed) as refused:
        read_phone(path)
    assert text not in str(refused.value)


def test_credentials_of_another_account_are_refused(cloud: Cloud) -> None:
    cloud.require_account(ACCOUNT, REGION)
    with pytest.raises(CloudFailed, match="choose the profile"):
        cloud.require_account("111122223333", REGION)
