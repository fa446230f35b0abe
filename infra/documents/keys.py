"""Key policies. A key policy is the only thing that lets anyone use a key.

Forms: AWS KMS Developer Guide, "Key policies", "Condition keys for AWS KMS", "Using IAM policies
with AWS KMS" (read 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.components.place import Place
from infra.documents import arns, names
from infra.documents.statements import EVERYONE, Document, Statement, allow, deny, document

ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
"""To look after a key, not to use it: who administers cannot open anything by hand."""
USE = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
THROUGH = ("ec2", "elasticache", "secretsmanager")
"""Services that use the region's key for whoever asks them; S3 too, for the software alone."""
S3_CONTEXT = "kms:EncryptionContext:aws:s3:arn"
SESSION_USE = ("kms:Decrypt", "kms:Encrypt")
SESSION_TENANT = "kms:EncryptionContext:inland:tenant"
SESSION_REGION = "kms:EncryptionContext:inland:region"
"""What a node tells KMS of every session whose key it has wrapped (``edge.session.kms``)."""
GRANTED = ("ec2", "elasticache")
"""Services that keep a grant, for a disk or a store that lives on after the request."""


def region_key_policy(place: Place) -> Document:
    """Of the region's own key: logs, disks, secrets, the store, software, the alarm topic.

    Not recordings: an object there that does not name its tenant's key cannot be written at all,
    even where the bucket's policy were lost.
    """
    return document(
        [
            _administration(place),
            allow(
                "UseThroughServices",
                USE,
                principal=_account(place),
                condition={"StringEquals": _through(place, THROUGH)},
            ),
            allow(
                "Software",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                principal=_account(place),
                condition={
                    "StringEquals": _through(place, ("s3",)),
                    "StringLike": {
                        S3_CONTEXT: arns.bucket(place, names.software_bucket(place)) + "*"
                    },
                },
            ),
            allow(
                "GrantsOfServices",
                ["kms:CreateGrant"],
                principal=_account(place),
                condition={
                    "Bool": {"kms:GrantIsForAWSResource": "true"},
                    "StringEquals": _through(place, GRANTED),
                },
            ),
            *_auto_scaling(place),
            allow(
                "Logs",
                USE,
                principal={"Service": f"logs.{place.region}.amazonaws.com"},
                condition={
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": arns.regional(
                            place, "logs", "log-group:*"
                        )
                    }
                },
            ),
            allow(
                "Alarms",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                principal={"Service": "cloudwatch.amazonaws.com"},
                condition={"StringEquals": {"aws:SourceAccount": place.account_id}},
            ),
            *_stays(place),
        ]
    )


def recordings_key_policy(place: Place) -> Document:
    """Of the key for recordings at rest: for objects of their bucket, through S3, nothing else.

    It seals what is sealed already: a recording's own key is its session's, which its tenant's key
    wraps. S3 gives KMS the object's ARN as encryption context as long as the bucket has no bucket
    key (Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys").
    """
    return document(
        [
            _administration(place),
            allow(
                "Recordings",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                principal=_account(place),
                condition={
                    "StringEquals": _through(place, ("s3",)),
                    "StringLike": {S3_CONTEXT: arns.objects(place, names.recordings_bucket(place))},
                },
            ),
            *_stays(place),
        ]
    )


def tenant_key_policy(place: Place, tenant: str, role: str) -> Document:
    """Of a tenant's key: for the keys of the tenant's sessions, by ``role``, the nodes that serve
    it; nothing else.

    A node names tenant and region of a session in its encryption context, and what was encrypted
    under one does not open under another: a node that were tricked about either gets nothing from
    KMS.
    """
    return document(
        [
            _administration(place),
            allow(
                "SessionsOfTheTenant",
                SESSION_USE,
                principal=_account(place),
                condition={
                    "ArnEquals": {"aws:PrincipalArn": arns.role(place, role)},
                    "StringEquals": {SESSION_TENANT: tenant, SESSION_REGION: place.region},
                },
            ),
            *_stays(place),
        ]
    )


def _account(place: Place) -> Mapping[str, str]:
    return {"AWS": arns.account_root(place)}


def _through(place: Place, services: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    return {
        "kms:ViaService": tuple(f"{service}.{place.region}.amazonaws.com" for service in services)
    }


def _administration(place: Place) -> Statement:
    return allow("Administration", ADMINISTRATION, principal=_account(place))


def _auto_scaling(place: Place) -> list[Statement]:
    """Lets Auto Scaling start machines with encrypted disks.

    The service-linked role is named by a condition: as a principal it would have to exist, and in
    a new account it comes into being with the first group (Amazon EC2 Auto Scaling User Guide,
    "Required AWS KMS key policy for use with encrypted volumes").
    """
    service_role = arns.role(
        place, "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    )
    who = {"aws:PrincipalArn": service_role}
    return [
        allow(
            "DisksOfAutoScaling",
            USE,
            principal={"AWS": EVERYONE},
            condition={"ArnEquals": who, "StringEquals": {"kms:CallerAccount": place.account_id}},
        ),
        allow(
            "GrantsOfAutoScaling",
            ["kms:CreateGrant"],
            principal={"AWS": EVERYONE},
            condition={
                "ArnEquals": who,
                "Bool": {"kms:GrantIsForAWSResource": "true"},
                "StringEquals": {"kms:CallerAccount": place.account_id},
            },
        ),
    ]


def _stays(place: Place) -> list[Statement]:
    """The key is for this region, and no other region gets a copy of it."""
    return [
        deny(
            "NotFromOtherRegions",
            [*USE, "kms:CreateGrant"],
            principal=EVERYONE,
            condition={"StringNotEquals": {"aws:RequestedRegion": place.region}},
        ),
        deny(
            "NoCopyElsewhere",
            ["kms:ReplicateKey", "kms:UpdatePrimaryRegion"],
            principal=EVERYONE,
        ),
    ]
