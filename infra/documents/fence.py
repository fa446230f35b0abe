"""The fence: no role of a stack acts in another region, whatever else allows it.

Three layers, each of which holds alone: a denial in every role's own policy, the same in the
permissions boundary of every role, and a service control policy that the organisation's
administrator may attach to the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from infra.components.place import Place
from infra.documents.statements import Document, Statement, allow, deny_all_but, document, text

INLINE_LIMIT = 10_240
MANAGED_LIMIT = 6_144
"""Characters of all inline policies of a role, and of one managed policy (IAM User Guide, "IAM and
AWS STS quotas", read 2026-11-21)."""

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
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "route53:ChangeResourceRecordSets",
    "s3:DeleteObject",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:ListBucket",
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


def policies_of_role(place: Place, statements: Iterable[Statement]) -> tuple[Document, ...]:
    """The same in as many policies as it takes: the first fits inline, the others are managed.

    A fleet that serves some twenty tenants or more needs two. Each has the fence. Raises
    ``ValueError`` for a statement that fits into none.
    """
    parts: list[list[Statement]] = [[]]
    for statement in statements:
        limit = INLINE_LIMIT if len(parts) == 1 else MANAGED_LIMIT
        if _length(place, [*parts[-1], statement]) > limit:
            parts.append([])
            if _length(place, [statement]) > MANAGED_LIMIT:
                raise ValueError(f"{statement['Sid']}: too long for a policy of IAM")
        parts[-1].append(statement)
    return tuple(fenced(place, part) for part in parts)


def _length(place: Place, statements: Iterable[Statement]) -> int:
    return len(text(fenced(place, statements)))


def boundary(place: Place) -> Document:
    """The permissions boundary of every role of the stack."""
    return document([allow("Ceiling", CEILING), fence([place.region])])
