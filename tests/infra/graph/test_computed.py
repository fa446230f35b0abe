"""Ids and ARNs that a capture makes up look like those of AWS, and are what a program computes."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infra.components.place import Place as StackPlace
from infra.documents import arns
from infra.graph.computed import Made, Place, made

HERE = Place("eu-central-1", "111122223333")
STACK = StackPlace("eu-central-1", "eu-central-1", "111122223333", "eea")


def make(type_: str, **inputs: Any) -> Made:
    return made(type_, "logical", f"urn:pulumi:s::p::{type_}::logical", inputs, HERE)


@pytest.mark.parametrize(
    ("type_", "inputs", "expected"),
    [
        ("aws:iam/role:Role", {"name": "edge"}, arns.role(STACK, "edge")),
        ("aws:iam/policy:Policy", {"name": "fence"}, arns.policy(STACK, "fence")),
        ("aws:s3/bucket:Bucket", {"bucket": "calls"}, arns.bucket(STACK, "calls")),
        ("aws:sns/topic:Topic", {"name": "alarms"}, arns.topic(STACK, "alarms")),
        ("aws:kms/key:Key", {}, arns.keys(STACK)),
        (
            "aws:secretsmanager/secret:Secret",
            {"name": "inland/eu-central-1/turn"},
            arns.secret(STACK, "inland/eu-central-1/turn"),
        ),
        (
            "aws:elasticache/replicationGroup:ReplicationGroup",
            {"replicationGroupId": "inland-eu-central-1"},
            arns.store(STACK),
        ),
        (
            "aws:elasticache/user:User",
            {"userId": "inland-clinic"},
            arns.store_user(STACK, "clinic"),
        ),
        ("aws:autoscaling/group:Group", {"name": "edge"}, arns.scaling_group(STACK, "edge")),
        ("aws:acm/certificate:Certificate", {"domainName": "*.x.org"}, arns.certificates(STACK)),
    ],
)
def test_an_arn_is_the_one_that_policies_compute(
    type_: str, inputs: dict[str, str], expected: str
) -> None:
    assert fnmatchcase(str(make(type_, **inputs).outputs["arn"]), expected)


@pytest.mark.parametrize(
    ("type_", "inputs", "id_"),
    [
        ("aws:kms/key:Key", {}, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("aws:ec2/vpc:Vpc", {}, r"vpc-[0-9a-f]{17}"),
        ("aws:ec2/securityGroup:SecurityGroup", {}, r"sg-[0-9a-f]{17}"),
        ("aws:s3/bucketPolicy:BucketPolicy", {"bucket": "calls"}, "calls"),
        (
            "aws:lb/listener:Listener",
            {"loadBalancerArn": "arn:aws:elasticloadbalancing:r:1:loadbalancer/net/sip/0a"},
            r"arn:aws:elasticloadbalancing:r:1:listener/net/sip/0a/[0-9a-f]{16}",
        ),
        (
            "aws:lb/loadBalancer:LoadBalancer",
            {"name": "sip", "loadBalancerType": "network"},
            r"arn:aws:elasticloadbalancing:eu-central-1:\d{12}:loadbalancer/net/sip/[0-9a-f]{16}",
        ),
        ("aws:budgets/budget:Budget", {"name": "month"}, r"111122223333:month"),
        (
            "aws:glacier/vault:Vault",
            {},
            "logical",
        ),
    ],
)
def test_an_id_looks_like_one_of_aws(type_: str, inputs: dict[str, str], id_: str) -> None:
    assert re.fullmatch(id_, make(type_, **inputs).id)


def test_what_is_given_is_not_computed() -> None:
    assert "bucket" not in make("aws:s3/bucket:Bucket", bucket="calls").outputs
    assert re.fullmatch(r"logical-[0-9a-f]{7}", str(make("aws:s3/bucket:Bucket").outputs["bucket"]))


def test_a_type_without_a_form_has_an_arn_and_every_text_that_aws_answers_with() -> None:
    found = make("aws:dynamodb/table:Table").outputs
    assert found["arn"] == "arn:aws:dynamodb:eu-central-1:111122223333:table/logical"
    assert found["streamArn"] == "streamArn-of-logical"


def test_a_certificate_asks_for_a_record_per_name() -> None:
    asked = make(
        "aws:acm/certificate:Certificate",
        domainName="*.x.org",
        subjectAlternativeNames=["*.x.org", "x.org"],
    ).outputs["domainValidationOptions"]
    assert [option["domainName"] for option in asked] == ["*.x.org", "x.org"]
    assert all(option["resourceRecordName"].endswith(".x.org.") for option in asked)
