from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from control_plane.errors import SettingsError
from control_plane.tenants import PublishableKey, Tenants, load_tenants
from regions.errors import ConfigError
from tests.control_plane.helpers import CATALOGUE, DEMO_TENANTS, sha256

GOOD = f"""
tenants:
  - id: acme
    name: Acme
    policy:
      regions: [eu-central-1]
    default_country: "DE"
    agents:
      desk: {{country: "DE", jurisdictions: [eea]}}
    secret_keys:
      - sha256: "{sha256("sk_acme_secret")}"
    publishable_keys:
      - key: pk_acme_site
        origins: ["https://acme.example"]
    rate: {{per_second: 1, burst: 2}}
"""


def load(tmp_path: Path, text: str) -> Tenants:
    path = tmp_path / "tenants.yaml"
    path.write_text(text)
    return load_tenants(path, CATALOGUE)


def test_a_key_finds_its_tenant(tmp_path: Path) -> None:
    tenants = load(tmp_path, GOOD)
    secret, public = tenants.grant("sk_acme_secret"), tenants.grant("pk_acme_site")
    assert secret is not None
    assert public is not None
    assert (secret.tenant.id, secret.publishable) == ("acme", None)
    assert public.publishable is not None
    assert secret.name != public.name


@pytest.mark.parametrize(
    "key",
    [
        "",
        "sk_",
        "sk_acme_secre",
        "sk_acme_secret ",
        "sk_acme_secret\n",
        "SK_acme_secret",
        "pk_acme_secret",
        "sk_" + "a" * 5000,
        sha256("sk_acme_secret"),
    ],
)
def test_anything_but_the_key_finds_nobody(tmp_path: Path, key: str) -> None:
    assert load(tmp_path, GOOD).grant(key) is None


def test_a_secret_whose_plain_value_looks_publishable_is_not_granted(tmp_path: Path) -> None:
    text = GOOD.replace(sha256("sk_acme_secret"), sha256("pk_other_key"))
    assert load(tmp_path, text).grant("pk_other_key") is None


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://acme.example", True),
        ("https://acme.example:443", False),
        ("http://acme.example", False),
        ("https://www.acme.example", False),
        ("https://acme.example.evil.example", False),
        ("null", False),
        ("", False),
        ("http://127.0.0.1:8080", False),
    ],
)
def test_an_origin_is_compared_exactly(origin: str, allowed: bool) -> None:
    key = PublishableKey(key="pk_acme_site", origins=("https://acme.example",))
    assert key.allows(origin) is allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:5173", True),
        ("http://localhost", True),
        ("http://[::1]:9000", True),
        ("http://localhost.evil.example:80", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://127.0.0.1:80@evil.example", False),
        ("http://evil.example/?http://127.0.0.1", False),
        ("https://localhost:1", False),
        ("http://localhost:1\n", False),
        ("http://127.0.0.10:80", False),
        ("null", False),
    ],
)
def test_loopback_means_this_machine_on_any_port_and_nothing_that_looks_like_it(
    origin: str, allowed: bool
) -> None:
    assert PublishableKey(key="pk_acme_site", loopback=True).allows(origin) is allowed


def test_a_publishable_key_for_no_site_is_refused() -> None:
    with pytest.raises(ValidationError, match="origins"):
        PublishableKey(key="pk_acme_site")


def test_an_origin_with_a_pattern_or_path_is_refused() -> None:
    for origin in ("https://*.acme.example", "https://acme.example/", "*", "https://ACME.example"):
        with pytest.raises(ValidationError):
            PublishableKey(key="pk_acme_site", origins=(origin,))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("eu-central-1", "eu-centrl-1", "eu-centrl-1"),
        ('default_country: "DE"', 'default_country: "CH"', "default_country"),
        ("jurisdictions: [eea]", "jurisdictions: [eu]", "unknown jurisdiction 'eu'"),
        ('desk: {country: "DE"', 'desk: {country: "CH"', "agent desk"),
    ],
)
def test_a_tenant_that_the_catalogue_does_not_know_how_to_serve_is_named(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        load(tmp_path, GOOD.replace(old, new))


def test_a_tenant_without_a_key_is_refused(tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("    secret_keys")]
    with pytest.raises(SettingsError, match="no key"):
        load(tmp_path, text)


def test_one_key_for_two_tenants_is_refused(tmp_path: Path) -> None:
    second = GOOD.replace("tenants:\n", "").replace("id: acme", "id: other")
    with pytest.raises(SettingsError, match="every key must stand for one tenant"):
        load(tmp_path, GOOD + second)


def test_one_id_for_two_tenants_is_refused(tmp_path: Path) -> None:
    second = GOOD.replace("tenants:\n", "").replace("acme_", "acme2_")
    second = second.replace(sha256("sk_acme_secret"), sha256("sk_acme_other"))
    with pytest.raises(SettingsError, match="listed twice"):
        load(tmp_path, GOOD + second)


def test_an_unknown_setting_is_named_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tenants.yaml:\d+"):
        load(tmp_path, GOOD.replace("default_country", "default_contry"))


def test_a_plain_secret_key_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(sha256("sk_acme_secret"), "sk_acme_secret"))
    assert "sk_acme_secret" not in str(caught.value)


def test_the_demo_tenants_load_and_their_printed_keys_work() -> None:
    tenants = load_tenants(DEMO_TENANTS, CATALOGUE)
    found = {
        key: grant.tenant.id if (grant := tenants.grant(key)) else None
        for key in (
            "sk_demo_clinic_local_only",
            "pk_demo_clinic",
            "sk_demo_bank_local_only",
            "pk_demo_bank",
        )
    }
    assert list(found.values()) == ["demo-clinic", "demo-clinic", "demo-bank", "demo-bank"]
    assert tenants.knows_origin("http://127.0.0.1:8080")
    assert not tenants.knows_origin("https://evil.example")


def test_a_tenant_is_pooled_unless_it_is_said_to_have_nodes_of_its_own(tmp_path: Path) -> None:
    (pooled,) = load(tmp_path, GOOD).all
    assert pooled.isolation == "pooled"
    text = GOOD.replace("name: Acme", "name: Acme\n    isolation: dedicated")
    (dedicated,) = load(tmp_path, text).all
    assert dedicated.isolation == "dedicated"
    with pytest.raises(ConfigError, match="isolation"):
        load(tmp_path, text.replace("dedicated", "shared"))
