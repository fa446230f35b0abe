"""A bundle is the operator's or it is refused, before anything of it is read."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from regions.bundle import MAX_BUNDLE, Body, BundleRefused, newer, sign, verify
from regions.catalogue import load_catalogue
from regions.law import Law
from regions.models import TenantPolicy

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = (KEY.public_key(),)


def body(serial: int = 3, **said: Any) -> Body:
    return Body(
        serial=serial,
        issued_at=1_790_000_000,
        catalogue=load_catalogue(),
        contracts={"bank": TenantPolicy(regions=("eu-central-1",), **said)},
        replica_keys={"eu-central-1": base64.b64encode(bytes(32))},
    )


def test_what_was_signed_is_what_is_read() -> None:
    assert verify(sign(body(), KEY), TRUSTED) == body()
    law = body().law()
    assert law.contract("bank").regions == ("eu-central-1",)
    assert law.replica_keys == {"eu-central-1": bytes(32)}


def test_another_operators_bundle_is_refused() -> None:
    other = Ed25519PrivateKey.generate()
    with pytest.raises(BundleRefused) as refused:
        verify(sign(body(), other), TRUSTED)
    assert refused.value.code == "unknown_key"


def test_every_changed_bit_of_the_signed_bytes_is_refused() -> None:
    envelope = json.loads(sign(body(), KEY))
    raw = bytearray(base64.b64decode(envelope["body"]))
    for at in range(0, len(raw), 997):
        changed = bytes(raw[:at]) + bytes([raw[at] ^ 1]) + bytes(raw[at + 1 :])
        text = json.dumps({**envelope, "body": base64.b64encode(changed).decode()})
        with pytest.raises(BundleRefused) as refused:
            verify(text.encode(), TRUSTED)
        assert refused.value.code == "bad_signature"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"v": 1}',
        b'{"v": 2, "key": "0123456789abcdef", "body": "", "signature": ""}',
        b'{"v": 1, "key": "0123456789abcdef", "body": "*", "signature": ""}',
        b" " * (MAX_BUNDLE + 1),
    ],
)
def test_what_is_no_bundle_is_refused_in_words(text: bytes) -> None:
    with pytest.raises(BundleRefused) as refused:
        verify(text, TRUSTED)
    assert refused.value.code == "malformed"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"deny": ("eu-centrall-1",)}, "contract of bank: deny[0]: the catalogue has no region"),
        ({"sectors": ("banking",)}, "contract of bank: sectors[0]: the catalogue has no sector"),
    ],
)
def test_a_contract_that_names_what_is_not_there_is_refused(
    said: dict[str, Any], words: str
) -> None:
    with pytest.raises(BundleRefused) as refused:
        verify(sign(body(**said), KEY), TRUSTED)
    assert words in str(refused.value)


def test_a_bundle_replaces_only_what_is_older() -> None:
    three = body(3).law()
    assert newer(body(3), Law(load_catalogue()))
    assert newer(body(4), three)
    assert not newer(body(3), three)
    with pytest.raises(BundleRefused) as older:
        newer(body(2), three)
    with pytest.raises(BundleRefused) as conflicting:
        newer(body(3, deny=("eu-west-1",)), three)
    assert (older.value.code, conflicting.value.code) == ("older", "conflicting")


def test_the_policy_that_receipts_pin_covers_the_contracts() -> None:
    bare = Law(load_catalogue())
    assert bare.policy == load_catalogue().policy
    assert body().law().policy != bare.policy
    assert body(deny=("eu-west-1",)).law().policy != body().law().policy
