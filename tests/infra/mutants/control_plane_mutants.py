"""Ways to make a control plane keep data, or leave its regions."""

from __future__ import annotations

from typing import Final

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from tests.infra.mutants.making import adding, allow, also, doing, provider_in, set_
from tests.infra.mutants.mutant import Mutant

BUCKET: Final = "aws:s3/bucket:Bucket"
OTHERS_ACCOUNT: Final = "123456789012"
"""Of the shipped control plane."""


def _store(options: ResourceOptions) -> None:
    aws.elasticache.ReplicationGroup(
        "sessions",
        description="sessions",
        at_rest_encryption_enabled=True,
        transit_encryption_enabled=True,
        user_group_ids=["inland"],
        kms_key_id=f"arn:aws:kms:eu-central-1:{OTHERS_ACCOUNT}:key/x",
        tags={"inland:holds": "sessions"},
        opts=options,
    )


def _table(options: ResourceOptions) -> None:
    aws.dynamodb.Table(
        "callers",
        attributes=[{"name": "number", "type": "S"}],
        hash_key="number",
        billing_mode="PAY_PER_REQUEST",
        opts=options,
    )


def _abroad() -> None:
    aws.ec2.Eip("abroad", opts=provider_in("us-east-1", OTHERS_ACCOUNT))


CONTROL_PLANE_MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "a table of callers",
        "control-plane-holds-nothing",
        adding(_table),
        also=frozenset({"type-allowed"}),
    ),
    Mutant(
        "a store of sessions",
        "control-plane-holds-nothing",
        adding(_store),
        also=frozenset({"type-allowed", "own-key", "own-reference"}),
    ),
    Mutant(
        "recordings",
        "control-plane-holds-nothing",
        set_(BUCKET, tags={"inland:holds": "recordings"}),
        also=frozenset(
            {"bucket-endpoint", "bucket-foreign-key", "bucket-retention", "protected", "holds-tag"}
        ),
    ),
    Mutant(
        "a replica that writes the software",
        "software-read-only",
        also("aws:iam/rolePolicy:RolePolicy", allow("s3:PutObject", "arn:aws:s3:::inland-*/*")),
        also=frozenset({"own-bucket"}),
    ),
    Mutant(
        "a third region",
        "provider-region",
        doing(_abroad),
        also=frozenset({"effective-region", "foreign-region-name", "type-allowed"}),
    ),
    Mutant(
        "a list of callers",
        "no-access-logs",
        set_("aws:lb/loadBalancer:LoadBalancer", access_logs={"bucket": "x", "enabled": True}),
    ),
    Mutant(
        "old TLS",
        "listener-tls",
        set_("aws:lb/listener:Listener", ssl_policy="ELBSecurityPolicy-2016-08"),
    ),
    Mutant(
        "a region's outputs",
        "no-stack-reference",
        doing(lambda: pulumi.StackReference("organization/inland-region/eu-central-1")),
    ),
    Mutant(
        "no fence",
        "role-fence",
        set_(
            "aws:iam/rolePolicy:RolePolicy",
            policy='{"Version":"2012-10-17","Statement":[]}',
        ),
    ),
    Mutant(
        "a secret given away",
        "no-secret-export",
        doing(lambda: pulumi.export("key", pulumi.Output.secret("x"))),
    ),
)
