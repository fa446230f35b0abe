"""The policies of buckets: no way out but the region's network, no copies, no foreign key.

They name no endpoint and no key by its id, so that they are known, and judged, before anything is
made: the account and the region say as much. Condition keys: IAM User Guide, "AWS global condition
context keys" (``aws:VpceAccount``, ``aws:SourceVpcArn``); Amazon S3 User Guide, "Protecting data
with server-side encryption" (read 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Sequence

from infra.components.place import Place
from infra.documents import arns, names
from infra.documents.statements import EVERYONE, Document, Statement, deny, document

REPLICATION = (
    "s3:GetObjectVersionForReplication",
    "s3:InitiateReplication",
    "s3:PutReplicationConfiguration",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
)
"""Both ends of it: a copy from here, and a copy of somewhere else's data to here."""


def recordings_policy(place: Place) -> Document:
    """Of the recordings: read and written from the region's network only, with a key of it.

    A request that names no key is refused too. What a key may seal is its own matter
    (``infra.documents.keys``): only that for recordings seals any.
    """
    bucket = names.recordings_bucket(place)
    objects = arns.objects(place, bucket)
    return document(
        [
            *_common(place, bucket),
            *_from_home(place, ["s3:GetObject*", "s3:PutObject*", "s3:RestoreObject"], objects),
            deny(
                "OnlyKeysOfTheRegion",
                ["s3:PutObject"],
                objects,
                principal=EVERYONE,
                condition={
                    "StringNotLike": {
                        "s3:x-amz-server-side-encryption-aws-kms-key-id": arns.keys(place)
                    }
                },
            ),
        ]
    )


def software_policy(place: Place) -> Document:
    """Of the software: read from the region's network only, and written by no node.

    The operator uploads from wherever they are; the digest in a bundle's name is what nodes trust.
    """
    bucket = names.software_bucket(place)
    objects = arns.objects(place, bucket)
    return document(
        [
            *_common(place, bucket),
            *_from_home(place, ["s3:GetObject*"], objects),
            deny(
                "NotByNodes",
                ["s3:DeleteObject*", "s3:PutObject*"],
                objects,
                principal=EVERYONE,
                condition={"ArnLike": {"aws:PrincipalArn": arns.role(place, "inland-*")}},
            ),
        ]
    )


def _from_home(place: Place, actions: Sequence[str], objects: str) -> list[Statement]:
    """Through an endpoint of the account, and of the region.

    A gateway endpoint serves its own region only. An interface endpoint may stand in another one
    since AWS PrivateLink reaches S3 across regions (2025), so the second statement refuses those;
    it speaks only where AWS says which VPC a request comes from.
    """
    return [
        deny(
            "OnlyThroughOurEndpoints",
            actions,
            objects,
            principal=EVERYONE,
            condition={"StringNotEquals": {"aws:VpceAccount": place.account_id}},
        ),
        deny(
            "OnlyFromThisRegion",
            actions,
            objects,
            principal=EVERYONE,
            condition={
                "Null": {"aws:SourceVpcArn": "false"},
                "StringNotLike": {"aws:SourceVpcArn": arns.regional(place, "ec2", "vpc/*")},
            },
        ),
    ]


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
