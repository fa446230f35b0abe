"""Keys: what they are for, through whom, and never anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from edge.session.kms import KeyFacts, KmsKeys
from edge.session.kms_settings import KmsSettings
from infra.documents.keys import (
    recordings_key_policy,
    region_key_policy,
    tenant_key_policy,
)
from infra.documents.statements import text
from regions.models import DataClass
from regions.tag import ResidencyTag
from tests.infra.documents.asking import (
    ACCOUNT,
    EDGE_ROLE,
    KEY,
    OPERATOR,
    PLACE,
    STRANGER,
    asked,
)

REGION_KEY = region_key_policy(PLACE)
TENANT_KEY = tenant_key_policy(PLACE, "clinic", EDGE_ROLE.rpartition("/")[2])
TAG = ResidencyTag(
    tenant="clinic",
    session="call-1",
    jurisdictions=("eea",),
    data_class=DataClass.TRANSCRIPT,
    allowed_regions=("eu-central-1",),
    policy="1#0123456789ab",
    expires_at=1_900_000_000,
)
RECORDINGS_KEY = recordings_key_policy(PLACE)
RECORDINGS = f"arn:aws:s3:::inland-recordings-{ACCOUNT}-eu-central-1"
SOFTWARE = f"arn:aws:s3:::inland-software-{ACCOUNT}-eu-central-1"
AUTO_SCALING = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/"
    "AWSServiceRoleForAutoScaling"
)
BOTH = pytest.mark.parametrize("policy", [REGION_KEY, TENANT_KEY, RECORDINGS_KEY])


def through(service: str, sealed: str = "", region: str = "eu-central-1") -> dict[str, str]:
    context = {"kms:ViaService": f"{service}.{region}.amazonaws.com"}
    return context | ({"kms:EncryptionContext:aws:s3:arn": sealed} if sealed else {})


@pytest.mark.parametrize(
    ("sealed", "expected"),
    [
        (f"{RECORDINGS}/edge/clinic/call", "allow"),
        (RECORDINGS, "none"),
        (f"{SOFTWARE}/software/x.tar", "none"),
        (f"arn:aws:s3:::other-{ACCOUNT}/edge/clinic/call", "none"),
    ],
)
def test_the_key_for_recordings_seals_those_and_nothing_else(sealed: str, expected: str) -> None:
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        context = through("s3", sealed)
        assert asked(RECORDINGS_KEY, action, principal=EDGE_ROLE, context=context) == expected
        assert asked(TENANT_KEY, action, principal=EDGE_ROLE, context=context) == "none"


def test_the_regions_key_seals_software_and_no_recording() -> None:
    for sealed, expected in (
        (SOFTWARE, "allow"),
        (f"{SOFTWARE}/software/x.tar", "allow"),
        (f"{RECORDINGS}/clinic/call.opus", "none"),
        (RECORDINGS, "none"),
    ):
        context = through("s3", sealed)
        asked_for = asked(REGION_KEY, "kms:GenerateDataKey", principal=EDGE_ROLE, context=context)
        assert asked_for == expected


@BOTH
def test_nobody_uses_a_key_by_hand(policy: dict[str, object]) -> None:
    for who in (EDGE_ROLE, OPERATOR, f"arn:aws:iam::{ACCOUNT}:root"):
        for action in ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant"):
            assert asked(policy, action, principal=who) == "none"


class Heard:
    """A key service that remembers what it is told of a session."""

    def __init__(self) -> None:
        self.contexts: list[dict[str, str]] = []

    async def encrypt(
        self, key: str, plain: bytes, context: Mapping[str, str]
    ) -> tuple[str, bytes]:
        self.contexts.append(dict(context))
        return KEY, plain

    async def decrypt(self, key: str, blob: bytes, context: Mapping[str, str]) -> bytes:
        self.contexts.append(dict(context))
        return blob

    async def describe(self, key: str) -> KeyFacts:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def said_of(tag: ResidencyTag) -> dict[str, str]:
    """What a node tells KMS of a session when it wraps its key, and again when it opens it."""
    heard = Heard()

    async def both() -> None:
        settings = KmsSettings(account=ACCOUNT, tenants={tag.tenant: KEY})
        keys = KmsKeys("eu-central-1", settings, heard)
        wrapped = await keys.wrap(bytes(32), region="eu-central-1", tag=tag)
        await keys.unwrap(wrapped, region="eu-central-1", tag=tag)

    asyncio.run(both())
    wrapping, opening = heard.contexts
    assert wrapping == opening
    return {f"kms:EncryptionContext:{name}": value for name, value in wrapping.items()}


def test_a_tenants_key_wraps_the_keys_of_the_tenants_sessions_for_its_own_nodes() -> None:
    said = said_of(TAG)
    for action in ("kms:Encrypt", "kms:Decrypt"):
        assert asked(TENANT_KEY, action, principal=EDGE_ROLE, context=said) == "allow"
        for who in (f"{EDGE_ROLE}-bank", OPERATOR, f"arn:aws:iam::{ACCOUNT}:root"):
            assert asked(TENANT_KEY, action, principal=who, context=said) == "none"
        assert asked(REGION_KEY, action, principal=EDGE_ROLE, context=said) == "none"


def test_a_session_of_another_tenant_or_of_nobody_is_not_wrapped() -> None:
    other = said_of(TAG.model_copy(update={"tenant": "bank"}))
    abroad = said_of(TAG) | {"kms:EncryptionContext:inland:region": "eu-west-1"}
    unsaid = {key: word for key, word in said_of(TAG).items() if not key.endswith(":tenant")}
    for context in (other, abroad, unsaid):
        for action in ("kms:Encrypt", "kms:Decrypt"):
            assert asked(TENANT_KEY, action, principal=EDGE_ROLE, context=context) == "none"


@BOTH
def test_the_account_looks_after_its_keys(policy: dict[str, object]) -> None:
    for action in ("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:DescribeKey"):
        assert asked(policy, action, principal=f"arn:aws:iam::{ACCOUNT}:root") == "allow"


@BOTH
def test_no_other_account_does_anything_with_a_key(policy: dict[str, object]) -> None:
    stranger = f"arn:aws:iam::{STRANGER}:role/any"
    for service in ("s3", "ec2", "secretsmanager", "elasticache"):
        context = through(service, f"{RECORDINGS}/clinic/call.opus")
        for action in ("kms:Decrypt", "kms:PutKeyPolicy", "kms:CreateGrant"):
            assert asked(policy, action, principal=stranger, context=context) == "none"


@BOTH
def test_no_key_gets_a_copy_in_another_region(policy: dict[str, object]) -> None:
    for action in ("kms:ReplicateKey", "kms:UpdatePrimaryRegion"):
        assert asked(policy, action, principal=f"arn:aws:iam::{ACCOUNT}:root") == "deny"


@BOTH
def test_no_key_is_used_from_another_region(policy: dict[str, object]) -> None:
    context = through("s3", f"{RECORDINGS}/clinic/call.opus")
    for action in ("kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"):
        there = asked(policy, action, principal=EDGE_ROLE, region="eu-west-1", context=context)
        assert there == "deny"


@pytest.mark.parametrize("service", ["ec2", "elasticache", "secretsmanager"])
def test_services_of_the_region_use_its_key_for_the_account(service: str) -> None:
    at_home, away = through(service), through(service, region="eu-west-1")
    assert asked(REGION_KEY, "kms:Decrypt", principal=OPERATOR, context=at_home) == "allow"
    assert asked(REGION_KEY, "kms:Decrypt", principal=OPERATOR, context=away) == "none"


def test_grants_are_for_services_alone() -> None:
    granted = through("elasticache") | {"kms:GrantIsForAWSResource": "true"}
    assert asked(REGION_KEY, "kms:CreateGrant", principal=OPERATOR, context=granted) == "allow"
    by_hand = through("elasticache") | {"kms:GrantIsForAWSResource": "false"}
    assert asked(REGION_KEY, "kms:CreateGrant", principal=OPERATOR, context=by_hand) == "none"


def test_auto_scaling_starts_machines_with_sealed_disks() -> None:
    resource = {"kms:GrantIsForAWSResource": "true"}
    assert asked(REGION_KEY, "kms:CreateGrant", principal=AUTO_SCALING, context=resource) == "allow"
    assert asked(REGION_KEY, "kms:Decrypt", principal=AUTO_SCALING) == "allow"
    elsewhere = AUTO_SCALING.replace(ACCOUNT, STRANGER)
    assert asked(REGION_KEY, "kms:Decrypt", principal=elsewhere) == "none"


def test_logs_are_sealed_for_log_groups_of_the_account_and_region() -> None:
    key = "kms:EncryptionContext:aws:logs:arn"
    for group, expected in (
        (f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/inland/eu-central-1/flow", "allow"),
        (f"arn:aws:logs:eu-central-1:{STRANGER}:log-group:any", "none"),
        (f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:any", "none"),
    ):
        decision = asked(
            REGION_KEY,
            "kms:Encrypt",
            principal="logs.eu-central-1.amazonaws.com",
            service=True,
            context={key: group},
        )
        assert decision == expected


@pytest.mark.parametrize(("account", "expected"), [(ACCOUNT, "allow"), (STRANGER, "none")])
def test_alarms_of_the_account_reach_a_sealed_topic(account: str, expected: str) -> None:
    decision = asked(
        REGION_KEY,
        "kms:GenerateDataKey",
        principal="cloudwatch.amazonaws.com",
        service=True,
        context={"aws:SourceAccount": account},
    )
    assert decision == expected


@BOTH
def test_a_key_policy_fits(policy: dict[str, object]) -> None:
    """AWS KMS Developer Guide, "Quotas": 32,768 bytes."""
    assert len(text(policy)) <= 32_768


@BOTH
def test_a_key_policy_allows_no_more_than_it_names(policy: dict[str, object]) -> None:
    assert "kms:*" not in text(policy)
