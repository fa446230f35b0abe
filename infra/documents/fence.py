"""The fence: no role of a stack acts in another region, whatever else allows it.

Three layers, each of which holds alone: a denial in every role's own policy, the same in the
permissions boundary of every role, and a service control policy that the organisation's
administrator may attach to the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from infra.components.place import Place
from infra.documents.statements import (
    Document,
    Statement,
    allow,
    deny_all_but,
    document,
)

ELSEWHERE_ALLOWED = ("route53:ChangeResourceRecordSets",)
"""What a role may do outside its region: a node's own DNS record. Route 53 is one for the world
and answers as us-east-1 (IAM User Guide, aws:RequestedRegion; read 2026-11-21)."""

CEILING = (
    "acm:ExportCertificate",
    "autoscaling:CompleteLifecycleAction",
    "autoscaling:RecordLifecycleActionHeartbeat",
    "autoscaling:SetInstanceProtection",
    "cloudwatch:PutMetricData",
    "elasticache:Connect",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "route53:ChangeResourceRecordSets",
    "s3:AbortMultipartUpload",
    "s3:GetObject",
    "s3:PutObject",
    "secretsmanager:GetSecretValue",
)
"""Everything that any role of any stack may ever be allowed to do."""


def fence(regions: Sequence[str]) -> Statement:
    """Refuses every action outside ``regions``."""
    return deny_all_but(
        "OnlyThisRegion",
        ELSEWHERE_ALLOWED,
        condition={"StringNotEquals": {"aws:RequestedRegion": tuple(regions)}},
    )


def fenced(place: Place, statements: Iterable[Statement]) -> Document:
    """The policy of a role: what it may do, and the fence."""
    return document([*statements, fence([place.region])])


def boundary(place: Place) -> Document:
    """The permissions boundary of every role of the stack."""
    return document([allow("Ceiling", CEILING), fence([place.region])])
