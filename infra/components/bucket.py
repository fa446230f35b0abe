"""A bucket and everything beside it that keeps it shut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from infra.components.tags import holds


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketArgs:
    """``name`` is the world's; ``policy`` is a whole document as text."""

    name: str
    holding: Literal["recordings", "software"]
    key_arn: pulumi.Input[str]
    policy: str
    bucket_key: bool
    """Whether S3 may seal objects with a key of its own below ``key_arn``, to ask KMS less often.
    KMS then does not learn which object it is asked for."""
    expire_days: int | None
    """When objects go, None to keep them."""
    protect: bool
    """Whether the stack refuses to delete it; an unprotected one goes with all that is in it."""


def sealed_bucket(
    parent: pulumi.ComponentResource, name: str, args: BucketArgs
) -> tuple[aws.s3.Bucket, aws.s3.BucketPolicy]:
    """The bucket, and its policy: whoever relies on the one waits for the other."""
    own = pulumi.ResourceOptions(parent=parent)
    bucket = aws.s3.Bucket(
        name,
        bucket=args.name,
        force_destroy=not args.protect,
        tags=holds(args.holding),
        opts=pulumi.ResourceOptions(parent=parent, protect=args.protect),
    )
    shut = aws.s3.BucketPublicAccessBlock(
        name,
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=own,
    )
    aws.s3.BucketOwnershipControls(
        name,
        bucket=bucket.id,
        rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
        opts=own,
    )
    default = (
        aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=bucket.id,
        rules=[
            aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=default(
                    sse_algorithm="aws:kms", kms_master_key_id=args.key_arn
                ),
                bucket_key_enabled=args.bucket_key,
            )
        ],
        opts=own,
    )
    versions = aws.s3.BucketVersioning(
        name,
        bucket=bucket.id,
        versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(
            status="Enabled"
        ),
        opts=own,
    )
    aws.s3.BucketLifecycleConfiguration(
        name,
        bucket=bucket.id,
        rules=_lifecycle(args.expire_days),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[versions]),
    )
    policy = aws.s3.BucketPolicy(
        name,
        bucket=bucket.id,
        policy=args.policy,
        # S3 refuses two changes of a bucket's access at once.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[shut]),
    )
    return bucket, policy


def _lifecycle(
    expire_days: int | None,
) -> list[aws.s3.BucketLifecycleConfigurationRuleArgs]:
    """What is deleted or replaced is gone a day later; what nobody finished to send, too."""
    everything = aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
    rule = aws.s3.BucketLifecycleConfigurationRuleArgs
    rules = [
        rule(
            id="leftovers",
            status="Enabled",
            filter=everything,
            abort_incomplete_multipart_upload=(
                aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                    days_after_initiation=1
                )
            ),
            noncurrent_version_expiration=(
                aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                    noncurrent_days=1
                )
            ),
            expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(
                expired_object_delete_marker=True
            ),
        )
    ]
    if expire_days is not None:
        rules.append(
            rule(
                id="retention",
                status="Enabled",
                filter=everything,
                expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=expire_days),
            )
        )
    return rules
