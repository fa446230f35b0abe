"""A service control policy for the account: what nobody in it may do, its root user included.

A stack cannot attach it, since it belongs to the organisation and not to the account: the stack
only says it, and the organisation's administrator attaches it once.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra.documents.statements import Document, Statement, deny, deny_all_but, document

LIMIT = 5_120
"""Characters (AWS Organizations User Guide, "Quotas and service limits", read 2026-11-21)."""

OF_NO_REGION = (
    "account:*",
    "aws-portal:*",
    "billing:*",
    "budgets:*",
    "ce:*",
    "cloudfront:*",
    "health:*",
    "iam:*",
    "organizations:*",
    "payments:*",
    "pricing:*",
    "route53:*",
    "route53domains:*",
    "servicequotas:*",
    "shield:*",
    "sts:*",
    "support:*",
    "tag:*",
    "tax:*",
    "trustedadvisor:*",
)
"""Services that have one endpoint for the world and hold none of a caller's data (AWS
Organizations User Guide, "Example SCPs: deny access based on the requested Region")."""
LEAVING = (
    "account:CloseAccount",
    "account:EnableRegion",
    "organizations:LeaveOrganization",
)
GUARDS = (
    "access-analyzer:DeleteAnalyzer",
    "cloudtrail:DeleteTrail",
    "cloudtrail:PutEventSelectors",
    "cloudtrail:StopLogging",
    "cloudtrail:UpdateTrail",
    "config:DeleteConfigurationRecorder",
    "config:DeleteDeliveryChannel",
    "config:StopConfigurationRecorder",
    "ec2:DisableEbsEncryptionByDefault",
    "guardduty:DeleteDetector",
    "guardduty:DisassociateFromAdministratorAccount",
    "guardduty:UpdateDetector",
    "securityhub:DisableSecurityHub",
)
"""Turning off who watches."""
PUBLISHING = (
    "ec2:DisableImageBlockPublicAccess",
    "ec2:DisableSnapshotBlockPublicAccess",
    "ec2:ModifyImageAttribute",
    "ec2:ModifySnapshotAttribute",
    "s3:PutAccountPublicAccessBlock",
    "s3:PutBucketAcl",
    "s3:PutObjectAcl",
)
"""Making public, or sharing with other accounts."""
COPYING = (
    "backup:CopyFromBackupVault",
    "backup:CopyIntoBackupVault",
    "backup:StartCopyJob",
    "ec2:CopyImage",
    "ec2:CopySnapshot",
    "ec2:CreateStoreImageTask",
    "elasticache:CopySnapshot",
    "elasticache:CreateGlobalReplicationGroup",
    "elasticache:ExportServerlessCacheSnapshot",
    "kms:ReplicateKey",
    "kms:UpdatePrimaryRegion",
    "rds:CopyDBSnapshot",
    "s3:CreateMultiRegionAccessPoint",
    "s3:InitiateReplication",
    "s3:PutReplicationConfiguration",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "secretsmanager:ReplicateSecretToRegions",
)
"""Whatever puts data where it was not made."""
MODELS = (
    "bedrock:CreateInferenceProfile",
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
)


def service_control_policy(regions: Sequence[str]) -> Document:
    """``regions``: all that the account may use."""
    return document(
        [
            deny_all_but(
                "OnlyTheseRegions",
                OF_NO_REGION,
                condition={"StringNotEquals": {"aws:RequestedRegion": tuple(sorted(regions))}},
            ),
            deny("StayInTheOrganisation", LEAVING),
            deny("KeepTheGuards", GUARDS),
            deny("NothingPublic", PUBLISHING),
            deny("NoCopies", COPYING),
            deny(
                "NoKeyOfSeveralRegions",
                ["kms:CreateKey"],
                condition={"Bool": {"kms:MultiRegion": "true"}},
            ),
            _no_cross_region_inference(),
        ]
    )


def _no_cross_region_inference() -> Statement:
    """An inference profile sends a prompt to whichever of its regions has room.

    Amazon Bedrock User Guide, "Increase throughput with cross-Region inference" (2026-11-21).
    """
    return deny(
        "NoCrossRegionInference",
        MODELS,
        (
            "arn:*:bedrock:*:*:inference-profile/*",
            "arn:*:bedrock:*:*:application-inference-profile/*",
        ),
    )
