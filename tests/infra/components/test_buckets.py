"""The buckets of a region."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pytest

from infra.components.buckets import Recordings, RecordingsArgs, Software, SoftwareArgs
from infra.documents.buckets import recordings_policy, software_policy
from infra.rules.model import Graph, Resource
from tests.infra.components.harness import KEY_ARN, PLACE, graph_of, named

BUCKET = "aws:s3/bucket:Bucket"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
ACCESS = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
BOTH = pytest.mark.parametrize("name", ["recordings", "software"])


def graph(folder: Path, *, preview: bool = False) -> Graph:
    def make(opts: pulumi.ResourceOptions) -> None:
        recordings = RecordingsArgs(place=PLACE, key_arn=KEY_ARN, days=30)
        pulumi.export("recordings", Recordings("recordings", recordings, opts).name)
        software = SoftwareArgs(place=PLACE, key_arn=KEY_ARN)
        pulumi.export("software", Software("software", software, opts).name)

    return graph_of(folder, make, preview=preview)


def part(found: Graph, type_: str, name: str) -> Resource:
    """What belongs to a bucket, by what it was computed from."""
    bucket = named(found, BUCKET, name)
    resource = named(found, type_, name)
    assert resource.dependencies is not None
    assert resource.dependencies["bucket"] == (bucket.urn,)
    return resource


@pytest.mark.parametrize("preview", [False, True])
def test_names_and_policies_are_known_in_a_preview(tmp_path: Path, preview: bool) -> None:
    found = graph(tmp_path, preview=preview)
    assert found.outputs["recordings"] == "inland-recordings-111122223333-eu-central-1"
    assert found.outputs["software"] == "inland-software-111122223333-eu-central-1"
    for name, expected in (
        ("recordings", recordings_policy(PLACE)),
        ("software", software_policy(PLACE)),
    ):
        assert json.loads(named(found, POLICY, name).properties["policy"]) == expected


@BOTH
def test_a_bucket_is_shut_to_the_public(tmp_path: Path, name: str) -> None:
    found = graph(tmp_path)
    shut = part(found, ACCESS, name)
    for block in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls"):
        assert shut.properties[block] is True
    assert shut.properties["restrictPublicBuckets"] is True
    rule = part(found, OWNERSHIP, name).properties["rule"]
    assert rule == {"objectOwnership": "BucketOwnerEnforced"}
    assert shut.urn in part(found, POLICY, name).depends_on


@pytest.mark.parametrize(("name", "shared"), [("recordings", False), ("software", True)])
def test_objects_are_sealed_and_kms_sees_each_recording(
    tmp_path: Path, name: str, shared: bool
) -> None:
    (rule,) = part(graph(tmp_path), ENCRYPTION, name).properties["rules"]
    default = rule["applyServerSideEncryptionByDefault"]
    assert default == {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY_ARN}
    assert rule["bucketKeyEnabled"] is shared


@BOTH
def test_what_was_deleted_is_gone_a_day_later(tmp_path: Path, name: str) -> None:
    found = graph(tmp_path)
    versioning = part(found, VERSIONING, name)
    assert versioning.properties["versioningConfiguration"] == {"status": "Enabled"}
    lifecycle = part(found, LIFECYCLE, name)
    assert versioning.urn in lifecycle.depends_on
    leftovers = lifecycle.properties["rules"][0]
    assert leftovers["status"] == "Enabled"
    assert leftovers["noncurrentVersionExpiration"] == {"noncurrentDays": 1}
    assert leftovers["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 1}
    assert leftovers["expiration"] == {"expiredObjectDeleteMarker": True}


def test_recordings_end_and_software_stays(tmp_path: Path) -> None:
    found = graph(tmp_path)
    ends = {
        name: [
            rule["expiration"]["days"]
            for rule in part(found, LIFECYCLE, name).properties["rules"]
            if "days" in rule.get("expiration", {})
        ]
        for name in ("recordings", "software")
    }
    assert ends == {"recordings": [30], "software": []}


def test_recordings_are_not_deleted_by_chance_and_software_goes_with_the_stack(
    tmp_path: Path,
) -> None:
    found = graph(tmp_path)
    for name, kept in (("recordings", True), ("software", False)):
        bucket = named(found, BUCKET, name)
        assert bucket.protect is kept
        assert bucket.properties["forceDestroy"] is not kept
        assert bucket.properties["tags"] == {"inland:holds": name}
