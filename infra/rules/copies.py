"""Nothing makes a copy of data elsewhere: no replication, no global store, no copied snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.rules import allowed_types as types
from infra.rules.model import UNKNOWN, Graph, Resource, Scope
from infra.rules.values import block, holds, maps

_REPLICATION: Final = {
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
    "aws:s3/bucketReplicationConfiguration:BucketReplicationConfiguration",
    "aws:s3control/multiRegionAccessPoint:MultiRegionAccessPoint",
    "aws:s3/bucketAccelerateConfiguration:BucketAccelerateConfiguration",
    "aws:s3/inventory:Inventory",
}
_GLOBAL: Final = {
    "aws:elasticache/globalReplicationGroup:GlobalReplicationGroup",
    "aws:dynamodb/globalTable:GlobalTable",
    "aws:dynamodb/tableReplica:TableReplica",
    "aws:rds/globalCluster:GlobalCluster",
}
_KEY_COPIES: Final = {
    "aws:kms/replicaKey:ReplicaKey",
    "aws:kms/replicaExternalKey:ReplicaExternalKey",
}
_SNAPSHOTS: Final = {
    "aws:backup/plan:Plan",
    "aws:backup/vault:Vault",
    "aws:dlm/lifecyclePolicy:LifecyclePolicy",
    "aws:ebs/snapshot:Snapshot",
    "aws:ebs/snapshotCopy:SnapshotCopy",
    "aws:ec2/amiCopy:AmiCopy",
    "aws:ec2/amiFromInstance:AmiFromInstance",
}
_SHARED: Final = {
    "aws:ec2/amiLaunchPermission:AmiLaunchPermission",
    "aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission",
    "aws:ram/resourceShare:ResourceShare",
    "aws:ram/resourceAssociation:ResourceAssociation",
    "aws:s3/bucketAcl:BucketAcl",
    "aws:s3/bucketWebsiteConfiguration:BucketWebsiteConfiguration",
}


def no_replication(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """No bucket is copied by S3, listed into another, or served from everywhere."""
    if resource.type in _REPLICATION:
        yield f"{resource.type} takes objects to another bucket or region"
    if resource.type == types.BUCKET:
        for name in ("replicationConfiguration", "accelerationStatus"):
            value = resource.properties.get(name)
            if holds(value) and value is not UNKNOWN and value != "Suspended":
                yield f"{name} is set"


def no_global_store(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """The sessions live in one region only."""
    if resource.type in _GLOBAL:
        yield f"{resource.type} spans regions"
    value = resource.properties.get("globalReplicationGroupId")
    if resource.type == types.CACHE and holds(value) and value is not UNKNOWN:
        yield "globalReplicationGroupId joins a global datastore"


def no_key_copy(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """No key has a twin in another region."""
    if resource.type in _KEY_COPIES:
        yield f"{resource.type} is a key of another region too"


def no_secret_replica(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """No secret is copied to another region."""
    if resource.type == types.SECRET and (
        maps(resource.properties.get("replicas")) or resource.properties.get("replicas") is UNKNOWN
    ):
        yield "replicas is set"


def no_snapshot(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Sessions end with the store, and no copy of a disk or an image is made."""
    if resource.type in _SNAPSHOTS:
        yield f"{resource.type} keeps copies"
    if resource.type == types.CACHE:
        limit = resource.properties.get("snapshotRetentionLimit")
        if isinstance(limit, int | float) and limit > 0:
            yield f"snapshotRetentionLimit is {limit}: sessions would outlive their store"
        for name in ("finalSnapshotIdentifier", "snapshotArns", "snapshotName"):
            value = resource.properties.get(name)
            if holds(value) and value is not UNKNOWN:
                yield f"{name} is set"


def public_sharing(resource: Resource, graph: Graph, scope: Scope) -> Iterator[str]:
    """Nothing is shown to the world or given to another account by a list beside its policy."""
    if resource.type in _SHARED:
        yield f"{resource.type} shares with others"
    if resource.type == types.BUCKET:
        acl = resource.properties.get("acl")
        if isinstance(acl, str) and acl not in ("private", ""):
            yield f"acl is {acl}"
        if holds(block(resource.properties.get("website"))):
            yield "website is set"
