"""Policies of a network: what its endpoints let through, who may write its flow log.

Forms: AWS PrivateLink Guide, "Control access to VPC endpoints using endpoint policies"; Amazon VPC
User Guide, "IAM role for publishing flow logs to CloudWatch Logs" (read 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from infra.components.place import Place
from infra.documents import arns, names
from infra.documents.statements import EVERYONE, Condition, Document, Statement, allow, document

INTERFACES: Final[Mapping[str, tuple[str, ...]]] = {
    "autoscaling": (
        "autoscaling:CompleteLifecycleAction",
        "autoscaling:RecordLifecycleActionHeartbeat",
        "autoscaling:SetInstanceProtection",
    ),
    "kms": ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"),
    "logs": ("logs:CreateLogStream", "logs:PutLogEvents"),
    "monitoring": ("cloudwatch:PutMetricData",),
    "secretsmanager": ("secretsmanager:GetSecretValue",),
}
"""Services that nodes ask all the time, and the only questions that pass to them. What is asked
once at start, or has no endpoint in a region (ACM, Route 53), goes over the internet by TLS: every
interface endpoint costs by the hour and zone."""


def interface_policy(place: Place, service: str) -> Document:
    """Of an interface endpoint: the nodes' questions, from this account only."""
    return document(
        [
            allow(
                "QuestionsOfNodes",
                INTERFACES[service],
                principal=EVERYONE,
                condition=_within(place),
            )
        ]
    )


def s3_policy(place: Place) -> Document:
    """Of the S3 gateway: this stack's buckets, from this account only.

    So nobody in the VPC can carry data off to a bucket of somebody else by this way.
    """
    buckets = (names.recordings_bucket(place), names.software_bucket(place))
    return document(
        [
            allow(
                "ObjectsOfTheStack",
                [
                    "s3:AbortMultipartUpload",
                    "s3:DeleteObject",
                    "s3:DeleteObjectVersion",
                    "s3:GetObject",
                    "s3:GetObjectVersion",
                    "s3:PutObject",
                ],
                [arns.objects(place, bucket) for bucket in buckets],
                principal=EVERYONE,
                condition=_within(place),
            ),
            allow(
                "BucketsOfTheStack",
                ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketVersions"],
                [arns.bucket(place, bucket) for bucket in buckets],
                principal=EVERYONE,
                condition=_within(place),
            ),
        ]
    )


def flow_log_writer(place: Place, log_group: str) -> list[Statement]:
    """What the role of VPC Flow Logs may do: write to its own log group."""
    return [
        allow(
            "WriteFlowLog",
            ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            arns.log_group(place, log_group),
        ),
        allow("FindFlowLog", ["logs:DescribeLogGroups"], arns.log_group(place, "*")),
    ]


def _within(place: Place) -> Condition:
    return {
        "StringEquals": {
            "aws:PrincipalAccount": place.account_id,
            "aws:ResourceAccount": place.account_id,
        }
    }
