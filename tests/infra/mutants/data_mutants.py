"""Ways to leave data open, to copy it, or to keep it for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pulumi_aws as aws
from pulumi import ResourceOptions

from tests.infra.mutants.making import (
    ACCOUNT,
    OTHER_ACCOUNT,
    Properties,
    Spoil,
    adding,
    allow,
    also,
    changing,
    set_,
    unsaid,
    wording,
)
from tests.infra.mutants.mutant import Mutant

BUCKET_POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"
CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
KEY: Final = "aws:kms/key:Key"
LOGS: Final = "aws:cloudwatch/logGroup:LogGroup"
SECRET: Final = "aws:secretsmanager/secret:Secret"
TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
RECORDINGS: Final = f"inland-recordings-{ACCOUNT}-eu-central-1"


def disk(**ebs: Any) -> Spoil:
    """Of the nodes' launch template; without arguments, under a key of nobody here."""
    foreign = {"kms_key_id": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/x"}

    def change(found: Properties, _: ResourceOptions) -> None:
        first = found["block_device_mappings"][0]
        for name, value in (ebs or foreign).items():
            setattr(first.ebs, name, value)

    return changing(TEMPLATE, change, "edge")


def _unencrypted_bucket(options: ResourceOptions) -> None:
    protected = ResourceOptions.merge(options, ResourceOptions(protect=True))
    aws.s3.Bucket("bare", tags={"inland:holds": "recordings"}, opts=protected)


def _replica_key(options: ResourceOptions) -> None:
    primary = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/mrk-1"
    aws.kms.ReplicaKey("twin", primary_key_arn=primary, opts=options)


def _without_context(type_: str) -> Spoil:
    """Statements that name a tenant's sessions say no longer whose they are."""

    def reword(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for statement in found:
            condition = statement.get("Condition", {})
            equal = {
                key: value
                for key, value in condition.get("StringEquals", {}).items()
                if "inland:tenant" not in key
            }
            if equal != condition.get("StringEquals", {}):
                yield {**statement, "Condition": {**condition, "StringEquals": equal}}
            else:
                yield statement

    return wording(type_, reword)


def _keys() -> Iterator[Mutant]:
    yield Mutant("a key of several regions", "key-single-region", set_(KEY, multi_region=True))
    yield Mutant("a key that stays", "key-rotation", set_(KEY, enable_key_rotation=False))
    yield Mutant(
        "a key gone in a week", "key-deletion-window", set_(KEY, deletion_window_in_days=7)
    )
    yield Mutant(
        "a key for anybody",
        "key-policy",
        also(KEY, allow("kms:Decrypt", Principal={"AWS": "*"})),
        also=frozenset({"key-use"}),
    )
    yield Mutant(
        "a key for another account",
        "key-policy",
        also(KEY, allow("kms:*", Principal={"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"})),
        also=frozenset({"foreign-account", "key-use"}),
    )
    yield Mutant(
        "a key for the whole account",
        "key-use",
        also(KEY, allow("kms:Decrypt", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})),
    )
    yield Mutant(
        "a tenant's key for no tenant's sessions in particular", "key-use", _without_context(KEY)
    )
    yield Mutant(
        "nodes that use their tenants' keys for anything",
        "key-use",
        _without_context("aws:iam/rolePolicy:RolePolicy"),
    )
    yield Mutant("logs under AWS's key", "own-key", set_(LOGS, kms_key_id=None))
    yield Mutant(
        "sessions under a key of nobody here",
        "own-key",
        set_(CACHE, kms_key_id=f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/elsewhere"),
    )
    yield Mutant("disks under a key of nobody here", "own-key", disk())
    yield Mutant("open disks", "encrypted-volume", disk(encrypted="false"))
    yield Mutant(
        "sessions without TLS", "cache-sealed", set_(CACHE, transit_encryption_enabled=False)
    )
    yield Mutant("sessions for all", "cache-login", set_(CACHE, user_group_ids=None))
    yield Mutant(
        "a tenant that reads all",
        "cache-login",
        set_("aws:elasticache/user:User", access_string="on ~* resetchannels -@all +@read"),
    )


def _copies() -> Iterator[Mutant]:
    yield Mutant(
        "a replicated bucket",
        "no-replication",
        adding(
            lambda options: aws.s3.BucketReplicationConfig(
                "copy",
                bucket=RECORDINGS,
                role=f"arn:aws:iam::{ACCOUNT}:role/copy",
                rules=[
                    {
                        "id": "all",
                        "status": "Enabled",
                        "destination": {"bucket": "arn:aws:s3:::backup"},
                    }
                ],
                opts=options,
            )
        ),
        also=frozenset({"type-allowed"}),
    )
    yield Mutant(
        "a global datastore", "no-global-store", set_(CACHE, global_replication_group_id="ldgnf-x")
    )
    yield Mutant(
        "a twin of a key", "no-key-copy", adding(_replica_key), also=frozenset({"type-allowed"})
    )
    yield Mutant(
        "replicas of secrets",
        "no-secret-replica",
        set_(SECRET, replicas=[{"region": "ap-south-1"}]),
        also=frozenset({"foreign-region-name"}),
    )
    yield Mutant("a backup of sessions", "no-snapshot", set_(CACHE, snapshot_retention_limit=7))
    yield Mutant(
        "a shared image",
        "public-sharing",
        adding(
            lambda options: aws.ec2.AmiLaunchPermission(
                "all", image_id="ami-0123456789abcdef0", group="all", opts=options
            )
        ),
        also=frozenset({"type-allowed"}),
    )


def _buckets() -> Iterator[Mutant]:
    yield Mutant(
        "a bare bucket",
        "bucket-complete",
        adding(_unencrypted_bucket),
        also=frozenset({"bucket-public-access", "holds-tag"}),
    )
    yield Mutant(
        "recordings for ever",
        "bucket-retention",
        set_(
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            rules=[{"id": "never", "status": "Disabled", "expiration": {"days": 30}}],
        ),
    )
    yield Mutant(
        "a bucket that may be public",
        "bucket-public-access",
        set_(
            "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", restrict_public_buckets=False
        ),
    )
    yield Mutant("buckets by plain HTTP", "bucket-tls", unsaid(BUCKET_POLICY, "OnlyTls"))
    yield Mutant(
        "buckets on the internet",
        "bucket-endpoint",
        unsaid(BUCKET_POLICY, "OnlyThroughOurEndpoints"),
    )
    yield Mutant(
        "buckets for another region",
        "bucket-endpoint",
        unsaid(BUCKET_POLICY, "OnlyFromThisRegion"),
    )
    yield Mutant(
        "an endpoint rule turned round",
        "bucket-endpoint",
        wording(
            BUCKET_POLICY,
            lambda found: json.loads(
                json.dumps(found).replace(
                    '"StringNotEquals": {"aws:VpceAccount"', '"StringEquals": {"aws:VpceAccount"'
                )
            ),
        ),
    )
    yield Mutant(
        "buckets that may be replicated",
        "bucket-replication",
        unsaid(BUCKET_POLICY, "NoReplication"),
    )
    yield Mutant(
        "recordings under a foreign key",
        "bucket-foreign-key",
        unsaid(BUCKET_POLICY, "OnlyKeysOfTheRegion"),
    )
    yield Mutant(
        "alarms that anybody sends",
        "policy-outsider",
        also("aws:sns/topicPolicy:TopicPolicy", allow("sns:Publish", Principal="*")),
    )


DATA_MUTANTS: Final = (*_keys(), *_copies(), *_buckets())
