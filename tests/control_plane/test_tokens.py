from __future__ import annotations

import base64
import json
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from control_plane.contract import RouteClaims
from control_plane.errors import KeyFileError
from control_plane.tokens import (
    TokenSigner,
    load_or_create_key,
    load_public_key,
    new_session_id,
    public_jwk,
)
from edge.admission import MAX_TOKEN
from regions.models import DataClass
from tests.control_plane.helpers import POLICY, REGIONS

CLAIMS = RouteClaims(
    iss="inland",
    aud="inland-edge",
    sub="s_0123456789012345678901",
    jti="0123456789abcdef",
    iat=100,
    nbf=100,
    exp=160,
    ten="demo-clinic",
    jur=("eea",),
    pol="1#ab",
    reg={"audio": ("eu-central-1",)},
    agent="clinic-reception",
    med="webrtc",
)


def test_rfc_8037_a3_thumbprint_of_the_example_key() -> None:
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "="))
    jwk = public_jwk(key)
    assert jwk["x"] == x
    assert jwk["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_token_that_names_every_region_for_every_class_fits_what_an_edge_reads() -> None:
    everywhere = {data_class.value: REGIONS for data_class in DataClass}
    widest = CLAIMS.model_copy(
        update={"reg": everywhere, "pol": POLICY, "ser": 2**53 - 1, "ten": "t" * 63}
    )
    token = TokenSigner(Ed25519PrivateKey.generate()).sign(widest)
    assert len(token) <= MAX_TOKEN


def test_a_token_verifies_with_the_published_key_of_its_kid_and_says_what_was_signed() -> None:
    signer = TokenSigner(Ed25519PrivateKey.generate())
    token = signer.sign(CLAIMS)
    keys = jwt.PyJWKSet.from_json(json.dumps(signer.jwks()))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    payload = jwt.decode(
        token, key, algorithms=["EdDSA"], audience="inland-edge", options={"verify_exp": False}
    )
    assert RouteClaims.model_validate_json(json.dumps(payload)) == CLAIMS


def test_a_changed_token_does_not_verify() -> None:
    key = Ed25519PrivateKey.generate()
    head, _, signature = TokenSigner(key).sign(CLAIMS).split(".")
    widened = CLAIMS.model_copy(update={"reg": {"audio": ("ap-south-1",)}})
    body = base64.urlsafe_b64encode(widened.model_dump_json().encode()).rstrip(b"=").decode()
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(f"{head}.{body}.{signature}", key.public_key(), algorithms=["EdDSA"])


def test_rotation_publishes_both_keys_and_the_signing_one_first() -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    signer = TokenSigner(new, [old.public_key(), new.public_key()])
    kids = [key["kid"] for key in signer.jwks()["keys"]]
    assert kids == [public_jwk(new.public_key())["kid"], public_jwk(old.public_key())["kid"]]
    assert signer.kid == kids[0]


def test_no_private_part_is_published() -> None:
    keys = TokenSigner(Ed25519PrivateKey.generate()).jwks()["keys"]
    assert [sorted(key) for key in keys] == [["alg", "crv", "kid", "kty", "use", "x"]]


def test_a_missing_key_is_made_for_its_owner_alone_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "control.key"
    before = os.umask(0)
    try:
        first = load_or_create_key(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_key(path).private_bytes_raw() == first.private_bytes_raw()
    assert [p.name for p in path.parent.iterdir()] == ["control.key"]


def test_replicas_that_start_at_once_end_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / "control.key"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: load_or_create_key(path).private_bytes_raw(), range(8)))
    assert len(set(keys)) == 1


def test_a_key_that_others_can_read_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "control.key"
    load_or_create_key(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match=f"chmod 600 {re.escape(str(path))}"):
        load_or_create_key(path)


def test_what_is_no_ed25519_key_is_refused(tmp_path: Path) -> None:
    other = generate_private_key(SECP256R1())
    pem = other.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = other.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for content in (pem, public, b"", b"\xff garbage"):
        path = tmp_path / "control.key"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(KeyFileError):
            load_or_create_key(path)
        with pytest.raises(KeyFileError):
            load_public_key(path)
    with pytest.raises(KeyFileError):
        load_public_key(tmp_path / "absent.pem")


def test_a_published_key_is_read_from_pem(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate().public_key()
    path = tmp_path / "old.pem"
    path.write_bytes(
        key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    assert public_jwk(load_public_key(path)) == public_jwk(key)


def test_session_ids_have_the_shape_of_the_contract_and_do_not_repeat() -> None:
    made = {new_session_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"s_[0-9A-Za-z]{22}", one) for one in made)
