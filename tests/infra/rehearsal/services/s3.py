"""Simple Storage Service: a bucket, and its settings as types of their own."""

from __future__ import annotations

from typing import Any, Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Delete, Kept, Kind, Made, Values, pascal, put, tag_list


def _create(aws: Aws, inputs: Values) -> Made:
    name = inputs["bucket"]
    home = {} if aws.region == "us-east-1" else {"LocationConstraint": aws.region}
    aws.s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": home} if home else {}))
    _tag(aws, name, inputs)
    return Made(
        name,
        {
            "arn": f"arn:aws:s3:::{name}",
            "bucketRegion": aws.region,
            "bucketRegionalDomainName": f"{name}.s3.{aws.region}.amazonaws.com",
        },
    )


def _update(aws: Aws, kept: Kept, inputs: Values) -> Values:
    _tag(aws, kept.id, inputs)
    return {}


def _tag(aws: Aws, name: str, inputs: Values) -> None:
    aws.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(inputs)})


def _delete(aws: Aws, kept: Kept) -> None:
    """As the provider does: a bucket that is not empty stays, unless it may go by force."""
    if kept.inputs.get("forceDestroy"):
        listed = aws.s3.list_object_versions(Bucket=kept.id)
        for found in [*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())]:
            aws.s3.delete_object(Bucket=kept.id, Key=found["Key"], VersionId=found["VersionId"])
    aws.s3.delete_bucket(Bucket=kept.id)


def _block(aws: Aws, inputs: Values) -> None:
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    wanted = pascal({name: bool(inputs.get(name)) for name in names})
    aws.s3.put_public_access_block(Bucket=inputs["bucket"], PublicAccessBlockConfiguration=wanted)


def _owner(aws: Aws, inputs: Values) -> None:
    aws.s3.put_bucket_ownership_controls(
        Bucket=inputs["bucket"], OwnershipControls={"Rules": [pascal(inputs["rule"])]}
    )


def _encryption(aws: Aws, inputs: Values) -> None:
    rules = []
    for rule in inputs["rules"]:
        default = rule["applyServerSideEncryptionByDefault"]
        sealed: dict[str, Any] = {"SSEAlgorithm": default["sseAlgorithm"]}
        if default.get("kmsMasterKeyId"):
            sealed["KMSMasterKeyID"] = default["kmsMasterKeyId"]
        rules.append(
            {
                "ApplyServerSideEncryptionByDefault": sealed,
                "BucketKeyEnabled": bool(rule.get("bucketKeyEnabled")),
            }
        )
    aws.s3.put_bucket_encryption(
        Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules}
    )


def _versioning(aws: Aws, inputs: Values) -> None:
    aws.s3.put_bucket_versioning(
        Bucket=inputs["bucket"],
        VersioningConfiguration=pascal(inputs["versioningConfiguration"]),
    )


def _lifecycle(aws: Aws, inputs: Values) -> None:
    rules = []
    for rule in inputs["rules"]:
        wanted = pascal(rule)
        wanted["ID"] = wanted.pop("Id")
        rules.append(wanted)
    aws.s3.put_bucket_lifecycle_configuration(
        Bucket=inputs["bucket"], LifecycleConfiguration={"Rules": rules}
    )


def _policy(aws: Aws, inputs: Values) -> None:
    aws.s3.put_bucket_policy(Bucket=inputs["bucket"], Policy=inputs["policy"])


def _bucket(inputs: Values) -> str:
    return str(inputs["bucket"])


def _by(call: str) -> Delete:
    return lambda aws, kept: getattr(aws.s3, call)(Bucket=kept.inputs["bucket"])


_OF_ONE: Final = frozenset({"bucket"})

KINDS: Final = {
    "aws:s3/bucket:Bucket": Kind(_create, _delete, _update, _OF_ONE, tagged=True),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": put(
        _block, _by("delete_public_access_block"), _bucket, _OF_ONE
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": put(
        _owner, _by("delete_bucket_ownership_controls"), _bucket, _OF_ONE
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": put(
        _encryption, _by("delete_bucket_encryption"), _bucket, _OF_ONE
    ),
    # A bucket that once had versions cannot forget it: the provider leaves this as it is.
    "aws:s3/bucketVersioning:BucketVersioning": put(
        _versioning, lambda aws, kept: None, _bucket, _OF_ONE
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": put(
        _lifecycle, _by("delete_bucket_lifecycle"), _bucket, _OF_ONE
    ),
    "aws:s3/bucketPolicy:BucketPolicy": put(_policy, _by("delete_bucket_policy"), _bucket, _OF_ONE),
}
