"""A token lets a caller in here, now, under this law, or it does not."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.admission import MAX_TOKEN, bearer, rule_route_token, verify_route_token
from edge.problem import EdgeRefusal
from edge.tenancy import Tenancy
from regions.catalogue import load_catalogue
from tests.fakes.law import in_force

NOW = 1_790_000_000
CATALOGUE = load_catalogue()
LAW = in_force(CATALOGUE)
EEA = ["eu-central-1", "eu-west-1"]


class OneKey:
    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        algorithm = jwt.get_algorithm_by_name("EdDSA")
        self.public = jwt.PyJWK(
            {**algorithm.to_jwk(self.private.public_key(), as_dict=True), "alg": "EdDSA"}
        )

    def get(self, key_id: str) -> jwt.PyJWK | None:
        return self.public if key_id == "k1" else None

    def sign(self, kid: str = "k1", **changes: Any) -> str:
        claims = {
            "iss": "inland",
            "aud": "inland-edge",
            "sub": "s_" + "a" * 22,
            "jti": "12345678",
            "iat": NOW,
            "nbf": NOW,
            "exp": NOW + 60,
            "ten": "demo-clinic",
            "jur": ["eea"],
            "pol": CATALOGUE.policy,
            "reg": {"audio": EEA, "transcript": EEA, "variables": EEA},
            "agent": "clinic-reception",
            "med": "webrtc",
        } | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.private, algorithm="EdDSA", headers={"kid": kid})


EVERYBODY = Tenancy()


@pytest.fixture(scope="module")
def key() -> OneKey:
    return OneKey()


def refusal(key: OneKey, token: str, region: str = "eu-central-1", now: float = NOW) -> str:
    with pytest.raises(EdgeRefusal) as refused:
        verify_route_token(token, keys=key, now=now, region=region, law=LAW, tenancy=EVERYBODY)
    return refused.value.code


def test_good_token_opens_the_session_it_names(key: OneKey) -> None:
    caller = verify_route_token(
        key.sign(), keys=key, now=NOW, region="eu-central-1", law=LAW, tenancy=EVERYBODY
    )
    assert caller.session_id == "s_" + "a" * 22
    assert (caller.tenant, caller.jurisdictions) == ("demo-clinic", ("eea",))
    assert not caller.resumed


def test_token_of_another_region_is_refused(key: OneKey) -> None:
    assert refusal(key, key.sign(), region="ap-south-1") == "wrong_region"


def test_signed_list_cannot_widen_the_law(key: OneKey) -> None:
    everywhere = {name: [*EEA, "ap-south-1"] for name in ("audio", "transcript", "variables")}
    assert refusal(key, key.sign(reg=everywhere), region="ap-south-1") == "wrong_region"


def test_what_is_listed_beyond_the_law_is_forgotten(key: OneKey) -> None:
    """Nothing is tagged for, sealed for or sent to a region because a token names it."""
    wide = {name: [*EEA, "ap-south-1"] for name in ("audio", "transcript", "variables", "odd")}
    caller = verify_route_token(
        key.sign(reg=wide),
        keys=key,
        now=NOW,
        region="eu-central-1",
        law=LAW,
        tenancy=EVERYBODY,
    )
    assert caller.regions == {
        **{name: tuple(EEA) for name in ("audio", "transcript", "variables")},
        "recording": (),
    }


@pytest.mark.parametrize("missing", ["audio", "transcript", "variables"])
def test_every_data_class_of_a_call_must_be_allowed_here(key: OneKey, missing: str) -> None:
    regions = {name: EEA for name in ("audio", "transcript", "variables") if name != missing}
    assert refusal(key, key.sign(reg=regions)) == "wrong_region"


def test_token_of_another_policy_is_refused(key: OneKey) -> None:
    assert refusal(key, key.sign(pol="2020-01-01.1#000000000000")) == "wrong_policy"


def test_expired_token_is_refused(key: OneKey) -> None:
    assert refusal(key, key.sign(), now=NOW + 66) == "token_expired"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "someone"},
        {"aud": "another"},
        {"sub": "not-a-session"},
        {"sub": None},
        {"jur": []},
        {"reg": None},
        {"exp": None},
        {"extra": 1},
        {"nbf": NOW + 600},
        {"exp": "soon"},
        {"exp": NOW + 3600},
        {"med": "sip"},
    ],
    ids=str,
)
def test_token_with_wrong_claims_is_refused(key: OneKey, changes: dict[str, Any]) -> None:
    assert refusal(key, key.sign(**changes)) == "bad_token"


def test_token_of_an_unknown_key_is_refused(key: OneKey) -> None:
    assert refusal(key, key.sign(kid="k2")) == "bad_token"
    assert refusal(key, OneKey().sign()) == "bad_token"


def test_unsigned_and_symmetric_tokens_are_refused(key: OneKey) -> None:
    claims = jwt.decode(key.sign(), options={"verify_signature": False})
    none = jwt.encode(claims, "", algorithm="none", headers={"kid": "k1"})
    assert refusal(key, none) == "bad_token"
    symmetric = jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"kid": "k1"})
    assert refusal(key, symmetric) == "bad_token"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é" * 10, "." * 4000, "e30.e30.e30"])
def test_garbage_is_refused(key: OneKey, token: str) -> None:
    assert refusal(key, token) == "bad_token"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "abc"])
def test_missing_bearer_token_is_refused(header: str | None) -> None:
    with pytest.raises(EdgeRefusal, match="bad_token"):
        bearer(header)


def test_long_token_is_not_looked_at() -> None:
    with pytest.raises(EdgeRefusal, match="at most"):
        bearer("Bearer " + "a" * (MAX_TOKEN + 1))


def test_token_is_good_for_its_own_medium_only(key: OneKey) -> None:
    for medium, other in (("sip", "webrtc"), ("webrtc", "sip")):
        token = key.sign(med=medium)
        for asked, verdict in ((medium, "admitted"), (other, "bad_token")):
            try:
                verify_route_token(
                    token,
                    keys=key,
                    now=NOW,
                    region="eu-central-1",
                    law=LAW,
                    tenancy=EVERYBODY,
                    medium="sip" if asked == "sip" else "webrtc",
                )
            except EdgeRefusal as refused:
                assert refused.code == verdict
            else:
                assert verdict == "admitted"


def test_token_says_where_a_call_may_be_also_to_a_region_where_it_may_not(key: OneKey) -> None:
    wide = {name: [*EEA, "ap-south-1"] for name in ("audio", "transcript", "variables")}
    wide["variables"] = ["eu-west-1"]
    ruling = rule_route_token(
        key.sign(med="sip", reg=wide), keys=key, now=NOW, law=LAW, medium="sip"
    )
    assert ruling.allowed == ("eu-west-1",)
    assert ruling.admit("eu-west-1").regions["audio"] == tuple(EEA)
    for region in ("eu-central-1", "ap-south-1"):
        with pytest.raises(EdgeRefusal, match="wrong_region"):
            ruling.admit(region)
