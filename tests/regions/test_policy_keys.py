from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from regions.policy_keys import PolicyKeyText, policy_key, policy_key_text

FIELD: TypeAdapter[str] = TypeAdapter(PolicyKeyText)


@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_one_line_of_text_and_back(seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    text = policy_key_text(key)
    assert policy_key(FIELD.validate_python(text)) == key
    assert len(text.split()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        base64.b64encode(bytes(32)).decode(),  # a replica's key
        "ed25519:",
        "ed25519:" + base64.b64encode(bytes(31)).decode(),
        "ed25519:" + base64.b64encode(bytes(33)).decode(),
        "ed25519:" + "*" * 44,
        "ED25519:" + base64.b64encode(bytes(32)).decode(),
        "ed25519:" + "A" * 100,
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        FIELD.validate_python(text)
