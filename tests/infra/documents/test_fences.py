"""Secrets, endpoints, flow log, topic, and the policy for the organisation's administrator."""

from __future__ import annotations

import pytest

from infra.documents.control import LIMIT, service_control_policy
from infra.documents.network import INTERFACES, flow_log_writer, interface_policy, s3_policy
from infra.documents.secrets import secret_policy
from infra.documents.statements import allow, document, text
from infra.documents.topic import alarm_topic_policy
from infra.documents.trust import for_flow_logs, for_instances
from tests.infra.documents.asking import ACCOUNT, EDGE_ROLE, OPERATOR, PLACE, STRANGER, asked

STRANGE_ROLE = f"arn:aws:iam::{STRANGER}:role/any"
SCP = document(
    [
        *service_control_policy(["eu-west-1", "eu-central-1"])["Statement"],
        allow("FullAWSAccess", ["*"]),
    ]
)


def test_a_secret_is_for_its_account_and_region() -> None:
    policy = document(
        [*secret_policy(PLACE)["Statement"], allow("All", ["*"], principal={"AWS": "*"})]
    )
    read = "secretsmanager:GetSecretValue"
    assert asked(policy, read, principal=EDGE_ROLE) == "allow"
    assert asked(policy, read, principal=STRANGE_ROLE) == "deny"
    assert asked(policy, read, principal=EDGE_ROLE, region="us-east-1") == "deny"


def test_a_secret_gets_no_replica() -> None:
    replicate = "secretsmanager:ReplicateSecretToRegions"
    assert asked(secret_policy(PLACE), replicate, principal=OPERATOR) == "deny"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("s3:PutObject", "deny"),
        ("ec2:RunInstances", "deny"),
        ("bedrock:InvokeModel", "deny"),
        ("iam:CreateRole", "allow"),
        ("sts:GetCallerIdentity", "allow"),
        ("route53:ChangeResourceRecordSets", "allow"),
    ],
)
def test_the_account_acts_outside_its_regions_only_where_there_is_no_region(
    action: str, expected: str
) -> None:
    assert asked(SCP, action, region="us-east-1") == expected
    assert asked(SCP, action, region="eu-west-1") == "allow"


@pytest.mark.parametrize(
    "action",
    [
        "organizations:LeaveOrganization",
        "account:EnableRegion",
        "cloudtrail:StopLogging",
        "guardduty:DeleteDetector",
        "config:StopConfigurationRecorder",
        "s3:PutAccountPublicAccessBlock",
        "ec2:ModifySnapshotAttribute",
        "kms:ReplicateKey",
        "s3:PutReplicationConfiguration",
        "ec2:CopySnapshot",
        "elasticache:CopySnapshot",
        "elasticache:CreateGlobalReplicationGroup",
        "secretsmanager:ReplicateSecretToRegions",
        "backup:StartCopyJob",
    ],
)
def test_the_account_cannot_leave_blind_publish_or_copy(action: str) -> None:
    assert asked(SCP, action, principal=f"arn:aws:iam::{ACCOUNT}:root") == "deny"


def test_the_account_makes_keys_of_one_region_only() -> None:
    assert asked(SCP, "kms:CreateKey", context={"kms:MultiRegion": "false"}) == "allow"
    assert asked(SCP, "kms:CreateKey", context={"kms:MultiRegion": "true"}) == "deny"


@pytest.mark.parametrize("kind", ["inference-profile", "application-inference-profile"])
def test_no_model_is_asked_through_a_profile_of_several_regions(kind: str) -> None:
    profile = f"arn:aws:bedrock:eu-central-1:{ACCOUNT}:{kind}/eu.a-model"
    model = "arn:aws:bedrock:eu-central-1::foundation-model/a-model"
    for action in ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"):
        assert asked(SCP, action, profile) == "deny"
        assert asked(SCP, action, model) == "allow"


def test_the_service_control_policy_fits() -> None:
    assert len(text(service_control_policy(["eu-central-1"] * 10))) <= LIMIT


def test_the_way_to_s3_leads_to_the_stacks_buckets_only() -> None:
    policy = s3_policy(PLACE)
    mine = {"aws:ResourceAccount": ACCOUNT}
    ours = f"arn:aws:s3:::inland-recordings-{ACCOUNT}-eu-central-1/clinic/call.opus"
    other = f"arn:aws:s3:::loot-{ACCOUNT}/call.opus"
    assert asked(policy, "s3:PutObject", ours, principal=EDGE_ROLE, context=mine) == "allow"
    assert asked(policy, "s3:PutObject", other, principal=EDGE_ROLE, context=mine) == "none"
    foreign = {"aws:ResourceAccount": STRANGER}
    assert asked(policy, "s3:PutObject", ours, principal=EDGE_ROLE, context=foreign) == "none"
    assert asked(policy, "s3:PutObject", ours, principal=STRANGE_ROLE, context=mine) == "none"


@pytest.mark.parametrize("service", sorted(INTERFACES))
def test_an_endpoint_takes_the_nodes_questions_from_the_account_only(service: str) -> None:
    policy = interface_policy(PLACE, service)
    mine = {"aws:ResourceAccount": ACCOUNT}
    for action in INTERFACES[service]:
        assert asked(policy, action, principal=EDGE_ROLE, context=mine) == "allow"
        assert asked(policy, action, principal=STRANGE_ROLE, context=mine) == "none"
        loot = {"aws:ResourceAccount": STRANGER}
        assert asked(policy, action, principal=EDGE_ROLE, context=loot) == "none"


def test_the_flow_log_is_written_to_its_own_group() -> None:
    policy = document(flow_log_writer(PLACE, "/inland/eu-central-1/flow"))
    group = f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/inland/eu-central-1"
    assert asked(policy, "logs:PutLogEvents", f"{group}/flow:log-stream:eni-1") == "allow"
    assert asked(policy, "logs:PutLogEvents", f"{group}/node:log-stream:i-1") == "none"


@pytest.mark.parametrize(("account", "expected"), [(ACCOUNT, "allow"), (STRANGER, "none")])
def test_the_flow_logs_role_is_assumed_for_this_account_only(account: str, expected: str) -> None:
    decision = asked(
        for_flow_logs(PLACE),
        "sts:AssumeRole",
        principal="vpc-flow-logs.amazonaws.com",
        service=True,
        context={
            "aws:SourceAccount": account,
            "aws:SourceArn": f"arn:aws:ec2:eu-central-1:{account}:vpc-flow-log/fl-1",
        },
    )
    assert decision == expected


def test_only_machines_assume_a_machines_role() -> None:
    for service, expected in (("ec2.amazonaws.com", "allow"), ("lambda.amazonaws.com", "none")):
        decision = asked(for_instances(), "sts:AssumeRole", principal=service, service=True)
        assert decision == expected
    assert asked(for_instances(), "sts:AssumeRole", principal=OPERATOR) == "none"


@pytest.mark.parametrize(("account", "expected"), [(ACCOUNT, "allow"), (STRANGER, "none")])
def test_alarms_of_the_account_are_published(account: str, expected: str) -> None:
    policy = alarm_topic_policy(PLACE, "inland-eu-central-1-alarms")
    decision = asked(
        policy,
        "sns:Publish",
        f"arn:aws:sns:eu-central-1:{ACCOUNT}:inland-eu-central-1-alarms",
        principal="cloudwatch.amazonaws.com",
        service=True,
        context={
            "aws:SourceAccount": account,
            "aws:SourceArn": f"arn:aws:cloudwatch:eu-central-1:{account}:alarm:full",
        },
    )
    assert decision == expected
