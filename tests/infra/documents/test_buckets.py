"""Buckets: from the region's network, by TLS, with a key of the region, and no copies."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from infra.documents.buckets import recordings_policy, software_policy
from infra.documents.statements import Document, allow, document, text
from tests.infra.documents.asking import (
    ACCOUNT,
    EDGE_ROLE,
    KEY,
    OPERATOR,
    PLACE,
    STRANGER,
    asked,
)

RECORDINGS = f"arn:aws:s3:::inland-recordings-{ACCOUNT}-eu-central-1"
SOFTWARE = f"arn:aws:s3:::inland-software-{ACCOUNT}-eu-central-1"
CALL = f"{RECORDINGS}/clinic/call.opus"
BUNDLE = f"{SOFTWARE}/software/{'0' * 64}.tar"
HOME = {
    "aws:SecureTransport": "true",
    "aws:VpceAccount": ACCOUNT,
    "aws:SourceVpcArn": f"arn:aws:ec2:eu-central-1:{ACCOUNT}:vpc/vpc-1a2b3c4d",
}
INTERNET = {"aws:SecureTransport": "true", "aws:SourceIp": "203.0.113.7"}
KEY_ID = "s3:x-amz-server-side-encryption-aws-kms-key-id"


def everything_but(policy: Document) -> Document:
    """The policy met by a principal that may otherwise do all: what is left is not refused."""
    return document([*policy["Statement"], allow("All", ["s3:*"], principal="*")])


def recordings(action: str, context: Mapping[str, str], who: str = EDGE_ROLE) -> str:
    policy = everything_but(recordings_policy(PLACE))
    resource = RECORDINGS if "Bucket" in action or "Configuration" in action else CALL
    return asked(policy, action, resource, principal=who, context=context)


def software(action: str, context: Mapping[str, str], who: str = EDGE_ROLE) -> str:
    policy = everything_but(software_policy(PLACE))
    return asked(policy, action, BUNDLE, principal=who, context=context)


def test_recordings_are_written_from_the_regions_network_with_a_key_of_it() -> None:
    assert recordings("s3:PutObject", {**HOME, KEY_ID: KEY}) == "allow"
    assert recordings("s3:GetObject", HOME) == "allow"


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"])
@pytest.mark.parametrize(
    "way",
    [
        INTERNET,
        HOME | {"aws:VpceAccount": STRANGER},
        HOME | {"aws:SourceVpcArn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/vpc-1a2b3c4d"},
        HOME | {"aws:SourceVpcArn": f"arn:aws:ec2:eu-central-1:{STRANGER}:vpc/vpc-1a2b3c4d"},
        HOME | {"aws:SecureTransport": "false"},
    ],
)
def test_recordings_go_no_other_way(action: str, way: dict[str, str]) -> None:
    assert recordings(action, {**way, KEY_ID: KEY}) == "deny"


def test_a_request_that_does_not_say_its_vpc_is_judged_by_its_endpoint() -> None:
    unsaid = {key: value for key, value in HOME.items() if key != "aws:SourceVpcArn"}
    assert recordings("s3:GetObject", unsaid) == "allow"


@pytest.mark.parametrize(
    "key",
    [
        KEY.replace(ACCOUNT, STRANGER),
        KEY.replace("eu-central-1", "us-east-1"),
        f"arn:aws:kms:eu-central-1:{ACCOUNT}:alias/aws/s3",
        "",
    ],
)
def test_recordings_are_sealed_with_no_other_key(key: str) -> None:
    assert recordings("s3:PutObject", {**HOME, KEY_ID: key}) == "deny"


def test_a_recording_that_names_no_key_is_refused() -> None:
    assert recordings("s3:PutObject", HOME) == "deny"


@pytest.mark.parametrize(
    "action",
    [
        "s3:PutReplicationConfiguration",
        "s3:ReplicateObject",
        "s3:InitiateReplication",
        "s3:GetObjectVersionForReplication",
    ],
)
def test_nothing_is_replicated_in_or_out(action: str) -> None:
    assert recordings(action, HOME, OPERATOR) == "deny"
    assert software(action, HOME, OPERATOR) == "deny"


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"])
def test_other_accounts_are_refused_even_from_home(action: str) -> None:
    stranger = f"arn:aws:iam::{STRANGER}:role/any"
    assert recordings(action, {**HOME, KEY_ID: KEY}, stranger) == "deny"
    assert software(action, HOME, stranger) == "deny"


def test_the_operator_can_erase_recordings_from_outside() -> None:
    assert recordings("s3:DeleteObjectVersion", INTERNET, OPERATOR) == "allow"


def test_pulumi_can_look_after_the_bucket_from_outside() -> None:
    assert recordings("s3:GetBucketPolicy", INTERNET, OPERATOR) == "allow"
    assert recordings("s3:PutLifecycleConfiguration", INTERNET, OPERATOR) == "allow"


def test_bundles_are_uploaded_from_outside_and_read_from_inside() -> None:
    assert software("s3:PutObject", INTERNET, OPERATOR) == "allow"
    assert software("s3:GetObject", HOME) == "allow"
    assert software("s3:GetObject", INTERNET) == "deny"
    assert software("s3:GetObject", INTERNET, OPERATOR) == "deny"


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"])
def test_no_role_of_ours_changes_what_nodes_install(action: str) -> None:
    assert software(action, HOME) == "deny"


@pytest.mark.parametrize("policy", [recordings_policy(PLACE), software_policy(PLACE)])
def test_bucket_policies_allow_nothing_by_themselves_and_fit(policy: Document) -> None:
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Deny"}
    assert len(text(policy)) <= 20_480
