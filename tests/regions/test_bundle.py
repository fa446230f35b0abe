"""A bundle is the operator's or it is refused, before anything of it is read."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from regions.bundle import (
    CONTEXT,
    MAX_BUNDLE,
    Body,
    BundleRefused,
    claimed,
    key_id,
    newer,
    sign,
    verify,
)
from regions.catalogue import load_catalogue
from regions.law import Law
from regions.models import TenantPolicy

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = (KEY.public_key(),)
NOISE = (b"[" * 5_000, b'"body": "', b"9" * 5_000, b"\x00", b"NaN", b'{"v":' * 2_000)


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


def signed_as_it_is(raw: bytes) -> bytes:
    """A bundle of the operator's whose content nobody checked."""
    envelope = {
        "v": 1,
        "key": key_id(KEY.public_key()),
        "body": base64.b64encode(raw).decode(),
        "signature": base64.b64encode(KEY.sign(CONTEXT + raw)).decode(),
    }
    return json.dumps(envelope).encode()


def raw_body(**changes: Any) -> bytes:
    return json.dumps(body().model_dump(mode="json") | changes).encode()


@pytest.mark.parametrize(
    "raw",
    [
        raw_body()[:-1],
        raw_body(serial=0),
        raw_body(serial=2**53),
        raw_body(serial=10**400),
        raw_body(serial=True),
        raw_body(serial="3"),
        raw_body(serial=3.0),
        raw_body(serial=float("nan")),
        raw_body(surprise=1),
        raw_body(contracts={"Bank": {}}),
        raw_body(contracts={"bank": {"adds": ["ap-south-1"]}}),
        raw_body(contracts=[[[]]] * 3),
        raw_body(replica_keys={"eu-central-1": "AAAA"}),
        raw_body(replica_keys={"eu-central-1": "*" * 44}),
        raw_body(replica_keys={"eu-central-1": 7}),
        raw_body(replica_keys={"moon-base-1": base64.b64encode(bytes(32)).decode()}),
        raw_body().replace(b'"serial": 3', b'"serial": 3, "serial": 4'),
        raw_body().replace(b'{"bank"', b'{"bank": {}, "bank"'),
        b'{"serial": ' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"",
        b"\xff",
        "{}".encode("utf-16"),
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_even_what_the_operator_signed_is_refused_when_it_is_no_policy(raw: bytes) -> None:
    with pytest.raises(BundleRefused) as refused:
        verify(signed_as_it_is(raw), TRUSTED)
    assert refused.value.code == "malformed"
    assert "\n" not in str(refused.value)
    with pytest.raises(BundleRefused):
        claimed(signed_as_it_is(raw))


def test_an_envelope_that_says_a_thing_twice_is_refused() -> None:
    bundle = sign(body(), KEY)
    with pytest.raises(BundleRefused) as refused:
        verify(bundle.replace(b'"v": 1', b'"v": 1, "v": 1'), TRUSTED)
    assert refused.value.code == "malformed"


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2_000), st.integers(0, 2_000), st.binary(max_size=40) | st.sampled_from(NOISE)
)
def test_a_bundle_with_anything_put_in_its_place_is_the_same_or_refused(
    at: int, upto: int, instead: bytes
) -> None:
    bundle = sign(body(), KEY)
    start, end = len(bundle) * at // 2_000, len(bundle) * max(at, upto) // 2_000
    try:
        found = verify(bundle[:start] + instead + bundle[end:], TRUSTED)
    except BundleRefused:
        return
    assert found == body()


def test_a_bundle_that_is_cut_anywhere_is_refused() -> None:
    bundle = sign(body(), KEY).rstrip()
    for end in range(0, len(bundle), 331):
        with pytest.raises(BundleRefused):
            verify(bundle[:end], TRUSTED)


def test_what_is_too_long_to_be_read_is_not_signed() -> None:
    regions = tuple(region.id for region in load_catalogue().regions)
    many = {f"tenant-{number}": TenantPolicy(deny=regions) for number in range(4_000)}
    with pytest.raises(ValueError, match="bytes"):
        sign(body().model_copy(update={"contracts": many}), KEY)


def test_what_a_bundle_claims_can_be_looked_at_without_a_key() -> None:
    other = Ed25519PrivateKey.generate()
    assert claimed(sign(body(), other)) == (key_id(other.public_key()), body())
