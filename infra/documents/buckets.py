"""The policies of buckets: no way out but the region's endpoint, no copies, each tenant's key.

Condition keys: Amazon S3 User Guide, "Bucket policy examples using condition keys" and "Protecting
data with server-side encryption" (read 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.components.place import Place
from infra.documents import arns, names
from infra.documents.statements import EVERYONE, Document, Statement, deny, document

LIMIT = 20_480
"""Bytes of a bucket's policy (Amazon S3 User Guide, "Bucket restrictions and limitations")."""
REPLICATION = (
    "s3:GetObjectVersionForReplication",
    "s3:InitiateReplication",
    "s3:PutReplicationConfiguration",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
)
"""Both ends of it: a copy from here, and a copy of somewhere else's data to here."""
KEY_ID = "s3:x-amz-server-side-encryption-aws-kms-key-id"


def recordings_policy(
    place: Place, *, endpoint_id: str, tenant_keys: Mapping[str, str]
) -> Document:
    """Of the recordings: read and written through the region's endpoint only.

    ``tenant_keys``: tenant to its key's ARN. An object under a tenant's prefix must name that key
    in its request; a request that names none is refused too.
    """
    bucket = names.recordings_bucket(place)
    everything = arns.objects(place, bucket)
    return document(
        [
            *_common(place, bucket),
            deny(
                "OnlyThroughTheEndpoint",
                ["s3:GetObject*", "s3:PutObject*", "s3:RestoreObject"],
                everything,
                principal=EVERYONE,
                condition={"StringNotEquals": {"aws:SourceVpce": endpoint_id}},
            ),
            *(
                _own_key(arns.objects(place, bucket, f"{tenant}/"), key)
                for tenant, key in sorted(tenant_keys.items())
            ),
        ]
    )


def software_policy(place: Place, *, endpoint_id: str) -> Document:
    """Of the software: read through the region's endpoint only, and written by no node.

    The operator uploads from wherever they are; the digest in a bundle's name is what nodes trust.
    """
    bucket = names.software_bucket(place)
    everything = arns.objects(place, bucket)
    return document(
        [
            *_common(place, bucket),
            deny(
                "OnlyThroughTheEndpoint",
                ["s3:GetObject*"],
                everything,
                principal=EVERYONE,
                condition={"StringNotEquals": {"aws:SourceVpce": endpoint_id}},
            ),
            deny(
                "NotByNodes",
                ["s3:DeleteObject*", "s3:PutObject*"],
                everything,
                principal=EVERYONE,
                condition={"ArnLike": {"aws:PrincipalArn": arns.role(place, "inland-*")}},
            ),
        ]
    )


def _common(place: Place, bucket: str) -> list[Statement]:
    both = [arns.bucket(place, bucket), arns.objects(place, bucket)]
    return [
        deny(
            "OnlyTls",
            ["s3:*"],
            both,
            principal=EVERYONE,
            condition={"Bool": {"aws:SecureTransport": "false"}},
        ),
        deny(
            "OnlyThisAccount",
            ["s3:*"],
            both,
            principal=EVERYONE,
            condition={"StringNotEquals": {"aws:PrincipalAccount": place.account_id}},
        ),
        deny("NoReplication", REPLICATION, both, principal=EVERYONE),
    ]


def _own_key(prefix: str, key: str) -> Statement:
    """As short as can be: a bucket's policy is limited, and there may be fifty of these."""
    return {
        "Effect": "Deny",
        "Principal": EVERYONE,
        "Action": "s3:PutObject",
        "Resource": prefix,
        "Condition": {"StringNotEquals": {KEY_ID: key}},
    }
